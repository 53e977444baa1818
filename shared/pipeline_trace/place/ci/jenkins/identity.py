"""Jenkins: which build this process is part of, and where a build stands in a trace.

``place`` is the one function that places a build. The poller and every process inside a build use it, so that both come to
the same trace with no wiring between them. Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ....trace.ids import span_id, trace_id
from ....trace.span import Link
from ...w3c import Context, key_trace_id, parse_traceparent
from .. import JENKINS_ROOT_URL

ROOT_URL = JENKINS_ROOT_URL
LONGEST_CHAIN = 50

PER_PIPELINE, PER_BUILD = "pipeline", "build"


@dataclass(frozen=True)
class Build:
    """A build's identity. ``controller``: the configured root URL, normalised; ``job``: the full name."""

    controller: str
    job: str
    number: int

    @property
    def key(self) -> tuple[str, ...]:
        """Return the build's key."""
        return ("jenkins", self.controller, self.job, str(self.number))

    @property
    def trace_id(self) -> str:
        """Return the id of the trace of which this build is the root."""
        return trace_id(self.key)

    @property
    def run_span_id(self) -> str:
        """Return the id of the build's run span."""
        return span_id(self.key)

    def span_id(self, *part: str) -> str:
        """Return the id of a span within the build, such as ``("stage", name, occurrence)``."""
        return span_id((*self.key, *part))


@dataclass(frozen=True)
class Cause:
    """What set a build off. ``build``: the upstream build, for the causes that name one."""

    kind: str
    build: Build | None = None
    by_step: bool = False
    description: str = ""
    who: str = ""


@dataclass(frozen=True)
class Facts:
    """What a controller says of a build, as far as its place depends on it.

    ``repeats``: the build that a replay, restart or rebuild repeats; what it copied from there is no parent.
    """

    causes: Sequence[Cause] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    repeats: Build | None = None


class Gone(Exception):
    """The controller says for good that a build cannot be seen: 404, or no permission."""


class Unanswered(Exception):
    """The controller could not be asked now."""


class Fetch(Protocol):
    """Asks a controller."""

    def facts(self, build: Build) -> Facts:
        """Return a build's facts. Raises Gone, Unanswered."""

    def starter(self, upstream: Build, started: Build, cause: Cause) -> str:
        """Return the id of the upstream's span that started a build. Raises Gone, Unanswered."""


@dataclass(frozen=True)
class Placed:
    """Where a build stands: its trace, its run span's parent (None for a root), and its links."""

    trace_id: str
    parent_id: str | None = None
    links: tuple[Link, ...] = ()
    sampled: bool = True


def place(build: Build, fetch: Fetch, trace_per: str = PER_PIPELINE) -> Placed:
    """Place a build in a trace (DESIGN: "Identity").

    The root of the chain of upstream causes names the trace. The first build on the way up that has a parameter
    TRACEPARENT or PIPELINE_TRACE_KEY ends the walk. Raises Unanswered, and Gone where the build itself cannot be seen.
    """
    facts = fetch.facts(build)
    causes = [] if facts.repeats else [cause for cause in facts.causes if cause.build]
    others = [cause.build for cause in facts.causes if cause.build and (facts.repeats or cause is not causes[0])]
    links = [_link(other, "upstream") for other in others]
    if facts.repeats:
        links.append(_link(facts.repeats, "repeats"))
    given = _given(facts)
    copied = _context(facts.parameters) if facts.repeats else None
    if copied:
        links.append(Link(copied.trace_id, copied.span_id, {"jenkins.link": "copied TRACEPARENT"}))
    if given is not None:
        upstream = [_link(cause.build, "upstream") for cause in causes[:1] if cause.build]
        return Placed(given.trace_id, given.parent_id, (*upstream, *links), given.sampled)
    own = Placed(build.trace_id, None, tuple(links))
    upstream_build = causes[0].build if causes else None
    if upstream_build is None:
        return own
    to_upstream = (_link(upstream_build, "upstream"), *links)
    if trace_per == PER_BUILD:
        return Placed(build.trace_id, None, to_upstream)
    try:
        root = _root(upstream_build, fetch)
        if root is None:
            return Placed(build.trace_id, None, to_upstream)
        parent = fetch.starter(upstream_build, build, causes[0])
    except Gone:
        return Placed(build.trace_id, None, to_upstream)
    return Placed(root.trace_id, parent, tuple(links), root.sampled)


def _root(build: Build, fetch: Fetch) -> Placed | None:
    """Walk up from an upstream build to what names the trace; None where the walk does not end.

    Raises Gone where the first build of the walk cannot be seen; further up, the last one that can is the root.
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
            return Placed(below.trace_id)
        given = _given(facts)
        if given is not None:
            return given
        up = next((cause.build for cause in facts.causes if cause.build), None)
        if facts.repeats or up is None:
            return Placed(current.trace_id)
        below, current = current, up
    return None


def _given(facts: Facts) -> Placed | None:
    """Return the place that a build's parameters give it."""
    context = None if facts.repeats else _context(facts.parameters)
    if context:
        return Placed(context.trace_id, context.span_id, (), context.sampled)
    key = facts.parameters.get("PIPELINE_TRACE_KEY", "")
    return Placed(key_trace_id(key)) if key else None


def _context(parameters: Mapping[str, str]) -> Context | None:
    return parse_traceparent(parameters.get("TRACEPARENT", ""))


def _link(build: Build, why: str) -> Link:
    attributes = {"jenkins.link": why, "cicd.pipeline.name": build.job, "cicd.pipeline.run.id": str(build.number)}
    return Link(build.trace_id, build.run_span_id, attributes)


def normalise(url: str) -> str:
    """Return a controller's root URL in the one form: lower-case scheme and host, no default port, no trailing slash.

    Raises ValueError where it is no http(s) URL.
    """
    wrong = ValueError(f"{url!r} is no URL such as https://jenkins.example.com/")
    try:
        parts = urlsplit(url.strip())
        number = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise wrong
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme.lower()]
    port = f":{number}" if number and number != default else ""
    return f"{parts.scheme.lower()}://{host.lower()}{port}{parts.path.rstrip('/')}"


def split_build_url(url: str) -> tuple[str, str, int] | None:
    """Return the root URL, the full job name and the number of a build's URL; None where it is none.

    The path is ASCII, so it survives an agent in the C locale, which JOB_NAME does not.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    segments = [segment for segment in parts.path.split("/") if segment]
    if not parts.hostname or not segments or not segments[-1].isdecimal():
        return None
    number = int(segments.pop())
    names: list[str] = []
    while len(segments) >= 2 and segments[-2] == "job":
        names.insert(0, unquote(segments.pop()))
        segments.pop()
    if not names:
        return None
    root = "".join(f"/{segment}" for segment in segments)
    return f"{parts.scheme}://{parts.netloc}{root}", "/".join(names), number
