"""Concourse: a trace a build. Where its tracing is on, it puts TRACEPARENT into what it runs, and that comes first.

Source: Concourse's page "Implementing a Resource Type" (metadata). Tasks see these variables only where a pipeline hands
them on (docs/joining.md). Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...trace import conventions as c
from ...trace.ids import trace_id
from ..w3c import Place
from . import run


def locate(environ: Mapping[str, str]) -> Place:
    """Return where a process inside a build stands."""
    address, build = run.without_login(environ["ATC_EXTERNAL_URL"]), environ["BUILD_ID"]
    names = (environ.get("BUILD_PIPELINE_NAME", ""), environ.get("BUILD_JOB_NAME", ""))
    found = run.CiRun(
        trace_id=trace_id(("concourse", address.lower(), build)),
        resource={
            # A build that was started by hand is of no pipeline.
            c.PIPELINE_NAME: "/".join(filter(None, names)) or "one-off",
            c.PIPELINE_RUN_ID: build,
            c.PIPELINE_RUN_URL: address and f"{address}/builds/{build}",
        },
    )
    return run.place_in_run(environ, found)
