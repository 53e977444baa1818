"""`pipeline-trace compare`."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.text import Text

from ..compare import wording
from ..compare.document import document_of
from ..compare.find import compare
from ..ownership.account.text import lines_of
from . import format_option, reading, utc_option
from .labelled import print_rows


@click.command("compare")
@click.argument("trace", default="latest")
@click.option(
    "--with", "other", default="", metavar="TRACE", help="The run to compare it with. Default: the last green one before it."
)
@format_option("How to print it.", "text", "json")
@reading.source_option
@utc_option
def command(trace: str, other: str, form: str, source: str, utc: bool) -> None:
    """Compare a run with the last green one: what is new, gone, slower, failed.

    Takes the last green run of the same job, environment and stages that began before. Says which commits and parameters
    differ, which stages, steps and tasks are new, gone or slower, and where it failed.

    TRACE: a trace id, a build URL, JOB#N or latest (default).
    """
    with reading.open_lookup(source) as lookup:
        found = compare(lookup, trace, other)
    if form == "json":
        json.dump(document_of(found), sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(Text(wording.heading(found), style="bold"))
        print_rows(wording.rows(found), console, utc=utc)
    else:
        click.echo("\n".join([wording.heading(found), *lines_of(wording.rows(found), utc=utc)]))
