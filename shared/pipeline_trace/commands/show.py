"""`pipeline-trace show`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from ..lookup.lookup import NotFoundError
from ..lookup.wording import iso_time, with_shown_times
from ..report import otlp, terminal
from ..trace.span import Span
from . import fail, format_option, live, reading, utc_option


@click.command("show")
@click.argument("trace", default="latest")
@format_option("How to print the trace. otlp: as any OTLP receiver takes it, a request a line.", "tree", "json", "otlp")
@reading.source_option
@utc_option
def command(trace: str, form: str, source: str, utc: bool) -> None:
    """Show a trace, from this machine's store or with --from from ClickHouse.

    The trace includes the playbooks and commands that run now.

    TRACE: a trace id, a build URL, JOB#N or latest (default).
    """
    with reading.open_lookup(source) as lookup:
        try:
            spans = lookup.spans(trace)
        except NotFoundError:
            running = live.verdict_of_running(lookup, trace)
            if running is None:
                raise
            said = f"{trace} runs now: its spans come when it has ended; ask: pipeline-trace why {shlex.quote(trace)}"
            if form != "tree":
                raise fail(said) from None
            click.echo(said)
            for line in running.evidence:
                click.echo(f"  {with_shown_times(line, utc=utc)}")
            return
    if form == "json":
        spans.sort(key=lambda span: (span.start_ns, span.span_id))
        json.dump([_document(span) for span in spans], sys.stdout, indent=1)
        sys.stdout.write("\n")
    elif form == "otlp":
        _print_otlp(spans)
    else:
        terminal.print_tree(spans, Console(highlight=False), utc=utc)


def _print_otlp(spans: Sequence[Span]) -> None:
    left_out = sum(not span.end_ns for span in spans)
    if left_out:
        named = "1 span that still runs" if left_out == 1 else f"{left_out} spans that still run"
        click.echo(f"pipeline-trace: left out {named}: OTLP has only those that have ended", err=True)
    for line in otlp.lines_of(spans):
        sys.stdout.write(f"{line}\n")


def _document(span: Span) -> dict[str, Any]:
    return {**span.to_dict(), "start": iso_time(span.start_ns), "end": iso_time(span.end_ns) if span.end_ns else None}
