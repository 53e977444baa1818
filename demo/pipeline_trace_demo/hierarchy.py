"""Composes a controller's JSON documents: jobs inside folders, builds inside jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from .exchanges import is_job, split_build, split_permalink

BUILDS_SHOWN = 100
"""How many builds the field ``builds`` has. The field ``allBuilds`` has all."""

_FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
_FOLDERS = ("Folder", "MultiBranchProject")
_CONTROLLER = "(built-in)"
_PIPELINE = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
_JOB_CLASSES = {
    "hudson.model.FreeStyleBuild": "hudson.model.FreeStyleProject",
    "org.jenkinsci.plugins.workflow.job.WorkflowRun": _PIPELINE,
}
# The results that each permalink accepts.
_PERMALINKS = {
    "lastFailedBuild": ("FAILURE",),
    "lastStableBuild": ("SUCCESS",),
    "lastSuccessfulBuild": ("SUCCESS", "UNSTABLE"),
    "lastUnstableBuild": ("UNSTABLE",),
    "lastUnsuccessfulBuild": ("UNSTABLE", "FAILURE", "NOT_BUILT", "ABORTED"),
}
_SHORT_BUILD = ("_class", "number", "url")
_SHORT_JOB = ("_class", "name", "url", "color")


def compose(objects: dict[str, Any], hidden: set[str], base: str) -> dict[str, Any]:
    """Return all documents by decoded path. The root is at ``""``.

    ``objects``: the documents, without the lists of jobs and builds. ``hidden``: builds to leave out, whose numbers stay in
    use. ``base``: the controller's address. A document and the lists that show it share the same object.
    """
    builds, highest = _builds(objects, hidden)
    jobs = _job_paths(objects, builds)
    parents = {_parent(path) for path in jobs}
    composed = {path: dict(value) if isinstance(value, dict) else value for path, value in objects.items()}
    for path in hidden:
        composed.pop(path, None)
    composed.setdefault("", {"_class": "hudson.model.Hudson"})
    for path in sorted(jobs):
        document = composed[path] = _job(path, composed.get(path, {}), composed[_parent(path)], base)
        own = [composed[f"{path}/{number}"] for number in sorted(builds.get(path, ()), reverse=True)]
        if path in parents or str(document.get("_class")).endswith(_FOLDERS):
            document.setdefault("_class", _FOLDER)
        else:
            _add_builds(document, own, highest.get(path, 0))
    _add_jobs(composed, jobs)
    if isinstance(composed.get("/computer"), dict):
        computers = _settled(composed, [f"{job}/{number}" for job in builds for number in builds[job]])
        composed["/computer"] = computers
        for computer in computers["computer"]:
            composed.setdefault(f"/computer/{_computer_name(computer)}", computer)
    return composed


def resolve(path: str, documents: dict[str, Any]) -> str | None:
    """Return ``path`` with a permalink such as ``lastBuild`` replaced by the build number; None if there is no build."""
    permalink = split_permalink(path)
    if permalink is None:
        return path
    job, name, rest = permalink
    build = documents.get(job, {}).get(name)
    return f"{job}/{build['number']}{rest}" if build else None


def without_tree(document: Any) -> Any:
    """Return what Jenkins shows without a ``tree`` query: jobs and builds in lists have only a few fields."""
    if not isinstance(document, dict) or not ("jobs" in document or "allBuilds" in document):
        return document
    shown: dict[str, Any] = {}
    for name, value in document.items():
        if name == "builds":
            shown[name] = [_pick(build, _SHORT_BUILD) for build in value]
        elif name == "jobs":
            shown[name] = [_pick(job, _SHORT_JOB) for job in value]
        elif name.endswith("Build") and isinstance(value, dict):
            shown[name] = _pick(value, _SHORT_BUILD)
        elif name != "allBuilds":
            shown[name] = value
    return shown


def _settled(composed: dict[str, Any], builds: Sequence[str]) -> dict[str, Any]:
    """Return the agents without builds that have ended and with Pipeline builds that run.

    The agents may have been recorded before the builds.
    """
    ended = {composed[path]["url"] for path in builds if composed[path].get("building") is False}
    shown = [dict(computer) for computer in composed["/computer"].get("computer", [])]
    lists = [computer.get(name, []) for computer in shown for name in ("executors", "oneOffExecutors")]
    running = {_running(executor) for executors in lists for executor in executors} - {None, ""}
    if running <= ended:
        # A part of a Pipeline build may be shown without URL. It has ended if all builds with a URL have ended.
        ended.add("")
    for computer in shown:
        if "executors" in computer:
            computer["executors"] = [
                {**executor, **_idle(executor)} if _running(executor) in ended else executor
                for executor in computer["executors"]
            ]
        if "oneOffExecutors" in computer:
            computer["oneOffExecutors"] = [one for one in computer["oneOffExecutors"] if _running(one) not in ended]
        if _computer_name(computer) == _CONTROLLER and "oneOffExecutors" in computer:
            begun = [composed[path] for path in builds if _runs_a_pipeline(composed[path])]
            computer["oneOffExecutors"] += [_one_off(build) for build in begun if build["url"] not in running]
    return {**composed["/computer"], "computer": shown}


def _runs_a_pipeline(build: dict[str, Any]) -> bool:
    return build.get("building") is True and _JOB_CLASSES.get(build.get("_class", "")) == _PIPELINE


def _one_off(build: dict[str, Any]) -> dict[str, Any]:
    """Return the executor of a Pipeline's script. Every Pipeline that runs has one on the controller."""
    executor = {"idle": False, "likelyStuck": False, "number": -1, "progress": -1}
    return {"currentExecutable": _pick(build, _SHORT_BUILD), **executor}


def _computer_name(computer: dict[str, Any]) -> str:
    is_controller = str(computer.get("_class")).endswith("$MasterComputer")
    return _CONTROLLER if is_controller else str(computer.get("displayName"))


def _running(executor: dict[str, Any]) -> str | None:
    """Return the URL of the build that an executor runs; "" if its URL is not shown, None if it runs nothing."""
    current = executor.get("currentExecutable")
    return str(current.get("url", "")) if current else None


def _idle(executor: dict[str, Any]) -> dict[str, Any]:
    values = {"currentExecutable": None, "idle": True, "likelyStuck": False, "progress": -1}
    return {name: value for name, value in values.items() if name in executor}


def _pick(document: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _parent(path: str) -> str:
    return path.rpartition("/job/")[0]


def _builds(objects: Iterable[str], hidden: set[str]) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Return the builds to show, by job, and the highest build number, by job. Hidden builds count for the latter."""
    shown: dict[str, list[int]] = {}
    highest: dict[str, int] = {}
    for path in objects:
        build = split_build(path)
        if build:
            job, number = build
            highest[job] = max(number, highest.get(job, 0))
            if path not in hidden:
                shown.setdefault(job, []).append(number)
    return shown, highest


def _job_paths(objects: Iterable[str], builds: Iterable[str]) -> set[str]:
    jobs = {path for path in objects if is_job(path)} | set(builds)
    for path in list(jobs):
        while path := _parent(path):
            jobs.add(path)
    return jobs


def _job(path: str, known: dict[str, Any], parent: dict[str, Any], base: str) -> dict[str, Any]:
    name = path.rpartition("/job/")[2]
    folder = parent.get("fullName")
    address = parent.get("url") if folder else f"{base}/"
    return {
        "name": name,
        "fullName": f"{folder}/{name}" if folder else name,
        "url": f"{address}job/{quote(name, safe='')}/",
        **known,
    }


def _add_builds(job: dict[str, Any], builds: list[dict[str, Any]], highest: int) -> None:
    """Add the builds, newest first, and the fields that depend on them."""
    for build in builds:
        build.setdefault("url", f"{job['url']}{build['number']}/")
    if builds:
        job.setdefault("_class", _JOB_CLASSES.get(builds[0].get("_class", "")))
    job["builds"] = builds[:BUILDS_SHOWN]
    job["allBuilds"] = builds
    job["firstBuild"] = builds[-1] if builds else None
    job["lastBuild"] = builds[0] if builds else None
    job["lastCompletedBuild"] = next((build for build in builds if not build.get("building")), None)
    for name, results in _PERMALINKS.items():
        job[name] = next((build for build in builds if build.get("result") in results), None)
    # The recorded number may be older than the newest known build.
    job["nextBuildNumber"] = max(job.get("nextBuildNumber") or 1, highest + 1)


def _listing_order(path: str) -> tuple[str, str]:
    # As in recordings: the root ignores case when it sorts jobs; a folder lists capital letters first.
    name = path.rpartition("/job/")[2]
    return (name if _parent(path) else name.lower()), path


def _add_jobs(composed: dict[str, Any], jobs: set[str]) -> None:
    for path in sorted(jobs, key=_listing_order):
        composed[_parent(path)].setdefault("jobs", []).append(composed[path])
    for path in jobs:
        if str(composed[path].get("_class")).endswith(_FOLDERS):
            composed[path].setdefault("jobs", [])
    composed[""].setdefault("jobs", [])
