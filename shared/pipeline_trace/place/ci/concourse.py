"""Concourse: each build is one trace. If tracing is on in Concourse, it sets TRACEPARENT, which takes precedence.

Source: the page "Implementing a Resource Type" (metadata) of Concourse. A task has these variables only if the pipeline
passes them to it (docs/joining.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from ...trace import conventions as c
from ...trace.ids import trace_id
from ..w3c import Place
from . import run


def locate(environ: Mapping[str, str]) -> Place:
    """Return the place of a process inside a build."""
    address, build = run.without_login(environ["ATC_EXTERNAL_URL"]), environ["BUILD_ID"]
    names = (environ.get("BUILD_PIPELINE_NAME", ""), environ.get("BUILD_JOB_NAME", ""))
    found = run.CiRun(
        trace_id=trace_id(("concourse", address.lower(), build)),
        resource={
            # A one-off build, started by hand, has no pipeline.
            c.PIPELINE_NAME: "/".join(filter(None, names)) or "one-off",
            c.PIPELINE_RUN_ID: build,
            c.PIPELINE_RUN_URL: address and f"{address}/builds/{build}",
        },
    )
    return run.place_in_run(environ, found)
