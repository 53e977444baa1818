"""Reads the exchanges of a recording that a replay can use.

A recording is a file of JSON Lines: a header with the controller's address as ``base``, then one HTTP exchange per line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_DOCUMENT = "/api/json"
_JOB = r"(?:/job/[^/]+)+"
_JOB_PATH = re.compile(f"{_JOB}$")
_BUILD_PATH = re.compile(f"(?P<job>{_JOB})/(?P<number>[0-9]+)$")
_LAST_BUILD = re.compile(f"(?P<job>{_JOB})/(?P<permalink>last[A-Za-z]*Build|firstBuild)(?=/|$)")
_LATE = "added after the run"
_BY_NODE = re.compile(r".*/stages/(?:log|exceptionText)")
_NODE_ID = re.compile(r"(?:^|&)nodeId=([^&]*)")
_HEADERS = ("X-Text-Size", "X-More-Data")


@dataclass(frozen=True)
class Exchange:
    """One recorded answer.

    ``path``: each segment decoded once, without context path, query, trailing slash and ``/api/json``; with the query where
    that names a node (``keyed``). ``is_document``: whether the path ended with ``/api/json``. ``body``: parsed JSON, or
    text. ``at_ms``: milliseconds since the epoch. ``late``: recorded after the build, so it is true only for the end of the
    build. ``headers``: those that say how much of a log the body is.
    """

    path: str
    query: str
    is_document: bool
    status: int
    at_ms: int
    body: Any
    late: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def keyed(path: str, query: str) -> str:
    """Return the key of an answer: ``path``, with ``?nodeId=`` if the answer depends on it (Pipeline Graph View)."""
    node_id = _NODE_ID.search(query) if _BY_NODE.fullmatch(path) else None
    return f"{path}?nodeId={node_id[1]}" if node_id else path


def decode(path: str) -> str:
    """Return a URL's path with each segment decoded once: ``/job/Team%20A`` becomes ``/job/Team A``."""
    return "/".join(unquote(segment) for segment in path.split("/"))


def split_build(path: str) -> tuple[str, int] | None:
    """Return the job's path and the build number if ``path`` (decoded) is the path of a build, otherwise None."""
    match = _BUILD_PATH.fullmatch(path)
    return (match["job"], int(match["number"])) if match else None


def is_job(path: str) -> bool:
    """Return whether ``path`` (decoded) is the path of a job or folder."""
    return bool(_JOB_PATH.fullmatch(path))


def split_permalink(path: str) -> tuple[str, str, str] | None:
    """Return job path, permalink (such as lastBuild) and the rest of ``path``; None if it has no permalink."""
    match = _LAST_BUILD.match(path)
    return (match["job"], match["permalink"], path[match.end() :]) if match else None


def job_path(full_name: str) -> str:
    """Return the decoded path of a job: ``Team A/multi`` is at ``/job/Team A/job/multi``."""
    return "".join(f"/job/{name}" for name in full_name.split("/"))


def rebase(document: Any, old: str, new: str) -> Any:
    """Return a copy of ``document`` with the address ``old`` replaced by ``new`` in all strings."""
    if isinstance(document, str):
        return document.replace(old, new)
    if isinstance(document, dict):
        return {name: rebase(value, old, new) for name, value in document.items()}
    if isinstance(document, list):
        return [rebase(item, old, new) for item in document]
    return document


def read(file: Path) -> tuple[str, list[Exchange]]:
    """Return a recording's base address and the exchanges that a replay can use, in their order.

    These are the answers 200 and 404 to the administrator. The other exchanges test permissions. Raises OSError if the
    file cannot be read, and ValueError if it is not a recording.
    """
    with file.open(encoding="utf-8") as lines:
        header = json.loads(next(lines, "null"))
        if not isinstance(header, dict) or "base" not in header:
            raise ValueError(f"{file}: the first line of a recording must be a header with `base`")
        return str(header["base"]), list(_usable(lines))


def _usable(lines: Iterator[str]) -> Iterator[Exchange]:
    for line in lines:
        raw = json.loads(line)
        if raw["method"] == "GET" and raw["as"] == "admin" and raw["status"] in (200, 404):
            exchange = _exchange(raw)
            if exchange is not None:
                yield exchange


def _exchange(raw: dict[str, Any]) -> Exchange | None:
    address, _, query = raw["path"].partition("?")
    path = decode(address).rstrip("/")
    body = raw["json"] if "json" in raw else raw["text"]
    is_document = path.endswith(_DOCUMENT)
    if path == _DOCUMENT and raw["status"] == 404:
        return None  # the root is 404 only if the request did not have the context path
    found = _without_permalink(path.removesuffix(_DOCUMENT), body)
    if found is None:
        return None
    late = str(raw.get("note") or "").startswith(_LATE)
    headers = {name: raw["headers"][name] for name in _HEADERS if name in raw.get("headers", {})}
    return Exchange(keyed(found, query), query, is_document, raw["status"], raw["at_ms"], body, late, headers)


def _without_permalink(path: str, body: Any) -> str | None:
    permalink = split_permalink(path)
    if permalink is None:
        return path
    # Only the answer says which build lastBuild was: `number` in api/json, `id` in wfapi (plugin Pipeline: REST API).
    job, _, rest = permalink
    number = body.get("number", body.get("id")) if isinstance(body, dict) else None
    return f"{job}/{number}{rest}" if number is not None else None
