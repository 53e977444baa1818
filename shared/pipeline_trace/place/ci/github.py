"""GitHub Actions: computes the ids that the githubreceiver of the OpenTelemetry Collector computes for a workflow run.

Source: receiver/githubreceiver/trace_event_handling.go of opentelemetry-collector-contrib (newTraceID, newParentSpanID).
The parent is the span of the workflow run. The ids of the receiver's job and step spans need the job's check run id, which
no environment variable holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from ...trace import conventions as c
from ..w3c import Place
from . import run

_PULL = re.compile(r"refs/pull/(\d+)/")


def locate(environ: Mapping[str, str]) -> Place:
    """Return the place of a process inside a workflow run."""
    number, attempt = environ["GITHUB_RUN_ID"], environ.get("GITHUB_RUN_ATTEMPT") or "1"
    found = run.CiRun(
        trace_id=_digest(number, attempt, "t")[:32],
        # Not the first 16 digits: the receiver uses these ones too.
        parent_id=_digest(number, attempt, "s")[16:32],
        resource=_resource(environ, number, attempt),
        attributes={c.TASK_NAME: environ.get("GITHUB_JOB", "")},
    )
    return run.place_in_run(environ, found)


def _digest(number: str, attempt: str, kind: str) -> str:
    return sha256(f"{number}{attempt}{kind}".encode("utf-8", "surrogateescape")).hexdigest()


def _resource(environ: Mapping[str, str], number: str, attempt: str) -> dict[str, str]:
    server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    url = f"{server}/{repository}" if server and repository else ""
    pull = _PULL.match(environ.get("GITHUB_REF", ""))
    # In a pull request, GITHUB_SHA is a merge commit that is on no branch.
    revision = "" if environ.get("GITHUB_HEAD_REF") else environ.get("GITHUB_SHA", "")
    return {
        c.PIPELINE_NAME: environ.get("GITHUB_WORKFLOW", ""),
        c.PIPELINE_RUN_ID: number,
        c.PIPELINE_RUN_URL: url and f"{url}/actions/runs/{number}/attempts/{attempt}",
        c.WORKER_NAME: environ.get("RUNNER_NAME", ""),
        c.VCS_PROVIDER_NAME: "github",
        c.VCS_REPOSITORY_URL: url,
        c.VCS_REPOSITORY_NAME: repository.rpartition("/")[2],
        c.VCS_OWNER_NAME: environ.get("GITHUB_REPOSITORY_OWNER", ""),
        c.VCS_HEAD_NAME: environ.get("GITHUB_HEAD_REF") or environ.get("GITHUB_REF_NAME", ""),
        c.VCS_HEAD_TYPE: "branch" if pull else environ.get("GITHUB_REF_TYPE", ""),
        c.VCS_HEAD_REVISION: revision,
        c.VCS_BASE_NAME: environ.get("GITHUB_BASE_REF", ""),
        c.VCS_CHANGE_ID: pull[1] if pull else "",
    }
