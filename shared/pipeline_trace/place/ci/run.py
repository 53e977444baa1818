"""A run of a CI system whose identifiers its environment tells, and where a process inside it stands. Pure.

Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ..w3c import KEY, Place, context_of, place_outside_ci


@dataclass(frozen=True)
class CiRun:
    """A run. ``parent_id``: its run span, where somebody emits one; else its processes are roots in its trace.

    ``resource``: what is true of the whole run; ``attributes``: of the part of it that this process is in. Empty values
    are left out.
    """

    trace_id: str
    parent_id: str | None = None
    resource: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)


def place_in_run(environ: Mapping[str, str], run: CiRun) -> Place:
    """Return where a process in a run stands: TRACEPARENT, else PIPELINE_TRACE_KEY, else the run."""
    place = place_outside_ci(environ)
    if not (context_of(environ)[0] or environ.get(KEY)):
        place = replace(place, trace_id=run.trace_id, parent_id=run.parent_id)
    return replace(place, resource=_said(run.resource), attributes=_said(run.attributes))


def _said(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def without_login(url: str) -> str:
    """Return a repository's or server's URL without a login and without ``.git``; nothing where it is none."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    if not parts.scheme or not parts.hostname:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path.rstrip('/').removesuffix('.git')}"
