"""What a generated controller answers: ``tree=`` evaluated over its documents, once for each kind of build."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha1
from typing import Any
from urllib.parse import parse_qs, unquote

from pipeline_trace_demo.tree import parse, select

from .recorded import Recorded
from .text import NUMBER, PATH, REVISION, UPSTREAM, UPSTREAM_NUMBER, URL, Text
from .world import Variant, World, job_path

_BUILD = re.compile(r"((?:/job/[^/]+)+)/(\d+)/(.+)")
_NODE = re.compile(r"execution/node/(\d+)/wfapi/(describe|log)")
_JOB = re.compile(r"((?:/job/[^/]+)*)/api/json")
_MOST_LISTED = 100


class Answers:
    """Answers requests about a world; None is a 404."""

    def __init__(self, world: World, root: str) -> None:
        """``root``: the address in ``url`` fields, without a slash at its end."""
        self._world = world
        self._root = root
        self._top = _with_root(world.tree(), root)
        self._texts: dict[tuple[int, str, str, bool], Text | None] = {}
        self._words = lru_cache(maxsize=1000)(self._words_of)
        self._variant = lru_cache(maxsize=1000)(world.build)
        self._listed = lru_cache(maxsize=50)(self._list)

    def answer(self, target: str) -> bytes | None:
        """Return the JSON of a path with its query."""
        path, _, query = target.partition("?")
        path = unquote(path)
        build = _BUILD.fullmatch(path)
        if build:
            return self._build("/".join(build[1].split("/job/")[1:]), int(build[2]), build[3], query)
        job = _JOB.fullmatch(path)
        return self._listed(job[1], query) if job else None

    def plain_build(self, target: str) -> tuple[str, int] | None:
        """Return job and number of the plain Pipeline build, in no chain, that a request is about."""
        match = _BUILD.fullmatch(unquote(target.partition("?")[0]))
        if match is None:
            return None
        build = "/".join(match[1].split("/job/")[1:]), int(match[2])
        variant = self._variant(*build)
        return build if variant and variant.plain and build[0] not in self._world.chained else None

    def _build(self, job: str, number: int, rest: str, query: str) -> bytes | None:
        variant = self._variant(job, number)
        if variant is None:
            return None
        started = bool(self._world.jobs[job].upstream)
        # Recorded builds are made once and kept, so that the object stands for what it holds.
        key = (id(variant.recorded), rest, query, started)
        if key not in self._texts:
            self._texts[key] = _text(variant.recorded, rest, query, started)
        text = self._texts[key]
        later = variant.start_ms - variant.recorded.document["timestamp"]
        return text.fill(self._words(job, number), later) if text else None

    def _words_of(self, job: str, number: int) -> dict[str, str]:
        path = f"{job_path(job)}{number}/"
        upstream = self._world.jobs[job].upstream
        # Two builds each of one commit.
        revision = sha1(f"{job} {number // 2}".encode(), usedforsecurity=False).hexdigest()
        words = {"number": str(number), "path": path, "url": self._root + path, "revision": revision}
        return {**words, "upstream": upstream, "upstream_number": str(number)}

    def _list(self, path: str, query: str) -> bytes | None:
        document = self._container("/".join(path.split("/job/")[1:]))
        return None if document is None else Text(_selected(document, query)).fill({}, 0)

    def _container(self, name: str) -> dict[str, Any] | None:
        job = self._world.jobs.get(name)
        if job is None:
            jobs = self._top
            for part in filter(None, name.split("/")):
                found = next((entry for entry in jobs if entry["name"] == part), None)
                if found is None:
                    return None
                jobs = found["jobs"]
            return {"_class": "hudson.model.Hudson", "jobs": jobs}
        numbers = range(job.builds, 0, -1)
        builds = [_listed_build(self._root, name, number, self._world.build(name, number)) for number in numbers]
        return {"nextBuildNumber": job.builds + 1, "builds": builds[:_MOST_LISTED], "allBuilds": builds}


def _listed_build(root: str, job: str, number: int, variant: Variant | None) -> dict[str, Any]:
    assert variant
    document = variant.recorded.document
    url = f"{root}{job_path(job)}{number}/"
    own = {name: document[name] for name in ("_class", "result", "building", "duration")}
    return {**own, "number": number, "url": url, "timestamp": variant.start_ms}


def _text(recorded: Recorded, rest: str, query: str, started: bool) -> Text | None:
    """Return the answer about a build with gaps where others differ."""
    node = _NODE.fullmatch(rest)
    found: Any = None
    if rest == "api/json":
        found = _selected({**recorded.document, "number": NUMBER, "actions": _actions(recorded, started)}, query)
    elif rest == "testReport/api/json" and recorded.tests:
        found = _selected(recorded.tests, query)
    elif rest == "wfapi/describe" and recorded.run:
        found = {**recorded.run, "id": str(NUMBER)}
    elif node:
        found = recorded.nodes.get((int(node[1]), node[2]))
    return None if found is None else Text(_gaps(found, recorded))


def _actions(recorded: Recorded, started: bool) -> list[dict[str, Any]]:
    cause = {
        "_class": "hudson.model.Cause$UpstreamCause",
        "shortDescription": "Started by upstream project",
        "upstreamProject": UPSTREAM,
        "upstreamBuild": UPSTREAM_NUMBER,
    }
    made = []
    for action in recorded.document["actions"]:
        is_cause = str(action.get("_class")).endswith(".CauseAction")
        made.append({**action, "causes": [cause]} if is_cause and started else action)
    return made


def _gaps(value: Any, recorded: Recorded) -> Any:
    """Return an answer with gaps for the build's address and its commit."""
    if isinstance(value, str):
        return value.replace(recorded.document["url"], URL).replace(recorded.url_path, PATH)
    if isinstance(value, list):
        return [_gaps(item, recorded) for item in value]
    if isinstance(value, dict):
        return {name: REVISION if name == "SHA1" else _gaps(item, recorded) for name, item in value.items()}
    return value


def _selected(document: dict[str, Any], query: str) -> Any:
    (tree,) = parse_qs(query)["tree"]
    return select(document, parse(tree))


def _with_root(jobs: list[dict[str, Any]], root: str) -> list[dict[str, Any]]:
    made = []
    for job in jobs:
        inner = {"jobs": _with_root(job["jobs"], root)} if "jobs" in job else {}
        made.append({**job, "url": root + job["url"], **inner})
    return made
