"""`pipeline-trace deploys`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import click
from rich.console import Console

from ..answers.verdicts import Verdicts
from ..change.board import board_of
from ..change.board_terminal import print_board, print_deploys
from ..change.entries import Entry
from ..change.extent import said_extent
from ..change.for_board import find_for_board, said_cut
from ..change.listed import board_document, deploys_document
from ..change.ordered import ORDERS, find_ordered, said_order
from ..change.search import Search, find_deploys
from ..lookup.lookup import Lookup
from ..lookup.source import Window
from ..lookup.wording import iso_time, shown_time
from . import fail, format_option, parsed, reading, utc_option
from .units import age_seconds

# Of a list.
_MOST = 50
_NEWEST = "newest"
# What lists the others.
_OTHERS = "--sort oldest begins with the oldest, --environment or --host takes less; pipeline-trace serve has pages of all"
_GOES_ON = "a shorter --since, --environment or --host takes less; pipeline-trace serve goes further back"


@click.command("deploys")
@click.argument("service", default="")
@click.option("--environment", default="", metavar="NAME", help="Only this environment.")
@click.option("--host", default="", metavar="NAME", help="List the deploys in which Ansible ran on this host.")
@click.option(
    "--sort",
    "order",
    type=click.Choice([_NEWEST, *ORDERS]),
    default=_NEWEST,
    show_default=True,
    help="The order of a list.",
)
@click.option("--since", default="30d", show_default=True, callback=parsed(age_seconds), metavar="AGE", help="How far back.")
@format_option("How to print them.", "text", "json")
@reading.source_option
@utc_option
def command(service: str, environment: str, host: str, order: str, since: float, form: str, source: str, utc: bool) -> None:
    """Show what is where: for each service, what was deployed to each environment.

    With the name of a service, or with --host, lists the newest deploys instead.
    """
    if order != _NEWEST and not (service or host):
        raise click.UsageError("--sort is for lists: name a service or --host.")
    now_ns, listed = time.time_ns(), bool(service or host)
    search = Search(service=service, environment=environment, began=Window(now_ns - int(since * 1e9)), host=host)
    with reading.open_lookup(source) as lookup:
        said_time = iso_time if form == "json" else partial(shown_time, utc=utc)
        found, notes = _listed(lookup, search, order, said_time) if listed else _on_board(lookup, search)
        entries = (Verdicts().on if listed else Verdicts().on_board)(lookup, found)
    if not entries and listed and notes:
        raise fail(f"nothing found so far: {'; '.join(notes)}")
    if not entries:
        of = (f" of {service}" if service else "") + (f" on {host}" if host else "")
        to = f" to {environment}" if environment else ""
        raise fail(
            f"there is no deploy{of}{to} of that time here; try --since 90d; docs/deployments.md says what counts as one"
        )
    console = Console(highlight=False)
    if form == "json":
        told = deploys_document(entries, notes) if listed else board_document(board_of(entries), notes)
        json.dump(told, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for note in notes:
        console.print(f"note: {note}", style="dim", soft_wrap=True)
    if listed:
        print_deploys(entries, console, utc=utc, named=not service)
    else:
        print_board(board_of(entries), console, now_ns)


def _listed(
    lookup: Lookup, search: Search, order: str, said_time: Callable[[int], str]
) -> tuple[Sequence[Entry], list[str]]:
    """Return the deploys of a list, and what was left out. ``said_time``: returns a time in words."""
    if order == _NEWEST:
        found = find_deploys(lookup, search, _MOST)
        full = [f"these are the newest {len(found.entries)}; there are older ones: {_OTHERS}"]
        if found.whole:
            return found.entries, full if found.older_ns else []
        return found.entries, [said_extent(found, said_time(found.looked_ns), _GOES_ON)]
    ordered = find_ordered(find_deploys, lookup, search, order, 0, _MOST)
    left = ordered.sorted_of - len(ordered.entries)
    notes = [f"these are the first {len(ordered.entries)} of {ordered.sorted_of}"] if left else []
    extent = said_extent(ordered.found, said_time(ordered.found.looked_ns), _GOES_ON)
    said = said_order(ordered, "deploy", extent)
    return ordered.entries, [*notes, *filter(None, [said])]


def _on_board(lookup: Lookup, search: Search) -> tuple[Sequence[Entry], list[str]]:
    found = find_for_board(lookup, search)
    return found.entries, said_cut(found)
