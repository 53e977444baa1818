"""Zuul: each buildset (all jobs of a change in a pipeline) is one trace; without a buildset, each build.

Zuul does not pass the ids of its own spans to jobs. Source: the page "Job Content" of Zuul (zuul.build, zuul.buildset, …)
and zuul_legacy_vars of zuul-jobs. These are Ansible variables; a job copies them to the environment (docs/joining.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from ...trace import conventions as c
from ...trace.ids import trace_id
from ..w3c import Place
from . import run


def locate(environ: Mapping[str, str]) -> Place:
    """Return the place of a process inside a build."""
    build = environ["ZUUL_UUID"]
    buildset = environ.get("ZUUL_BUILDSET") or build
    branch = environ.get("ZUUL_BRANCH", "")
    found = run.CiRun(
        trace_id=trace_id(("zuul", buildset)),
        resource={
            c.PIPELINE_NAME: environ.get("ZUUL_PIPELINE", ""),
            c.PIPELINE_RUN_ID: buildset,
            c.VCS_REPOSITORY_NAME: environ.get("ZUUL_PROJECT", ""),
            c.VCS_HEAD_NAME: branch,
            c.VCS_HEAD_TYPE: "branch" if branch else "",
            c.VCS_HEAD_REVISION: environ.get("ZUUL_NEWREV", ""),
            c.VCS_CHANGE_ID: environ.get("ZUUL_CHANGE", ""),
        },
        attributes={c.TASK_NAME: environ.get("ZUUL_JOB", ""), c.TASK_RUN_ID: build},
    )
    return run.place_in_run(environ, found)
