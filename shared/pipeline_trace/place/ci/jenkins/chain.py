"""Finds the place of a Jenkins build in a trace from the chain of builds that started it.

The poller and each process inside a build use ``place_of_build``, so they find the same trace without contact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ....trace import conventions as c
from ....trace.ids import key_trace_id
from ....trace.span import Link
from ...w3c import Context, parse_traceparent
from .. import PER_BUILD, PER_PIPELINE
from .identity import Build

LONGEST_CHAIN = 50


@dataclass(frozen=True)
class Cause:
    """A cause of a build. ``build``: the upstream build, if there is one. ``by_step``: a ``build`` step started this one."""

    kind: str
    build: Build | None = None
    by_step: bool = False
    description: str = ""
    who: str = ""


@dataclass(frozen=True)
class Facts:
    """The facts about a build that its place depends on.

    ``repeats``: the build that this replay, restart or rebuild repeats. The causes and the TRACEPARENT parameter are copies
    from that build, so they name no parent.
    """

    causes: Sequence[Cause] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    repeats: Build | None = None


class Gone(Exception):
    """The build does not exist, or we have no permission to read it (404 or 403). A retry does not help."""


class Unanswered(Exception):
    """The controller gives no answer now. A retry may help."""


class Fetch(Protocol):
    """Gets facts about builds from a controller."""

    def facts(self, build: Build) -> Facts:
        """Return the facts about a build. Raises Gone, Unanswered."""

    def starter(self, upstream: Build, started: Build, cause: Cause) -> str:
        """Return the id of the span in the upstream build that started a build. Raises Gone, Unanswered."""


@dataclass(frozen=True)
class BuildPlace:
    """The place of a build: its trace, the parent of its run span (None for a root span), and links."""

    trace_id: str
    parent_id: str | None = None
    links: tuple[Link, ...] = ()
    sampled: bool = True


def place_of_build(build: Build, fetch: Fetch, trace_per: str = PER_PIPELINE) -> BuildPlace:
    """Return the place of a build in a trace.

    This follows the upstream causes to the build that started the chain; that build names the trace. A build with a
    TRACEPARENT or PIPELINE_TRACE_KEY parameter ends the search, and its parameter names the trace. Raises Unanswered, and
    Gone if the build itself cannot be read.
    """
    facts = fetch.facts(build)
    causes = [] if facts.repeats else [cause for cause in facts.causes if cause.build]
    others = [cause.build for cause in facts.causes if cause.build and (facts.repeats or cause is not causes[0])]
    links = [_link(other, c.LINK_UPSTREAM) for other in others]
    if facts.repeats:
        links.append(_link(facts.repeats, c.LINK_REPEATS))
    given = _given(facts)
    copied = _context(facts.parameters) if facts.repeats else None
    if copied:
        links.append(Link(copied.trace_id, copied.span_id, {c.JENKINS_LINK: c.LINK_COPIED}))
    if given is not None:
        upstream = [_link(cause.build, c.LINK_UPSTREAM) for cause in causes[:1] if cause.build]
        return BuildPlace(given.trace_id, given.parent_id, (*upstream, *links), given.sampled)
    own = BuildPlace(build.trace_id, None, tuple(links))
    upstream_build = causes[0].build if causes else None
    if upstream_build is None:
        return own
    to_upstream = (_link(upstream_build, c.LINK_UPSTREAM), *links)
    if trace_per == PER_BUILD:
        return BuildPlace(build.trace_id, None, to_upstream)
    try:
        root = _root(upstream_build, fetch)
        if root is None:
            return BuildPlace(build.trace_id, None, to_upstream)
        parent = fetch.starter(upstream_build, build, causes[0])
    except Gone:
        return BuildPlace(build.trace_id, None, to_upstream)
    return BuildPlace(root.trace_id, parent, tuple(links), root.sampled)


def _root(build: Build, fetch: Fetch) -> BuildPlace | None:
    """Follow the chain from an upstream build to the place that names the trace; None if the chain has no end.

    Raises Gone if the upstream build cannot be read. If a build further up cannot be read, the one below it is the root.
    """
    seen: set[Build] = set()
    current = build
    below: Build | None = None
    while len(seen) < LONGEST_CHAIN - 1 and current not in seen:
        seen.add(current)
        try:
            facts = fetch.facts(current)
        except Gone:
            if below is None:
                raise
            return BuildPlace(below.trace_id)
        given = _given(facts)
        if given is not None:
            return given
        up = next((cause.build for cause in facts.causes if cause.build), None)
        if facts.repeats or up is None:
            return BuildPlace(current.trace_id)
        below, current = current, up
    return None


def _given(facts: Facts) -> BuildPlace | None:
    """Return the place that a build's parameters set, or None."""
    context = None if facts.repeats else _context(facts.parameters)
    if context:
        return BuildPlace(context.trace_id, context.span_id, (), context.sampled)
    key = facts.parameters.get("PIPELINE_TRACE_KEY", "")
    return BuildPlace(key_trace_id(key)) if key else None


def _context(parameters: Mapping[str, str]) -> Context | None:
    return parse_traceparent(parameters.get("TRACEPARENT", ""))


def _link(build: Build, why: str) -> Link:
    attributes = {c.JENKINS_LINK: why, c.PIPELINE_NAME: build.job, c.PIPELINE_RUN_ID: str(build.number)}
    return Link(build.trace_id, build.run_span_id, attributes)
