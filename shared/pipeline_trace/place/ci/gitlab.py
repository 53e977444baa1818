"""GitLab CI: each pipeline is one trace. Commands in its jobs are root spans, because the pipeline itself has no span.

Source: the page "Predefined CI/CD variables reference" of GitLab.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...trace import conventions as c
from ...trace.ids import trace_id
from ..w3c import Place
from . import run


def locate(environ: Mapping[str, str]) -> Place:
    """Return the place of a process inside a pipeline."""
    server = run.without_login(environ.get("CI_SERVER_URL", "")).lower()
    found = run.CiRun(
        trace_id=trace_id(("gitlab", server, environ["CI_PIPELINE_ID"])),
        resource=_resource(environ),
        attributes={
            c.TASK_NAME: environ.get("CI_JOB_NAME", ""),
            c.TASK_RUN_ID: environ.get("CI_JOB_ID", ""),
            c.TASK_RUN_URL: environ.get("CI_JOB_URL", ""),
        },
    )
    return run.place_in_run(environ, found)


def _resource(environ: Mapping[str, str]) -> dict[str, str]:
    merge = environ.get("CI_MERGE_REQUEST_IID", "")
    branch = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or environ.get("CI_COMMIT_REF_NAME", "")
    return {
        c.PIPELINE_NAME: environ.get("CI_PROJECT_PATH", ""),
        c.PIPELINE_RUN_ID: environ["CI_PIPELINE_ID"],
        c.PIPELINE_RUN_URL: environ.get("CI_PIPELINE_URL", ""),
        c.WORKER_ID: environ.get("CI_RUNNER_ID", ""),
        c.WORKER_NAME: environ.get("CI_RUNNER_DESCRIPTION", ""),
        c.VCS_PROVIDER_NAME: "gitlab",
        # Not CI_REPOSITORY_URL, which contains the job's token.
        c.VCS_REPOSITORY_URL: run.without_login(environ.get("CI_PROJECT_URL", "")),
        c.VCS_REPOSITORY_NAME: environ.get("CI_PROJECT_NAME", ""),
        c.VCS_OWNER_NAME: environ.get("CI_PROJECT_NAMESPACE", ""),
        c.VCS_HEAD_NAME: branch,
        c.VCS_HEAD_TYPE: "tag" if environ.get("CI_COMMIT_TAG") else "branch" if branch else "",
        c.VCS_HEAD_REVISION: environ.get("CI_COMMIT_SHA", ""),
        c.VCS_BASE_NAME: environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
        c.VCS_CHANGE_ID: merge,
    }
