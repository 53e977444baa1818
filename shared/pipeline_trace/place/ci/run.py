"""Describes a run of a CI system whose ids follow from the environment, and gives the place of a process inside it.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ..w3c import KEY, Place, context_of, place_outside_ci


@dataclass(frozen=True)
class CiRun:
    """A run. ``parent_id``: the id of its span if some tool makes one; if None, its processes are root spans.

    ``resource``: attributes of the whole run. ``attributes``: of the job that this process is part of. An empty value means
    that the attribute is not set.
    """

    trace_id: str
    parent_id: str | None = None
    resource: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)


def place_in_run(environ: Mapping[str, str], run: CiRun) -> Place:
    """Return the place of a process in a run: from TRACEPARENT, else PIPELINE_TRACE_KEY, else the run."""
    place = place_outside_ci(environ)
    if not (context_of(environ)[0] or environ.get(KEY)):
        place = replace(place, trace_id=run.trace_id, parent_id=run.parent_id)
    return replace(place, resource=_said(run.resource), attributes=_said(run.attributes))


def _said(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def without_login(url: str) -> str:
    """Return the URL of a repository or server without login and ``.git``; empty if it is not a URL."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    if not parts.scheme or not parts.hostname:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path.rstrip('/').removesuffix('.git')}"
