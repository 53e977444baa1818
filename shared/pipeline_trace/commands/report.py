"""`pipeline-trace report`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from ..answers.headline import headline
from ..lookup import tree
from ..lookup.usual import NO_OTHER_BUILDS, OtherBuilds, other_builds
from ..report import html
from ..report.copying import NOTHING_AROUND, Around
from ..report.headline import NOTHING, Headline
from ..trace.span import Span
from . import fail, reading


@click.command("report")
@click.argument("trace", default="latest")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write. Default: trace-ID.html in the current folder.",
)
@click.option("--path", "needs_path", is_flag=True, help="Require the change's path: fail if the trace names no commit.")
@reading.source_option
def command(trace: str, output: Path | None, needs_path: bool, source: str) -> None:
    """Write a trace as one HTML file, and print the file's name.

    The page needs no network. It begins with the verdict on a failure and the change's path to production, if they are
    known.

    TRACE: a trace id, a build URL, JOB#N or latest (default).
    """
    with reading.open_lookup(source) as lookup:
        spans = lookup.spans(trace)
        page = os.environ.get("PIPELINE_TRACE_URL", "")
        history, first = other_builds(lookup, spans), headline(lookup, spans, trace, page)
    if needs_path and first.path is None:
        raise fail(f"{trace} names no commit, so the change's path is not known; run pipeline-trace report without --path")
    click.echo(write(spans, output, headline=first, history=history, around=_around(spans, page, source)))


def write(
    spans: Sequence[Span],
    output: Path | None = None,
    *,
    headline: Headline = NOTHING,
    history: OtherBuilds = NO_OTHER_BUILDS,
    around: Around = NOTHING_AROUND,
) -> Path:
    """Write the HTML report of a trace; return the file's absolute path. Raises OSError.

    ``headline``: verdict and change's path, for the top of the page. ``history``: facts from other builds of the same jobs.
    ``around``: what is around the page.
    """
    roots = tree.build_tree(spans)
    path = (output or Path(f"trace-{roots[0].span.trace_id[:12]}.html")).absolute()
    now = datetime.now(timezone.utc)
    page = html.page_html(spans, roots=roots, generated_at=now, headline=headline, history=history, around=around)
    path.write_text(page, encoding="utf-8")
    return path


def _around(spans: Sequence[Span], page: str, source: str) -> Around:
    """Return what is around a file. ``page``: the address of a trace's page, with ``{trace_id}`` for its id; "" for none."""
    named = tree.build_tree(spans)[0].span.trace_id
    return Around(page.replace("{trace_id}", named) if "{trace_id}" in page else "", source)
