"""Says how a build or a playbook ended, as far as a message needs it. Every text is masked here. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..lookup.wording import visible
from ..ownership.verdict import Verdict
from ..place.ci.jenkins.identity import build_on_page
from ..trace import conventions as c
from ..trace import redact
from ..trace.queries import attribute_text, build_name_of, environment_of, is_run, result_of, run_url_of
from ..trace.span import Span

_LONGEST = 300
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Failing:
    """A failure. ``owner``, ``kind``, ``confidence``, ``next``: see Verdict. ``line``: the line or fact that decides.

    ``run``: the build as JOB#N, or the trace id. ``url``: the build's page, "" for none. ``since_ns``: the end of the first
    failure in a row of ``times`` failures. ``sign``: the owner and the kind without history: the same failure has the
    same sign, whoever judges it, and whenever.
    """

    owner: str
    kind: str
    confidence: float
    line: str
    next: str
    run: str
    url: str
    since_ns: int
    times: int = 1
    sign: str = ""

    def judged(self, verdict: Verdict) -> Failing:
        """Return the failure with another verdict; its sign stays."""
        verdict = verdict.masked()
        line = _line(verdict.evidence[0]) if verdict.evidence else ""
        return replace(
            self, owner=verdict.owner, kind=verdict.kind, confidence=verdict.confidence, line=line, next=_line(verdict.next)
        )


@dataclass(frozen=True)
class Outcome:
    """How a build or a playbook ended. ``job``: the job's full name, or the playbook. ``failing``: None if it passed.

    ``controller``: the address of the build's controller; "" for a playbook or another CI system. ``environment``: "" for
    none. ``ended_ns``: nanoseconds since the epoch. ``trace_id``, ``span_id``: its span.
    """

    controller: str
    job: str
    environment: str
    ended_ns: int
    trace_id: str
    span_id: str
    failing: Failing | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-ready data."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Outcome:
        """Return the outcome that ``to_dict`` gave. Raises KeyError, TypeError, ValueError."""
        names = ("controller", "job", "environment", "trace_id", "span_id")
        texts = {name: str(data[name]) for name in names}
        return Outcome(**texts, ended_ns=int(data["ended_ns"]), failing=failing_from_dict(data["failing"]))


def failing_from_dict(data: Any) -> Failing | None:
    """Return the failure of an outcome's data; None for None. Raises KeyError, TypeError, ValueError."""
    if data is None:
        return None
    texts = {name: str(data[name]) for name in ("owner", "kind", "line", "next", "run", "url", "sign")}
    return Failing(**texts, confidence=float(data["confidence"]), since_ns=int(data["since_ns"]), times=int(data["times"]))


def is_told(span: Span) -> bool:
    """Return whether the span ended with a result that a message can be about: it passed or failed."""
    return bool(span.end_ns) and result_of(span) in (c.SUCCESS, *c.FAILED_RESULTS)


def passed(span: Span) -> Outcome:
    """Return the outcome of a run or a playbook that passed."""
    job = attribute_text(span, c.PIPELINE_NAME) if is_run(span) else ""
    build = build_on_page(run_url_of(span)) if job else None
    controller = redact.masked(build.controller) if build else ""
    environment = _name(environment_of(span))
    return Outcome(controller, _name(job or span.name), environment, span.end_ns, span.trace_id, span.span_id)


def failed(span: Span, verdict: Verdict) -> Outcome:
    """Return the outcome of a run or a playbook that failed. ``verdict``: without history."""
    run = _name(build_name_of(span)) or span.trace_id
    failing = Failing("", "", 0, "", "", run, redact.masked(run_url_of(span)), span.end_ns, sign=sign_of(verdict))
    return replace(passed(span), failing=failing.judged(verdict))


def sign_of(verdict: Verdict) -> str:
    """Return the owner and the kind of a verdict as one text."""
    return f"{verdict.owner} {verdict.kind}"


def _name(text: str) -> str:
    return redact.clip(visible(redact.masked(text)), _LONGEST_NAME)


def _line(text: str) -> str:
    return redact.clip(visible(" ".join(text.split())), _LONGEST)
