"""Turns a path into JSON-ready data, for `path --format json` and for the report. docs/path.md lists the fields."""

from __future__ import annotations

from typing import Any

from ..lookup.lookup import Lookup
from ..lookup.wording import iso_time
from ..trace import conventions as c
from ..trace.queries import attribute_text
from .answer import WORDS, Answer, answer_for
from .attempt import Attempt
from .find import FoundChange, find_change
from .steps import ServicePath, Step, service_paths
from .waits import Wait


def path_document(lookup: Lookup, reference: str = "latest") -> dict[str, Any]:
    """Return the path document for a reference: see find.find_change. Raises NotFoundError."""
    return document_of(find_change(lookup, reference))


def document_of(found: FoundChange) -> dict[str, Any]:
    """Return the path document of the attempts that were found."""
    paths = service_paths(found.own, found.others)
    services = [_service(path, answer_for(path)) for path in paths]
    worst = min(services, key=lambda service: WORDS.index(service["answer"]["answer"]))
    return {
        "commit": found.commit or None,
        "change": found.change or None,
        "repository": found.repository or None,
        "answer": {**worst["answer"], "service": worst["service"]},
        "services": services,
        "notes": list(found.notes),
    }


def _service(path: ServicePath, said_of_it: Answer) -> dict[str, Any]:
    return {
        "service": path.service or None,
        "versions": list(path.versions),
        "answer": {
            "answer": said_of_it.word,
            "reason": said_of_it.reason,
            "step": said_of_it.step or None,
            "next": said_of_it.next or None,
        },
        "steps": [_step(step) for step in path.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    last = step.last
    return {
        "step": step.name,
        "state": step.state,
        "last": _attempt(last) if last else None,
        "attempts": len(step.attempts),
        "failures": step.failures,
        "failed_alike": step.alike,
        "failed_before": step.failed_before,
        "green_before": _attempt(step.green_before) if step.green_before else None,
        "replaced_by": _attempt(step.later) if step.later else None,
        "passed_by": step.passed_by,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    span = attempt.span
    return {
        "run": attempt.run or None,
        "url": attribute_text(span, c.PIPELINE_RUN_URL) or None,
        "name": span.name,
        "commit": attempt.commit or None,
        "version": attempt.version or None,
        "state": attempt.state,
        "started": iso_time(attempt.start_ns),
        "ended": iso_time(attempt.end_ns) if attempt.end_ns else None,
        "ran_ms": _ms(attempt.ran_ns) if attempt.end_ns and attempt.timed else None,
        "waited": [_wait(wait) for wait in attempt.waited],
        "failed_at": attempt.where or None,
        "message": attempt.message or None,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
    }


def _wait(wait: Wait) -> dict[str, Any]:
    lasted = _ms(wait.end_ns - wait.start_ns)
    return {"for": wait.on, "what": wait.what, "ms": lasted, "who": wait.who or None, "started": iso_time(wait.start_ns)}


def _ms(duration_ns: int) -> float:
    return round(duration_ns / 1e6, 3)
