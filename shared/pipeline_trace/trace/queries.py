"""What a span is and what it says of itself: one question, one function."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from . import conventions as c
from .span import Span
from .words import PARAMETERS, REVISION, environment_name

_NODE = re.compile(r"[0-9]{1,18}")
_BUILD_NAME = re.compile(r"(.+?) ?#(\d+)")


def attribute_text(span: Span, name: str) -> str:
    """Return an attribute of a span, else of its resource, as text; an empty string where there is none."""
    value = span.attributes.get(name, span.resource.get(name))
    return str(value) if isinstance(value, (str, int)) else ""


def type_of(span: Span) -> str:
    """Return what a span of a CI system is, such as run, stage or step; an empty string for another span."""
    kind = span.attributes.get(c.JENKINS_TYPE) or span.attributes.get(c.SPAN_TYPE)
    return kind if isinstance(kind, str) else ""


def is_of_pipeline(span: Span) -> bool:
    """Tell whether a span is a run or a part of it, as the CI system tells it: not what a process in it says."""
    return type_of(span) != ""


def is_run(span: Span) -> bool:
    """Tell whether a span is a pipeline's run: of a Jenkins build, or of another CI system."""
    kind = type_of(span)
    return kind == c.TYPE_RUN if kind else c.PIPELINE_RESULT in span.attributes


def is_stage(span: Span) -> bool:
    """Tell whether a span is a stage or a parallel branch of a Jenkins Pipeline, or a job or a stage of another system."""
    return type_of(span) in (c.TYPE_STAGE, c.TYPE_BRANCH)


def is_around(span: Span) -> bool:
    """Tell whether a span of a CI system only stands around others: a block, or the wait before them."""
    return type_of(span) in (c.TYPE_BLOCK, c.TYPE_QUEUE)


def is_playbook(span: Span) -> bool:
    """Tell whether a span is a playbook."""
    return span.attributes.get(c.ANSIBLE_TYPE) == c.TYPE_PLAYBOOK


def is_dry_run(span: Span) -> bool:
    """Tell whether a span is a playbook that only told what it would change (``--check``)."""
    return span.attributes.get(c.ANSIBLE_CHECK_MODE) is True and is_playbook(span)


def is_deploy(span: Span) -> bool:
    """Tell whether a span is a deploy that says where it deploys, such as a playbook; a pipeline's run is none.

    A dry run deploys nothing.
    """
    return c.DEPLOYMENT_ENVIRONMENT in span.attributes and not is_run(span) and not is_dry_run(span)


def has_times(span: Span) -> bool:
    """Tell whether it is known when a span ran. Else no plugin told it: its begin is the last known moment, its length 0."""
    return c.JENKINS_TIMES_UNKNOWN not in span.attributes


def order_of(span: Span) -> tuple[int, int]:
    """Return a key to sort spans by their begin. Without known times, the order of the Pipeline's nodes decides."""
    if has_times(span):
        return span.start_ns, 0
    node = attribute_text(span, c.TASK_RUN_ID)
    return span.start_ns, int(node) if _NODE.fullmatch(node) else 0


def result_of(span: Span) -> str:
    """Return a run's or a task's result word, such as failure; an empty string where the span has none."""
    return str(span.attributes.get(c.PIPELINE_RESULT) or span.attributes.get(c.TASK_RUN_RESULT) or "")


def parameter(span: Span, attribute: str) -> str:
    """Return what a build's parameters say: the first one with a value of those that words.PARAMETERS has for it."""
    names = (c.JENKINS_PARAMETER_PREFIX + name for name in PARAMETERS[attribute])
    return next((value for name in names if (value := attribute_text(span, name))), "")


def environment_of(span: Span) -> str:
    """Return the environment that a run or playbook deploys to, under its usual name; an empty string for none."""
    return environment_name(attribute_text(span, c.DEPLOYMENT_ENVIRONMENT) or parameter(span, c.DEPLOYMENT_ENVIRONMENT))


def revision_of(span: Span) -> str:
    """Return the commit that a span says it is about; an empty string for none.

    A parameter comes first: a job that deploys what it is told has its own pipeline's repository checked out.
    """
    given = parameter(span, c.VCS_HEAD_REVISION).lower()
    return given if REVISION.fullmatch(given) else attribute_text(span, c.VCS_HEAD_REVISION)


def build_name(job: object, number: object) -> str:
    """Return the one way in which a build is written: JOB#N, which every command takes."""
    return f"{job}#{number}"


def build_name_of(span: Span) -> str:
    """Return JOB#N of the build, or of another system's run, that a span belongs to; an empty string outside of them."""
    job, number = attribute_text(span, c.PIPELINE_NAME), attribute_text(span, c.PIPELINE_RUN_ID)
    return build_name(job, number) if job and number else ""


def build_key(span: Span) -> tuple[str, str]:
    """Return the job and the number of the build that a span belongs to; empty strings outside of them."""
    return attribute_text(span, c.PIPELINE_NAME), attribute_text(span, c.PIPELINE_RUN_ID)


def build_name_parts(text: str) -> tuple[str, str] | None:
    """Return the job and the number of JOB#N, also as JOB #N; None where a text is no such name."""
    match = _BUILD_NAME.fullmatch(text.strip())
    return (match[1], match[2]) if match else None


def run_url_of(span: Span) -> str:
    """Return the web address of a span's run; an empty string where it has none, or one that no browser opens."""
    for found in (span.attributes.get(c.PIPELINE_RUN_URL), span.resource.get(c.PIPELINE_RUN_URL)):
        try:
            if isinstance(found, str) and urlsplit(found).scheme in ("http", "https"):
                return found
        except ValueError:
            continue
    return ""


def agents_of(span: Span) -> list[str]:
    """Return the agents on which a span says that it ran; of a Pipeline's run all of them."""
    told = span.attributes.get(c.JENKINS_AGENTS)
    named = map(str, told) if isinstance(told, (list, tuple)) else [attribute_text(span, c.WORKER_NAME)]
    return [name for name in named if name]


def failed_tests(run: Span) -> list[str]:
    """Return the failed tests that a run names, each as its suite and its case."""
    events = (event.attributes for event in run.events if event.name == "test failed")
    return [f"{one.get(c.TEST_SUITE_NAME) or ''} {one.get(c.TEST_CASE_NAME) or ''}".strip() for one in events]
