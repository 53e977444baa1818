"""`pipeline-trace context`."""

from __future__ import annotations

import json
import os
import shlex

import click

from .. import home, where
from ..context import BAGGAGE, TRACEPARENT, TRACESTATE, format_traceparent
from ..ids import random_span_id


@click.command("context")
@click.option(
    "--format",
    "form",
    type=click.Choice(("env", "traceparent", "json")),
    default="env",
    show_default=True,
    help="env: lines for eval; traceparent: the value alone; json: trace and span id apart.",
)
def command(form: str) -> None:
    """Print where this process stands in a trace, for scripts: eval "$(pipeline-trace context)"."""
    try:
        folder = home.find(os.environ).path
    except home.HomeError:
        # Only the controller's answers would be kept there.
        folder = None
    place = where.stand(os.environ, folder)
    for warning in place.warnings:
        click.echo(f"pipeline-trace: {warning}", err=True)
    # In a trace of its own this process has no span: what it starts are roots of their own kind.
    span_id = place.parent_id or random_span_id()
    traceparent = format_traceparent(place.trace_id, span_id, place.sampled)
    if form == "traceparent":
        click.echo(traceparent)
        return
    carried = {TRACEPARENT: traceparent, TRACESTATE: place.tracestate, BAGGAGE: place.baggage}
    carried = {name: value for name, value in carried.items() if value}
    if form == "json":
        click.echo(json.dumps({"trace_id": place.trace_id, "span_id": span_id, "sampled": place.sampled, **carried}))
        return
    for name, value in carried.items():
        click.echo(f"export {name}={shlex.quote(value)}")
