"""What Jenkins' own API says about played builds: builds, jobs, the controller, its agents and queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .truth import Node, Played

WHY = "There are no nodes with the label ‘{}’"
_JOB = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
_RUN = "org.jenkinsci.plugins.workflow.job.WorkflowRun"
_FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
_PLACEHOLDER = "org.jenkinsci.plugins.workflow.support.steps.ExecutorStepExecution$PlaceholderTask"


def job_path(job: str) -> str:
    """Return the path of a job, with a slash at its end."""
    return "".join(f"/job/{quote(part)}" for part in job.split("/")) + "/"


def build_path(played: Played) -> str:
    return f"{job_path(played.job)}{played.number}/"


def display_name(job: str, number: int) -> str:
    """Return a build's full name as people read it."""
    return f"{' » '.join(job.split('/'))} #{number}"


def build(played: Played, root: str) -> dict[str, Any]:
    """Return the document of a build. ``root``: the controller's address, without a slash at its end."""
    return {
        "_class": _RUN,
        "actions": _actions(played),
        "artifacts": [],
        "building": played.running,
        "description": None,
        "displayName": f"#{played.number}",
        "duration": 0 if played.running else played.end_ms - played.run_ms,
        "estimatedDuration": -1,
        "executor": {} if played.running else None,
        "fullDisplayName": display_name(played.job, played.number),
        "id": str(played.number),
        "keepLog": False,
        "number": played.number,
        "queueId": played.start_ms % 100_000,
        "result": played.result,
        "timestamp": played.start_ms,
        "url": root + build_path(played),
        "changeSets": [],
        "culprits": [],
        "inProgress": played.running,
        "nextBuild": None,
        "previousBuild": None,
    }


def _actions(played: Played) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"_class": "hudson.model.CauseAction", "causes": [_cause(played)]}]
    if played.parameters:
        values = [
            {"_class": "hudson.model.StringParameterValue", "name": name, "value": value}
            for name, value in played.parameters
        ]
        found.append({"_class": "hudson.model.ParametersAction", "parameters": values})
    waited = {
        "waitingDurationMillis": 4,
        "blockedDurationMillis": 0,
        "buildableDurationMillis": 12,
        "queuingDurationMillis": 16,
    }
    found += [{"_class": "jenkins.metrics.impl.TimeInQueueAction", **waited}, {}, {}]
    if played.error and played.error.cause:
        cause = {"_class": played.error.cause, "shortDescription": played.error.why}
        found.append({"_class": "jenkins.model.InterruptedBuildAction", "causes": [cause]})
    if played.commit:
        ref = f"refs/remotes/origin/{played.branch}"
        branches = [{"SHA1": played.commit, "name": ref}]
        address = f"https://git.example.com/{played.job.partition('/')[0]}.git"
        found.append(
            {
                "_class": "hudson.plugins.git.util.BuildData",
                "lastBuiltRevision": {"SHA1": played.commit, "branch": branches},
                "remoteUrls": [address],
            }
        )
    if played.tests is not None:
        counts = {"failCount": played.tests, "skipCount": 0, "totalCount": played.tests + 10, "urlName": "testReport"}
        found.append({"_class": "hudson.tasks.junit.TestResultAction", **counts})
    found.append(
        {
            "_class": "org.jenkinsci.plugins.pipeline.modeldefinition.actions.RestartDeclarativePipelineAction",
            "restartEnabled": played.declarative and not played.running,
        }
    )
    found.append({"_class": "org.jenkinsci.plugins.workflow.job.views.FlowGraphAction", "nodes": played.graph})
    return found


def _cause(played: Played) -> dict[str, Any]:
    if played.upstream is None:
        own = {"shortDescription": "Started by user jane", "userId": "jane", "userName": "Jane"}
        return {"_class": "hudson.model.Cause$UserIdCause", **own}
    up = played.upstream
    return {
        "_class": "org.jenkinsci.plugins.workflow.support.steps.build.BuildUpstreamCause",
        "shortDescription": f'Started by upstream project "{up.job}" build number {up.number}',
        "upstreamBuild": up.number,
        "upstreamProject": up.job,
        "upstreamUrl": job_path(up.job).lstrip("/"),
    }


def job(builds: Sequence[Played], root: str) -> dict[str, Any]:
    """Return the document of a job. ``builds``: its builds, newest first."""
    documents = [build(played, root) for played in builds]
    return {**_job_in_list(builds, root), "builds": documents[:100], "allBuilds": documents, "inQueue": False}


def _job_in_list(builds: Sequence[Played], root: str) -> dict[str, Any]:
    """Return what the controller's document has of a job: nothing that would load a build."""
    name = builds[0].job
    own = {"name": name.rpartition("/")[2], "fullName": name, "url": root + job_path(name)}
    return {"_class": _JOB, **own, "nextBuildNumber": builds[0].number + 1}


def controller(builds: Sequence[Played], root: str, folder: str = "") -> dict[str, Any]:
    """Return the document of the controller or of a folder, with the jobs in it. ``builds``: all builds, newest first."""
    prefix = f"{folder}/" if folder else ""
    inside = sorted({played.job[len(prefix) :].partition("/")[0] for played in builds if played.job.startswith(prefix)})
    jobs = []
    for name in inside:
        own = [played for played in builds if played.job == prefix + name]
        jobs.append(_job_in_list(own, root) if own else controller(builds, root, prefix + name))
    name = folder.rpartition("/")[2]
    own_fields = {"name": name, "fullName": folder, "url": root + job_path(folder)} if folder else {"url": f"{root}/"}
    return {"_class": _FOLDER if folder else "hudson.model.Hudson", **own_fields, "jobs": jobs}


def computers(builds: Sequence[Played], root: str, labels: Mapping[str, Sequence[str] | None]) -> dict[str, Any]:
    """Return the document of the agents, and of what runs on them. ``labels``: see ModelJenkins."""
    held: dict[str, list[Any]] = {"built-in": []}
    for played in builds:
        for node in played.nodes:
            if node.agent:
                held.setdefault(node.agent, [])
                if node.running:
                    held[node.agent].append(_executor({"_class": _PLACEHOLDER + "$PlaceholderExecutable"}))
    flyweight = [
        _executor({"_class": _RUN, "number": played.number, "url": root + build_path(played), "timestamp": played.start_ms})
        for played in builds
        if played.running
    ]
    return {
        "_class": "hudson.model.ComputerSet",
        "computer": [
            {
                "_class": "hudson.model.Hudson$MasterComputer" if name == "built-in" else "hudson.slaves.SlaveComputer",
                "assignedLabels": [{"name": label} for label in (name, *(labels.get(name, ()) or ()))],
                "displayName": "Built-In Node" if name == "built-in" else name,
                "executors": [*executors, _executor(None)],
                "numExecutors": len(executors) + 1,
                "offline": False,
                "offlineCauseReason": "",
                "oneOffExecutors": flyweight if name == "built-in" else [],
            }
            for name, executors in held.items()
            if labels.get(name, ()) is not None
        ],
    }


def _executor(executable: dict[str, Any] | None) -> dict[str, Any]:
    return {"currentExecutable": executable, "idle": executable is None, "likelyStuck": False, "number": 0, "progress": -1}


def waiting(played: Played) -> list[Node]:
    """Return the ``Allocate node : Start`` nodes that have no agent yet."""
    return [node for node in played.nodes if node.name == "Allocate node : Start" and node.running and not node.agent]


def queue(builds: Sequence[Played]) -> dict[str, Any]:
    """Return the document of the queue: what waits for an agent."""
    items = []
    for played in builds:
        for node in waiting(played):
            times = {"inQueueSince": node.at_ms, "buildableStartMilliseconds": node.at_ms + 5}
            state = {"blocked": False, "buildable": True, "pending": False, "stuck": True, "params": "", "actions": []}
            why = WHY.format(node.argument)
            own = {"id": played.start_ms % 100_000 + int(node.id), "task": {"_class": _PLACEHOLDER}, "why": why}
            items.append({"_class": "hudson.model.Queue$BuildableItem", **own, **state, **times})
    return {"_class": "hudson.model.Queue", "discoverableItems": [], "items": items}


def test_report(played: Played) -> dict[str, Any] | None:
    """Return the report of a build's tests; None if it has none."""
    if played.tests is None:
        return None
    statuses = ["FAILED"] * played.tests + ["PASSED"] * 10
    cases = [
        {"className": "shop.CartTest", "duration": 0.01, "name": f"case {number}", "skipped": False, "status": status}
        for number, status in enumerate(statuses)
    ]
    counts = {"failCount": played.tests, "passCount": 10, "skipCount": 0}
    suite = {"cases": cases, "duration": 0.1, "id": None, "name": "unit"}
    return {"_class": "hudson.tasks.junit.TestResult", "duration": 0.1, "empty": False, **counts, "suites": [suite]}
