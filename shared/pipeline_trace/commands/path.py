"""`pipeline-trace path`."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console

from ..change import document, terminal
from . import format_option, reading, utc_option


@click.command("path")
@click.argument("change", default="latest", metavar="[COMMIT|CHANGE|VERSION]")
@format_option("How to print the path.", "text", "json")
@reading.source_option
@utc_option
def command(change: str, form: str, source: str, utc: bool) -> None:
    """Show a commit's path to production: can I deploy?

    Shows the result of each step (PR checks, merge, each environment) and what blocks the deploy. Without an argument,
    shows the newest commit that was built.

    \b
    COMMIT   at least 7 characters of the commit id
    CHANGE   a pull request: PR-17 or 17
    VERSION  a deployed version, for example 1.7.3

    A trace id, a build URL or JOB#N selects the commit of that trace or build.
    """
    with reading.open_lookup(source) as lookup:
        found = document.path_document(lookup, change)
    if form == "json":
        json.dump(found, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        terminal.print_path(found, Console(highlight=False), utc=utc)
