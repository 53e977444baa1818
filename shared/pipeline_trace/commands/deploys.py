"""`pipeline-trace deploys`."""

from __future__ import annotations

import json
import sys
import time

import click
from rich.console import Console

from ..change.board import board_of
from ..change.board_terminal import print_board, print_deploys
from ..change.listed import board_document, deploys_document
from ..change.search import Search, find_deploys, find_for_board, said_cut
from ..lookup.source import Window
from . import fail, format_option, parsed, reading, utc_option
from .units import age_seconds

# Of a list.
_MOST = 50


@click.command("deploys")
@click.argument("service", default="")
@click.option("--environment", default="", metavar="NAME", help="Only this environment.")
@click.option("--since", default="30d", show_default=True, callback=parsed(age_seconds), metavar="AGE", help="How far back.")
@format_option("How to print them.", "text", "json")
@reading.source_option
@utc_option
def command(service: str, environment: str, since: float, form: str, source: str, utc: bool) -> None:
    """Show what is where: for each service, what was deployed to each environment.

    With the name of a service, lists its newest deploys instead.
    """
    now_ns = time.time_ns()
    search = Search(service=service, environment=environment, began=Window(now_ns - int(since * 1e9)))
    with reading.open_lookup(source) as lookup:
        found = find_deploys(lookup, search, _MOST) if service else find_for_board(lookup, search)
    if not found.entries:
        of = f" of {service}" if service else ""
        to = f" to {environment}" if environment else ""
        raise fail(
            f"there is no deploy{of}{to} of that time here; try --since 90d; docs/deployments.md says what counts as one"
        )
    notes, console = said_cut(found), Console(highlight=False)
    if form == "json":
        told = deploys_document(found.entries, notes) if service else board_document(board_of(found.entries), notes)
        json.dump(told, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for note in notes:
        console.print(f"note: {note}", style="dim", soft_wrap=True)
    if service:
        print_deploys(found.entries, console, utc=utc)
    else:
        print_board(board_of(found.entries), console, now_ns)
