"""Finds the build and stage that a process is part of, from the environment and from the controller if it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ....trace import conventions as c
from ....trace.ids import key_trace_id
from ....trace.span import AttributeValue, Link
from ...w3c import BAGGAGE, KEY, TRACEPARENT, TRACESTATE, Context, Place, context_of
from .. import JENKINS_ROOT_URL, PER_PIPELINE
from .chain import BuildPlace
from .graph import FlowNode
from .identity import Build, build_url_parts, cell_of_name, normalised_url
from .stages import candidates


@dataclass(frozen=True)
class ControllerAnswer:
    """The controller's answer about the build that a process is part of.

    ``nodes``: the flow graph, empty if the build has none. ``clock_skew_ms``: this machine's clock minus the controller's
    clock in milliseconds, precise to one second. ``whole``: False if the chain of builds could not be read to its end.
    ``starter``: the build that started it, if a build did. ``stage``: the node id of the process' stage, where its agent
    tells; else empty.
    """

    place: BuildPlace
    parameters: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, FlowNode] = field(default_factory=dict)
    clock_skew_ms: int | None = None
    whole: bool = True
    starter: Build | None = None
    stage: str = ""


Ask = Callable[[Build], "ControllerAnswer | None"]


def build_of(environ: Mapping[str, str]) -> Build | None:
    """Return the build that this process is part of; None if the environment does not name its controller or job.

    PIPELINE_TRACE_JENKINS_URL overrides the controller's URL. The job comes from BUILD_URL, else from JOB_NAME.
    """
    by_url = build_url_parts(environ.get("BUILD_URL", ""))
    root = environ.get(JENKINS_ROOT_URL) or environ.get("JENKINS_URL") or (by_url[0] if by_url else "")
    number = environ.get("BUILD_NUMBER", "")
    if by_url:
        job, build_number, cell = by_url.job, by_url.number, by_url.cell
    elif environ.get("JOB_NAME") and number.isdecimal():
        build_number = int(number)
        job, cell = cell_of_name(environ["JOB_NAME"], environ)
    else:
        return None
    try:
        return Build(normalised_url(root), job, build_number, cell)
    except ValueError:
        return None


def locate(environ: Mapping[str, str], ask: Ask, trace_per: str = PER_PIPELINE) -> Place | None:
    """Return the place of a process inside a build; None if the environment does not name the build.

    The trace is the trace of the build. The parent is the stage that STAGE_NAME names, else the run span; in a cell of a
    multi-configuration build, the cell's span. If ``trace_per`` is build, ``ask`` is not called.
    """
    build = build_of(environ)
    if build is None:
        return None
    context, warnings = context_of(environ)
    answer = ask(build) if trace_per == PER_PIPELINE else None
    if context and not context.sampled and not _confirmed(environ, TRACEPARENT, answer):
        return Place(context.trace_id, context.span_id, sampled=False)
    parent, attributes = _stage(environ, build, answer)
    if answer and answer.clock_skew_ms is not None:
        attributes[c.JENKINS_CLOCK_SKEW_MS] = answer.clock_skew_ms
    trace, said, links = _trace(environ, build, context, answer)
    if context and trace == context.trace_id and not _confirmed(environ, TRACEPARENT, answer):
        # `exec` or the Jenkins OpenTelemetry plugin set TRACEPARENT: its span is the parent.
        polled = answer.place.trace_id if answer else build.trace_id
        links = (*links, Link(polled, parent, {c.JENKINS_LINK: c.LINK_STAGE}))
        parent = context.span_id
    return Place(
        trace_id=trace,
        parent_id=parent,
        sampled=answer.place.sampled if answer else True,
        tracestate=environ.get(TRACESTATE, "") if context else "",
        baggage=environ.get(BAGGAGE, ""),
        links=links,
        resource=run_resource(build, environ),
        attributes=attributes,
        warnings=(*warnings, *said),
    )


def _trace(
    environ: Mapping[str, str], build: Build, context: Context | None, answer: ControllerAnswer | None
) -> tuple[str, tuple[str, ...], tuple[Link, ...]]:
    """Return the trace, warnings and links."""
    if context and not _confirmed(environ, TRACEPARENT, answer):
        return context.trace_id, (), ()
    if answer:
        ignored = environ.get(KEY) and not context and not _confirmed(environ, KEY, answer)
        said = (f"{KEY} is ignored, because the poller does not see it; make it a build parameter",) if ignored else ()
        return answer.place.trace_id, said, ()
    if environ.get(KEY):
        return key_trace_id(environ[KEY]), (), ()
    return build.trace_id, (), ()


def _confirmed(environ: Mapping[str, str], name: str, answer: ControllerAnswer | None) -> bool:
    """Return whether the build has a parameter with the name and value of this variable, by the controller's answer."""
    return answer is not None and answer.parameters.get(name, "").strip() == environ.get(name, "").strip() != ""


def _stage(
    environ: Mapping[str, str], build: Build, answer: ControllerAnswer | None
) -> tuple[str, dict[str, AttributeValue]]:
    """Return the span id of the stage that STAGE_NAME names, and attributes that say if the stage is only assumed."""
    name, run = environ.get("STAGE_NAME", ""), _run(build, answer)
    if not name or build.cell:
        return run, {}
    if answer is None or not answer.nodes:
        # An agent in the C locale changes non-ASCII letters. An id made from them would match no span.
        if not name.isascii() or "?" in name:
            return run, {}
        return build.span_id("stage", name, "0"), {c.JENKINS_STAGE_ASSUMED: True}
    found = candidates(name, answer.nodes, environ)
    told = [stage for stage in found if stage.node.id == answer.stage] if answer.stage else found
    if len(told) == 1:
        return build.span_id(*told[0].key), {}
    ids = [build.span_id(*stage.key) for stage in found]
    return run, {c.JENKINS_STAGE_CANDIDATES: ids} if ids else {}


def _run(build: Build, answer: ControllerAnswer | None) -> str:
    """Return the span id of a build's run. A build has spans only for cells with its own number."""
    starter = answer.starter if answer else None
    if build.cell and starter and starter.job == build.job and starter.number != build.number:
        return starter.run_span_id
    return build.run_span_id


def run_resource(build: Build, environ: Mapping[str, str]) -> dict[str, AttributeValue]:
    """Return the attributes of the build for every span of a process inside it."""
    found: dict[str, AttributeValue] = {c.PIPELINE_NAME: build.job, c.PIPELINE_RUN_ID: str(build.number)}
    if environ.get("BUILD_URL"):
        found[c.PIPELINE_RUN_URL] = environ["BUILD_URL"]
    if environ.get("NODE_NAME"):
        found[c.WORKER_NAME] = environ["NODE_NAME"]
    return found


def missing_variable_hint(environ: Mapping[str, str]) -> str:
    """Return a warning for a process in a build that the environment does not name."""
    missing = "JENKINS_URL" if not environ.get("JENKINS_URL") else "BUILD_URL"
    where = f"{missing} is not set (Manage Jenkins > System > Jenkins URL)"
    return f"{where}, so this process is in a separate trace; set it, or set {JENKINS_ROOT_URL}"


def refusal_hint(build: Build, answer: str, *, has_login: bool) -> str:
    """Return a warning for a process whose controller does not let it read its own build. ``answer``: see client.Refused."""
    login = "set JENKINS_USER and JENKINS_API_TOKEN from Jenkins' credentials"
    if has_login:
        login = "correct JENKINS_USER and JENKINS_API_TOKEN"
    return (
        f"{build.controller} does not say what started {build.name} ({answer}), so this may be in another trace; "
        f"{login}, or set PIPELINE_TRACE_PER=build here and for the poller"
    )
