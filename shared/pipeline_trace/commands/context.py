"""`pipeline-trace context`."""

from __future__ import annotations

import json
import os
import shlex

import click

from ..delivery import home
from ..place import locate
from ..place.w3c import BAGGAGE, TRACE_ID, TRACEPARENT, TRACESTATE, child_environment
from ..trace.ids import random_span_id
from . import format_option

_CARRIED = (TRACEPARENT, TRACESTATE, BAGGAGE, TRACE_ID)


@click.command("context")
@format_option(
    "env: lines for eval; groovy: lines for withEnv, without a final newline; traceparent: only this value; "
    "json: trace id and span id as separate fields.",
    "env",
    "groovy",
    "traceparent",
    "json",
)
def command(form: str) -> None:
    """Print this process's place in a trace, for scripts.

    \b
    In a shell:
      eval "$(pipeline-trace context)"

    \b
    In a Jenkinsfile:
      def place = sh(returnStdout: true,
                     script: 'pipeline-trace context --format groovy')
      withEnv(place.split('\\n') as List) { … }
    """
    try:
        folder = home.find_home(os.environ).path
    except home.HomeError:
        # The folder only caches the controller's answers here.
        folder = None
    place = locate.locate(os.environ, folder)
    for warning in place.warnings:
        click.echo(f"pipeline-trace: {warning}", err=True)
    # Outside a pipeline, this process has no span. The commands that it starts become roots.
    span_id = place.parent_id or random_span_id()
    child = child_environment(os.environ, place, span_id)
    carried = {name: child[name] for name in _CARRIED if name in child}
    if form == "traceparent":
        click.echo(child[TRACEPARENT])
    elif form == "json":
        click.echo(json.dumps({"trace_id": place.trace_id, "span_id": span_id, "sampled": place.sampled, **carried}))
    elif form == "groovy":
        # withEnv would read a value with several lines as several variables.
        whole = [f"{name}={value}" for name, value in carried.items() if not {"\n", "\r"} & set(value)]
        click.echo("\n".join(whole), nl=False)
    else:
        for name, value in carried.items():
            click.echo(f"export {name}={shlex.quote(value)}")
