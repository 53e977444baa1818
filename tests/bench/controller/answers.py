"""What a generated controller answers: ``tree=`` evaluated over its documents, once for each kind of build."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from hashlib import sha1
from typing import Any
from urllib.parse import parse_qs, unquote

from pipeline_trace_demo.tree import parse, select

from . import plugins
from .recorded import Recorded
from .text import (
    DOWNSTREAM_NAME,
    DOWNSTREAM_PATH,
    NUMBER,
    PATH,
    REVISION,
    STARTED,
    UPSTREAM,
    UPSTREAM_NUMBER,
    UPSTREAM_PATH,
    URL,
    Text,
    as_json,
)
from .world import CLASSES, STARTS, Job, World, job_path

_RUN_CLASS = "org.jenkinsci.plugins.workflow.job.WorkflowRun"
_PART_CLASS = "org.jenkinsci.plugins.workflow.support.steps.ExecutorStepExecution$PlaceholderTask$PlaceholderExecutable"
_BUILD = re.compile(r"((?:/job/[^/]+)+)/(\d+)/(.+)")
_JOB = re.compile(r"((?:/job/[^/]+)*)/api/json")
_RUNS = re.compile(r"((?:/job/[^/]+)+)/wfapi/runs")
# A list of builds, alone in a query.
_LISTED = re.compile(r"(builds|allBuilds)\[(.*)\](?:\{(\d+),(\d+)\})?")
_MOST_LISTED = 100
# Stage View's list ends with the run that makes it longer than ten.
_MOST_RUNS = 11
# In the recording of a build that starts others: their job, and the number of one.
_STARTED_JOB = re.compile(r"job/app-deploy/(?:([1-3])/)?")
_STARTED_NAME = re.compile(r"\bapp-deploy(?: #([1-3]))?")


class Answers:
    """Answers requests about a world; None is a 404."""

    def __init__(self, world: World, root: str, kind: str) -> None:
        """``root``: the address in ``url`` fields, without a slash at its end. ``kind``: which plugin it has, of KINDS."""
        self._world = world
        self._root = root
        self._kind = kind
        self._texts: dict[tuple[int, str, str, bool], Text | None] = {}
        self._listed: dict[str, bytes | None] = {}

    def change(self, change: Callable[[World], None]) -> None:
        """Change the world."""
        change(self._world)
        self._listed.clear()

    def answer(self, target: str) -> bytes | None:
        """Return the body of a path with its query."""
        path, _, query = target.partition("?")
        path = unquote(path)
        if build := _BUILD.fullmatch(path):
            return self._build(_name(build[1]), int(build[2]), build[3], query)
        if runs := _RUNS.fullmatch(path):
            return self._runs(_name(runs[1]), query)
        job = _JOB.fullmatch(path)
        if job and _name(job[1]) in self._world.jobs:
            return self._job(self._world.jobs[_name(job[1])], query)
        if target not in self._listed:
            self._listed[target] = self._document(path, query)
        return self._listed[target]

    def _build(self, job: str, number: int, rest: str, query: str) -> bytes | None:
        variant = self._world.build(job, number)
        if variant is None:
            return None
        started = bool(self._world.jobs[job].upstream)
        # Recorded builds are made once and kept, so that the object stands for what it holds.
        key = (id(variant.recorded), rest, query, started)
        if key not in self._texts:
            self._texts[key] = self._text(variant.recorded, rest, query, started)
        text = self._texts[key]
        return (
            text.fill(self._words(job, number), variant.start_ms - variant.recorded.document["timestamp"]) if text else None
        )

    def _text(self, recorded: Recorded, rest: str, query: str, started: bool) -> Text | None:
        """Return the answer about a build with gaps where others differ."""
        try:
            return Text.of(_gaps(self._told(recorded, rest, query, started), recorded))
        except KeyError:
            return None

    def _told(self, recorded: Recorded, rest: str, query: str, started: bool) -> Any:
        """Return the answer about a build as it was recorded. Raises KeyError for a 404."""
        if rest == "api/json":
            return _selected({**recorded.document, "number": NUMBER, "actions": _actions(recorded, started)}, query)
        if rest == "testReport/api/json" and recorded.tests:
            return _selected(recorded.tests, query)
        if recorded.run is None:
            raise KeyError(rest)
        if rest == "wfapi/runs":
            return plugins.run(recorded, full="fullStages=true" in query)
        return plugins.told(recorded, self._kind, rest, query)

    def _words(self, name: str, number: int) -> dict[str, str]:
        path, job = f"{job_path(name)}{number}/", self._world.jobs[name]
        # Two builds each of one commit.
        revision = sha1(f"{name} {number // 2}".encode(), usedforsecurity=False).hexdigest()
        words = {"number": str(number), "path": path, "url": self._root + path, "revision": revision}
        words |= {"upstream": job.upstream, "upstream_number": str((number - 1) // STARTS + 1)}
        words |= {"upstream-path": job_path(job.upstream)[1:] if job.upstream else ""}
        if job.downstream:
            words |= {"downstream": job_path(job.downstream)[1:-1], "downstream-name": job.downstream.replace("/", " » ")}
            words |= {f"started-{step}": str(STARTS * (number - 1) + step) for step in range(1, STARTS + 1)}
        return words

    def _runs(self, name: str, query: str) -> bytes | None:
        """Return Stage View's list of a job's runs: newest first, down to the one named ``since``, or eleven."""
        job = self._world.jobs.get(name)
        if job is None or job.kind == "freestyle" or self._kind != plugins.STAGE_VIEW:
            return None
        asked = parse_qs(query)
        last = self._world.last(job)
        since = int(asked.get("since", ["#0"])[0].lstrip("#"))
        full = "&".join(f"{key}={values[0]}" for key, values in asked.items() if key != "since")
        numbers = range(last, max(since - 1, last - _MOST_RUNS, 0), -1)
        return _array(self._build(name, number, "wfapi/runs", full) for number in numbers)

    def _document(self, path: str, query: str) -> bytes | None:
        if path == "/computer/api/json":
            return as_json(_selected(self._computers(), query)).encode()
        match = _JOB.fullmatch(path)
        if match is None:
            return None
        jobs = self._inside(_name(match[1]))
        return None if jobs is None else as_json(_selected({"_class": "hudson.model.Hudson", "jobs": jobs}, query)).encode()

    def _job(self, job: Job, query: str) -> bytes:
        last = self._world.last(job)
        (tree,) = parse_qs(query)["tree"]
        listed = _LISTED.fullmatch(tree)
        if listed is None:
            return as_json(select({"name": job.name.rpartition("/")[2], "nextBuildNumber": last + 1}, parse(tree))).encode()
        field, inner, first, stop = listed.groups()
        numbers = range(last, 0 if field == "allBuilds" else max(last - _MOST_LISTED, 0), -1)
        shown = numbers[int(first or 0) : int(stop) if stop else None]
        return (
            f'{{"_class":"{CLASSES[job.kind]}","{field}":'.encode()
            + _array(self._build(job.name, number, "api/json", f"tree={inner}") for number in shown)
            + b"}"
        )

    def _inside(self, name: str) -> list[dict[str, Any]] | None:
        """Return the jobs in a folder; None if there is no such folder."""
        jobs = _with_root(self._world.tree(), self._root)
        for part in filter(None, name.split("/")):
            found = next((entry for entry in jobs if entry["name"] == part), None)
            if found is None or "jobs" not in found:
                return None
            jobs = found["jobs"]
        return jobs

    def _computers(self) -> dict[str, Any]:
        running = [self._world.jobs[name] for name in sorted(self._world.running)]
        builds = []
        for job in running:
            number = self._world.last(job)
            url = f"{self._root}{job_path(job.name)}{number}/"
            builds.append({"currentExecutable": {"_class": _RUN_CLASS, "number": number, "url": url}})
        part = {"currentExecutable": {"_class": _PART_CLASS}}
        own = {"_class": "hudson.model.Hudson$MasterComputer", "displayName": "Built-In Node"}
        agent = {"_class": "hudson.slaves.SlaveComputer", "displayName": "linux-1"}
        computers = [{**own, "executors": [], "oneOffExecutors": builds}]
        computers.append({**agent, "executors": [part] * len(builds), "oneOffExecutors": []})
        return {"_class": "hudson.model.ComputerSet", "computer": computers}


def _name(path: str) -> str:
    """Return the full name of a job or folder from its decoded path."""
    return "/".join(path.split("/job/")[1:])


def _actions(recorded: Recorded, started: bool) -> list[dict[str, Any]]:
    cause = {
        "_class": "org.jenkinsci.plugins.workflow.support.steps.build.BuildUpstreamCause",
        "shortDescription": "Started by upstream project",
        "upstreamProject": UPSTREAM,
        "upstreamBuild": UPSTREAM_NUMBER,
        "upstreamUrl": UPSTREAM_PATH,
    }
    made = []
    for action in recorded.document["actions"]:
        is_cause = str(action.get("_class")).endswith(".CauseAction")
        made.append({**action, "causes": [cause]} if is_cause and started else action)
    return made


def _gaps(value: Any, recorded: Recorded) -> Any:
    """Return an answer with gaps for the build's address, its commit, and the builds that it starts."""
    if isinstance(value, str):
        value = value.replace(recorded.document["url"], URL).replace(recorded.url_path, PATH)
        value = _STARTED_JOB.sub(lambda match: f"{DOWNSTREAM_PATH}/" + (f"{_started(match[1])}/" if match[1] else ""), value)
        return _STARTED_NAME.sub(lambda match: DOWNSTREAM_NAME + (f" #{_started(match[1])}" if match[1] else ""), value)
    if isinstance(value, list):
        return [_gaps(item, recorded) for item in value]
    if isinstance(value, dict):
        return {name: REVISION if name == "SHA1" else _gaps(item, recorded) for name, item in value.items()}
    return value


def _started(number: str) -> str:
    return STARTED[int(number) - 1]


def _selected(document: dict[str, Any], query: str) -> Any:
    asked = parse_qs(query)
    return select(document, parse(asked["tree"][0])) if "tree" in asked else document


def _array(items: Iterable[bytes | None]) -> bytes:
    return b"[" + b",".join(item for item in items if item is not None) + b"]"


def _with_root(jobs: list[dict[str, Any]], root: str) -> list[dict[str, Any]]:
    made = []
    for job in jobs:
        inner = {"jobs": _with_root(job["jobs"], root)} if "jobs" in job else {}
        made.append({**job, "url": root + job["url"], **inner})
    return made
