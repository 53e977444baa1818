"""A replayed build, the playbook that runs in it with the environment that it had, and where both stand in a trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import support
from jenkins_poller.fetch.api import Controller, Login, job_path
from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace_demo import telling
from pipeline_trace_demo.replay import Replay

Spans = list[dict[str, Any]]

ONE_TASK = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Copy
      ansible.builtin.debug: {msg: copied}
"""


def build_environ(jenkins: Replay, job: str, number: int, stage: str = "") -> dict[str, str]:
    """Return the environment that Jenkins gives to a process of a build, its parameters included."""
    controller = Controller(jenkins.url, Login(*jenkins.login) if jenkins.login else None)
    document = controller.get(f"{job_path(job)}{number}/api/json", documents.TREE + ",url")
    found = {
        "JENKINS_URL": f"{jenkins.root_url}/",
        "JENKINS_NODE_COOKIE": "334b5763-f3d7-4212-b386-caeaf3a3a130",
        "JENKINS_SERVER_COOKIE": "durable-d7125aad229fcbfeeaed6f90f23c93f2",
        "JOB_NAME": job,
        "JOB_BASE_NAME": job.rpartition("/")[2],
        "BUILD_ID": str(number),
        "BUILD_NUMBER": str(number),
        "BUILD_TAG": f"jenkins-{job.replace('/', '-')}-{number}",
        "BUILD_URL": str(document["url"]),
        "NODE_NAME": "built-in",
        **documents.parameters_of(document),
    }
    return {**found, "STAGE_NAME": stage} if stage else found


def deploy_environ(jenkins: Replay, number: int = 1) -> dict[str, str]:
    """Return the environment of a recorded deploy, which app-build started."""
    (deploy,) = telling.deploys(jenkins, [("app-deploy", number)])
    return dict(deploy.environment)


def running_until(node: int) -> Callable[[dict[str, Any]], None]:
    """Return an edit that shows a build as it was before the node with this id was made."""

    def change(document: dict[str, Any]) -> None:
        document.update(building=True, result=None, duration=0)
        for action in document["actions"]:
            if "nodes" in action:
                action["nodes"] = [n for n in action["nodes"] if int(n["id"]) < node]

    return change


def run_playbook(playbook: Path, env: Mapping[str, str], build: Mapping[str, str]) -> support.Completed:
    """Run the playbook as a build does; whatever the tracing does, it succeeds."""
    done = support.run_playbook(playbook, env={**env, **build}, hosts="h1,")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def poll(jenkins: Replay, env: Mapping[str, str], *arguments: str) -> support.Completed:
    done = support.poll(jenkins.url, *arguments, env=env)
    assert done.returncode == 0, done.stderr
    return done


def of_build(spans: Sequence[dict[str, Any]], job: str, number: int, kind: str) -> Spans:
    """Return the poller's spans of a type in a build."""
    run = (job, str(number))
    return [
        span
        for span in support.by_type(list(spans), kind)
        if (span["resource"].get("cicd.pipeline.name"), span["resource"].get("cicd.pipeline.run.id")) == run
    ]


def run_of(spans: Sequence[dict[str, Any]], job: str, number: int) -> dict[str, Any]:
    (run,) = of_build(spans, job, number, "run")
    return run


def stage_of(spans: Sequence[dict[str, Any]], job: str, number: int, name: str) -> dict[str, Any]:
    return support.named(of_build(spans, job, number, "stage"), name)


def playbook_of(spans: Sequence[dict[str, Any]]) -> dict[str, Any]:
    (span,) = support.by_type(list(spans), "playbook")
    return span


def assert_under(spans: Sequence[dict[str, Any]], above: Mapping[str, Any]) -> None:
    """The playbook's spans are in the trace of a span of the poller's, and the playbook hangs under it."""
    found = playbook_of(spans)
    assert (found["trace_id"], found["parent_span_id"]) == (above["trace_id"], above["span_id"])
    assert {span["trace_id"] for span in spans if "ansible.type" in span["attributes"]} == {above["trace_id"]}
    for name in ("cicd.pipeline.name", "cicd.pipeline.run.id", "cicd.pipeline.run.url.full"):
        assert found["resource"].get(name) == above["resource"].get(name)
