"""`pipeline-trace show`."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console

from ..report import terminal
from . import format_option, local


@click.command("show")
@click.argument("trace", default="latest")
@format_option("How to print the trace.", "tree", "json")
def command(trace: str, form: str) -> None:
    """Show a trace from this machine's store.

    The trace includes the playbooks and commands that run now.

    TRACE: a trace id, a build URL, JOB#N or latest (default).
    """
    with local.open_lookup() as lookup:
        spans = lookup.spans(trace)
    if form == "json":
        spans.sort(key=lambda span: (span.start_ns, span.span_id))
        json.dump([span.to_dict() for span in spans], sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        terminal.print_tree(spans, Console(highlight=False))
