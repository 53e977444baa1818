"""Spans for tests, made one after another, and the path that comes out of them."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import count
from typing import Any

from rich.console import Console

from pipeline_trace.change import document, terminal
from pipeline_trace.change.attempts import attempts_of
from pipeline_trace.change.find import FoundChange
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import Span

COMMIT, OTHER = "a" * 40, "b" * 40
SECOND = 1_000_000_000
DAY = 1_795_000_000 * SECOND
STATUS = {c.FAILURE: "ERROR", c.ERROR: "ERROR", c.TIMEOUT: "ERROR"}


class Story:
    """Spans of one trace, made one after another. Times are seconds since the story's day began."""

    def __init__(self, name: str = "story", commit: str = COMMIT) -> None:
        self.trace, self.commit, self.spans = trace_id((name,)), commit, list[Span]()
        self._ids = count()
        self._name = name

    def add(
        self, name: str, start: float, end: float, parent: Span | None = None, state: str = c.SUCCESS, **told: Any
    ) -> Span:
        made = Span(
            self.trace,
            span_id((self._name, str(next(self._ids)))),
            parent.span_id if parent else None,
            name,
            DAY + round(start * SECOND),
            DAY + round(end * SECOND) if end else 0,
            status_code=STATUS.get(state, "UNSET"),
            status_message=told.pop("message", ""),
            links=told.pop("links", []),
            resource=told.pop("resource", dict(parent.resource) if parent else {}),
            attributes=told.pop("attributes", {}),
        )
        self.spans.append(made)
        return made

    def run(
        self,
        job: str,
        number: int,
        start: float,
        end: float,
        parent: Span | None = None,
        state: str = c.SUCCESS,
        **more: Any,
    ) -> Span:
        """Add a build; ``branch``, ``change``, ``commit`` and parameters (capital letters) by name."""
        parameters = {f"jenkins.parameter.{key}": more.pop(key) for key in list(more) if key.isupper()}
        told = {c.VCS_HEAD_NAME: more.pop("branch", ""), c.VCS_CHANGE_ID: more.pop("change", "")}
        told[c.VCS_HEAD_REVISION] = more.pop("commit", "" if parent else self.commit)
        told[c.VCS_REPOSITORY_URL] = more.pop("repository", "")
        attributes = {
            c.JENKINS_TYPE: c.TYPE_RUN,
            c.PIPELINE_RESULT: state,
            c.PIPELINE_NAME: job,
            c.PIPELINE_RUN_ID: str(number),
            **parameters,
            **{name: value for name, value in told.items() if value},
        }
        resource = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
        return self.add(f"RUN {job}", start, end, parent, state, attributes=attributes, resource=resource, **more)

    def stage(
        self,
        name: str,
        start: float,
        end: float,
        parent: Span,
        state: str = c.SUCCESS,
        kind: str = c.TYPE_STAGE,
        **more: Any,
    ) -> Span:
        attributes = {c.JENKINS_TYPE: kind, c.TASK_RUN_RESULT: state, **more.pop("attributes", {})}
        return self.add(name, start, end, parent, state, attributes=attributes, **more)

    def build(
        self, number: int, start: float, *stages: tuple[str, str], job: str = "shop/build", branch: str = "main"
    ) -> Span:
        """Add a build of ten seconds a stage, each with its result; a stage that deploys starts a build for it."""
        failing = next((result for _, result in stages if result not in (c.SUCCESS, c.SKIP)), c.SUCCESS)
        run = self.run(job, number, start, start + 10 * len(stages), state=failing, branch=branch)
        for i, (name, result) in enumerate(stages):
            at = start + 10 * i
            stage = self.stage(
                name,
                at,
                at + (0 if result == c.SKIP else 10),
                run,
                result,
                message="" if not STATUS.get(result) else "broke",
            )
            if result != c.SKIP and name.startswith("Deploy "):
                place = name.removeprefix("Deploy ")
                self.deploy(number * 10 + i, at + 1, at + 9, place, parent=stage, state=result, message=stage.status_message)
        return run

    def deploy(self, number: int, start: float, end: float, place: str, job: str = "shop/deploy", **more: Any) -> Span:
        return self.run(job, number, start, end, ENVIRONMENT=place, **more)

    def playbook(
        self, start: float, end: float, place: str, parent: Span | None = None, state: str = c.SUCCESS, **more: Any
    ) -> Span:
        told = {c.DEPLOYMENT_NAME: more.pop("service", ""), c.ARTIFACT_VERSION: more.pop("version", "")}
        told[c.VCS_HEAD_REVISION] = more.pop("commit", "")
        attributes = {
            c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK,
            c.TASK_TYPE: c.DEPLOY,
            c.DEPLOYMENT_ENVIRONMENT: place,
            **({c.TASK_RUN_RESULT: state} if end else {}),
            **{name: value for name, value in told.items() if value},
        }
        return self.add("playbook site.yml", start, end, parent, state, attributes=attributes, **more)


GREEN = [
    ("Unit test", c.SUCCESS),
    ("Deploy integration", c.SUCCESS),
    ("Deploy staging", c.SUCCESS),
    ("Deploy production", c.SUCCESS),
]


def told(*stories: Story, commit: str = COMMIT) -> dict[str, Any]:
    """Return the document of a commit's path."""
    attempts = attempts_of([span for story in stories for span in story.spans])
    own = tuple(replace(one, commit=commit) for one in attempts if one.commit == commit)
    return document.document_of(FoundChange(commit, own=own, others=tuple(one for one in attempts if one.commit != commit)))


def only(*stories: Story) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the answer for the only service, and its steps by name."""
    (service,) = told(*stories)["services"]
    return service["answer"], {step["step"]: step for step in service["steps"]}


def states(steps: dict[str, Any]) -> list[str]:
    return [step["state"] for step in steps.values()]


def printed(found: dict[str, Any], **console: Any) -> list[str]:
    out = io.StringIO()
    terminal.print_path(found, Console(file=out, highlight=False, color_system=None, **console))
    return out.getvalue().splitlines()


def shared_build() -> Story:
    story = Story()
    run = story.run("mono/build", 7, 0, 60, branch="main")
    for number, service in enumerate(("orders", "shop")):
        story.deploy(number, 10, 20, "staging", f"mono/{service}-deploy", parent=run)
    return story
