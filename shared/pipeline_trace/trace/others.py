"""Understands the spans of other tools: adds the names by which the rest of the product knows what a span is. Does no I/O.

These tools are Jenkins' OpenTelemetry plugin, the Collector's receivers for GitHub and GitLab, otel-cicd-action, and others
that follow the conventions for CI/CD. docs/spans.md says what each of them tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

from . import conventions as c
from . import masking
from .span import ERROR, OK, SERVER, AttributeValue, Span
from .words import PARAMETERS, REVISION

# By standard name, the other names of attributes that say the same. The first one with a value counts, of the span, else of
# its resource. Parameters of Jenkins' plugin are two lists: PLUGIN_PARAMETER_NAMES and PLUGIN_PARAMETER_VALUES.
SAID_BY: Mapping[str, Sequence[str]] = {
    c.PIPELINE_NAME: (c.PLUGIN_JOB,),
    c.PIPELINE_RUN_ID: (c.PLUGIN_NUMBER,),
    c.PIPELINE_RUN_URL: (c.PLUGIN_URL, c.GITHUB_URL),
    c.PIPELINE_RESULT: (c.PLUGIN_RESULT, c.RUN_STATUS, c.GITHUB_CONCLUSION),
    c.TASK_NAME: (c.PLUGIN_STEP_NAME, c.GITHUB_STEP),
    c.TASK_RUN_ID: (c.PLUGIN_STEP_ID,),
    c.TASK_RUN_RESULT: (
        c.PLUGIN_STEP_RESULT,
        c.TASK_STATUS,
        c.GITHUB_STEP_CONCLUSION,
        c.GITHUB_CONCLUSION,
        c.RUN_STATUS,
    ),
    c.WORKER_NAME: (c.PLUGIN_COMPUTER, c.PLUGIN_AGENT_NAME, c.PIPELINE_WORKER_NAME, c.GITHUB_RUNNER),
    c.VCS_HEAD_REVISION: (c.GITHUB_REVISION, c.VCS_REF_REVISION),
    c.VCS_HEAD_NAME: (c.VCS_HEAD, c.GITHUB_BRANCH, c.VCS_REF_NAME),
    c.VCS_CHANGE_ID: (c.GITHUB_CHANGE, c.VCS_REPOSITORY_CHANGE),
    c.VCS_REPOSITORY_NAME: (),
    c.VCS_REPOSITORY_URL: (),
    c.DEPLOYMENT_ENVIRONMENT: (c.TASK_ENVIRONMENT,),
}
# The words of Jenkins, its plugins, GitHub and GitLab for a result, in lower case. A word that is not here is no result.
RESULTS: Mapping[str, str] = {
    **{word: word for word in (c.SUCCESS, c.FAILURE, c.ERROR, c.TIMEOUT, c.CANCELLATION, c.SKIP)},
    "unstable": c.FAILURE,
    "aborted": c.CANCELLATION,
    "not_built": c.SKIP,
    "not_executed": c.SKIP,
    "neutral": c.SUCCESS,
    "skipped": c.SKIP,
    "cancelled": c.CANCELLATION,
    "canceled": c.CANCELLATION,
    "timed_out": c.TIMEOUT,
    "startup_failure": c.ERROR,
    "failed": c.FAILURE,
}
# What a part of a build is in the plugin's spans, by the step's function; another one is a step. A block only holds others;
# so does a step that waits for the build that it started.
STEP_TYPES: Mapping[str, str] = {
    "stage": c.TYPE_STAGE,
    "parallel": c.TYPE_BRANCH,
    "input": c.TYPE_INPUT,
    "node": c.TYPE_BLOCK,
    "build": c.TYPE_BLOCK,
    "withNewSpan": c.TYPE_BLOCK,
}
# By name, the step's span that is the wait for an agent, not the work on it.
ALLOCATIONS = frozenset({"agent.allocate", "node.allocate"})
# By name, the plugin's spans without attributes: they divide a build.
PHASES: Mapping[str, str] = {
    "Phase: Start": c.TYPE_BLOCK,
    "Phase: Run": c.TYPE_BLOCK,
    "Phase: Finalise": c.TYPE_CLEANUP,
}
_NAMES = {name: (name, *others) for name, others in SAID_BY.items()}
# Of a run, what other names may say.
_OF_RUNS = (
    c.PIPELINE_RUN_ID,
    c.PIPELINE_RUN_URL,
    c.WORKER_NAME,
    c.VCS_HEAD_REVISION,
    c.VCS_HEAD_NAME,
    c.VCS_CHANGE_ID,
    c.VCS_REPOSITORY_NAME,
    c.VCS_REPOSITORY_URL,
)
_CHANGE = re.compile(r"(?:PR|MR|CR)-(\d+)(?:-\w+)?")
# A page of GitHub Actions: of a run, and of a job in it.
_ACTIONS = re.compile(r"((https?://.+?)/actions/runs/(\d+))(?:/.*)?")
# Jenkins' plugin writes these instead of a value, and instead of the controller's own name as an agent.
_NO_VALUES = ("", "#REDACTED#", "#NULL#")
_CONTROLLER, _BUILT_IN = "#controller#", "built-in"
_JENKINS_RESULTS = frozenset({"SUCCESS", "UNSTABLE", "FAILURE", "ABORTED", "NOT_BUILT"})

_Told = Mapping[str, AttributeValue]


def understood(span: Span) -> Span:
    """Return a span with the standard names that its own ones stand for; the span itself where there are none to add.

    What it says under a standard name stays, but where that is not what the name means: the result in a tool's own word,
    and the job, the number and the stage's name, which Jenkins' plugin cuts or joins. Must be fast: it runs for every span
    that is read.
    """
    attributes = span.attributes
    if c.JENKINS_TYPE in attributes or c.ANSIBLE_TYPE in attributes or c.SPAN_TYPE in attributes:
        return span
    if c.PROCESS_EXECUTABLE_NAME in attributes:
        # What `exec` runs in a job has the job's name, but is no job.
        return span
    if c.PLUGIN_STEP_ID in attributes or c.PLUGIN_STEP_NAME in attributes:
        return _plugin_part(span)
    if c.PLUGIN_JOB in attributes and c.PLUGIN_NUMBER in attributes:
        return _plugin_run(span)
    if span.name in PHASES:
        return _with(span, {c.JENKINS_TYPE: PHASES[span.name]})
    kind = _kind(span)
    if kind == c.TYPE_RUN:
        return _run(span)
    return _part(span, kind) if kind else span


def readable(span: Span) -> Span:
    """Return a span as everything that reads spans has it: as it is understood, without the values of secrets."""
    return masking.by_names(understood(span))


def is_of_plugin(run: Span) -> bool:
    """Tell whether a run span is what Jenkins' OpenTelemetry plugin tells of a build."""
    return c.PLUGIN_JOB in run.attributes


def _plugin_run(span: Span) -> Span:
    attributes = span.attributes
    job, number = str(attributes[c.PLUGIN_JOB]), str(attributes[c.PLUGIN_NUMBER])
    word = str(attributes.get(c.PLUGIN_RESULT) or attributes.get(c.PIPELINE_RESULT) or "").upper()
    told = {
        c.JENKINS_TYPE: c.TYPE_RUN,
        c.PIPELINE_RUN_URL: _said(span, c.PIPELINE_RUN_URL),
        c.JENKINS_RESULT: word if word in _JENKINS_RESULTS else "",
        c.WORKER_NAME: _worker(span),
        **_branch(job, str(attributes.get(c.PLUGIN_BRANCH_TYPE) or "")),
        **_parameters(attributes),
    }
    result = _result(span, c.PIPELINE_RESULT)
    found = _with(span, told, {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: number, c.PIPELINE_RESULT: result})
    return _by_result(found, result)


def _branch(job: str, kind: str) -> dict[str, str]:
    """Return what the name of a job in a multibranch project tells. ``kind``: branch, tag, change_request, or ""."""
    name = unquote(job.rpartition("/")[2]) if kind else ""
    change = _CHANGE.fullmatch(name)
    if change and kind == "change_request":
        return {c.VCS_CHANGE_ID: change[1]}
    return {c.VCS_HEAD_NAME: name, c.VCS_HEAD_TYPE: "tag" if kind == "tag" else "branch"} if name else {}


def _parameters(attributes: _Told) -> dict[str, str]:
    """Return a build's parameters that have a value to show, and the commit that one of them names."""
    names = [str(name) for name in _list(attributes, c.PLUGIN_PARAMETER_NAMES)]
    secrets = {name for name, secret in zip(names, _list(attributes, c.PLUGIN_PARAMETER_SECRETS), strict=False) if secret}
    given = dict(zip(names, map(str, _list(attributes, c.PLUGIN_PARAMETER_VALUES)), strict=False))
    given = {name: value for name, value in given.items() if name not in secrets and value not in _NO_VALUES}
    commits = (given.get(name, "").lower() for name in PARAMETERS[c.VCS_HEAD_REVISION])
    return {
        **{f"{c.JENKINS_PARAMETER_PREFIX}{name}": value for name, value in given.items()},
        c.VCS_HEAD_REVISION: next(filter(REVISION.fullmatch, commits), ""),
    }


def _plugin_part(span: Span) -> Span:
    attributes = span.attributes
    function = str(attributes.get(c.PLUGIN_STEP_TYPE) or attributes.get(c.TASK_TYPE) or "")
    name = _said(span, c.TASK_NAME)
    kind = c.TYPE_AGENT if name in ALLOCATIONS else STEP_TYPES.get(function, c.TYPE_STEP)
    causes = [str(cause).partition(":") for cause in _list(attributes, c.PLUGIN_STEP_INTERRUPTIONS)]
    classes = [cause for cause, _colon, _text in causes]
    told = {
        c.JENKINS_TYPE: kind,
        c.TASK_NAME: name,
        c.TASK_RUN_ID: _said(span, c.TASK_RUN_ID),
        c.JENKINS_AGENT_LABEL: str(attributes.get(c.PLUGIN_STEP_LABEL) or ""),
        c.WORKER_NAME: _worker(span),
        c.JENKINS_INTERRUPTIONS: classes,
        c.JENKINS_INTERRUPTION_DESCRIPTIONS: [text.strip() for _cause, _colon, text in causes if text.strip()],
        c.ERROR_TYPE: _exception(span),
        **_checkout(attributes),
    }
    result = _result(span, c.TASK_RUN_RESULT)
    if "ExceededTimeout" in classes:
        result = c.TIMEOUT
    elif causes and not result:
        result = c.CANCELLATION
    found = _with(span, told, {c.TASK_RUN_RESULT: result})
    if kind in (c.TYPE_STAGE, c.TYPE_BRANCH) and name:
        found.name = name
    return _by_result(found, result)


def _checkout(attributes: _Told) -> dict[str, str]:
    """Return what a step that checks out tells of its repository."""
    path = str(attributes.get(c.GIT_REPOSITORY) or "")
    if not path:
        return {}
    branch = re.sub(r"^(?:\*/|refs/heads/|origin/)", "", str(attributes.get(c.GIT_BRANCH) or ""))
    address = str(attributes.get(c.URL_FULL) or attributes.get(c.HTTP_URL) or "")
    return {
        c.VCS_REPOSITORY_NAME: path.rpartition("/")[2],
        c.VCS_REPOSITORY_URL: address.removesuffix(".git"),
        c.VCS_HEAD_NAME: branch if re.fullmatch(r"[\w./-]+", branch) else "",
    }


def _exception(span: Span) -> str:
    found = (str(event.attributes.get(c.EXCEPTION_TYPE) or "") for event in reversed(span.events))
    return next(filter(None, found), "") if span.status_code == ERROR else ""


def _worker(span: Span) -> str:
    name = _said(span, c.WORKER_NAME)
    return _BUILT_IN if name == _CONTROLLER else name


def _kind(span: Span) -> str:
    """Return what a span is by the conventions' names: run, stage, step or queue; "" where they do not say it.

    GitHub's jobs and GitLab's stages and jobs are stages. That a resource has a result tells the spans of a receiver from
    those of a process in the pipeline, which has the same resource and cannot know how the pipeline ends.
    """
    attributes, resource = span.attributes, span.resource
    if c.PIPELINE_RESULT in attributes:
        return c.TYPE_RUN
    if c.TASK_NAME in attributes:
        return c.TYPE_STAGE if c.TASK_RUN_ID in attributes else c.TYPE_STEP
    if c.GITHUB_STEP in attributes:
        return c.TYPE_STEP
    if c.PIPELINE_RUN_ID in attributes:
        return c.TYPE_RUN if span.parent_id is None or span.kind == SERVER else ""
    if c.TASK_RUN_ID in resource:
        if c.QUEUE_DURATION in attributes:
            return c.TYPE_QUEUE
        ended = c.TASK_STATUS in resource or c.TASK_RUN_RESULT in resource or c.RUN_STATUS in resource
        return c.TYPE_STAGE if ended else ""
    if c.PIPELINE_RUN_ID in resource and span.kind == SERVER and (c.PIPELINE_RESULT in resource or c.RUN_STATUS in resource):
        return c.TYPE_RUN if span.parent_id is None else c.TYPE_STAGE
    return ""


def _run(span: Span) -> Span:
    told = {c.SPAN_TYPE: c.TYPE_RUN, c.PIPELINE_NAME: _pipeline(span), **{name: _said(span, name) for name in _OF_RUNS}}
    page = _ACTIONS.fullmatch(told[c.PIPELINE_RUN_URL])
    if page and not told[c.VCS_REPOSITORY_URL]:
        told[c.VCS_REPOSITORY_URL] = page[2]
        told[c.VCS_REPOSITORY_NAME] = told[c.VCS_REPOSITORY_NAME] or page[2].rpartition("/")[2]
    result = _result(span, c.PIPELINE_RESULT)
    return _by_result(_with(span, told, {c.PIPELINE_RESULT: result}), result)


def _part(span: Span, kind: str) -> Span:
    attributes, resource = span.attributes, span.resource
    told = {c.SPAN_TYPE: kind, c.PIPELINE_NAME: _pipeline(span), c.WORKER_NAME: _said(span, c.WORKER_NAME)}
    result = ""
    if kind != c.TYPE_QUEUE:
        told[c.TASK_NAME] = _said(span, c.TASK_NAME) or span.name
        result = _result(span, c.TASK_RUN_RESULT)
    place = attributes.get(c.TASK_ENVIRONMENT)
    if place and attributes.get(c.GITLAB_ENVIRONMENT_ACTION) in (None, "", "start"):
        told |= {c.DEPLOYMENT_ENVIRONMENT: str(place), c.TASK_TYPE: c.DEPLOY}
    if c.TASK_RUN_ID not in resource or c.PIPELINE_RUN_ID in resource:
        return _by_result(_with(span, told, {c.TASK_RUN_RESULT: result}), result)
    # GitHub's receiver calls the job a pipeline, and tells its run by the address alone.
    page = _ACTIONS.fullmatch(str(resource.get(c.TASK_RUN_URL) or ""))
    told |= {c.PIPELINE_RUN_ID: page[3], c.PIPELINE_RUN_URL: page[1]} if page else {}
    found = _by_result(_with(span, told, {c.TASK_RUN_RESULT: result}), result)
    found.attributes[c.PIPELINE_NAME] = ""
    return found


def _pipeline(span: Span) -> str:
    """Return the pipeline's name. One of GitLab's may have none: then it is its project, as its jobs know it."""
    named = _said(span, c.PIPELINE_NAME)
    of_gitlab = not named and span.resource.get(c.VCS_PROVIDER_NAME) == "gitlab"
    return str(span.resource.get(c.SERVICE_NAME) or "") if of_gitlab else named


def _result(span: Span, name: str) -> str:
    """Return a result in the conventions' word: as the span says it, else by its status; "" if it has none."""
    word = RESULTS.get(_said(span, name).lower(), "")
    if word == c.FAILURE and span.status_code != ERROR and c.TASK_STATUS in span.attributes:
        # GitHub's receiver says this of a step that was skipped.
        return c.SKIP
    return word or {ERROR: c.FAILURE, OK: c.SUCCESS}.get(span.status_code, "")


def _by_result(found: Span, result: str) -> Span:
    """Return a copy of a span, changed: one that says it failed has failed, also where its tool left the status out.

    An unstable stage of Jenkins' plugin has the status OK.
    """
    if result in c.FAILED_RESULTS:
        found.status_code = ERROR
    return found


def _said(span: Span, name: str) -> str:
    """Return what a span, else its resource says under a standard name or one that means the same; "" for nothing."""
    for holder in (span.attributes, span.resource):
        for one in _NAMES[name]:
            value = holder.get(one, "")
            if value != "" and isinstance(value, (str, int)) and not isinstance(value, bool):
                return str(value)
    return ""


def _list(attributes: _Told, name: str) -> Sequence[object]:
    value = attributes.get(name)
    return value if isinstance(value, (list, tuple)) else ()


def _with(span: Span, told: _Told, instead: _Told | None = None) -> Span:
    """Return a copy of a span with more attributes. ``told``: those that it lacks. ``instead``: also where it has others.

    A message that only repeats the result is left out: it hides what other spans say of the cause.
    """
    found = {name: value for name, value in told.items() if value}
    found |= span.attributes
    found |= {name: value for name, value in (instead or {}).items() if value}
    message = "" if span.status_message.lower() in RESULTS else span.status_message
    return replace(span, attributes=found, status_message=message)
