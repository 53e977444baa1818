"""`pipeline-trace path`."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console

from ..change import document, terminal
from . import looking


@click.command("path")
@click.argument("change", default="latest", metavar="[COMMIT|CHANGE|VERSION]")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(change: str, form: str) -> None:
    """Can I deploy? Show a commit's way: PR checks, merge, each environment, and what blocks it.

    \b
    COMMIT   7 or more of its characters; default: the newest commit that was seen
    CHANGE   PR-17, 17
    VERSION  what was deployed as, e.g. 1.7.3
    A trace id, a build's URL or JOB#N stand for the commit that they are about.
    """
    with looking.open_lookup() as lookup:
        found = document.path_document(lookup, change)
    if form == "json":
        json.dump(found, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        terminal.print_path(found, Console(highlight=False))
