"""The spans of a playbook that fails in a deploy, made by the callback's own maker from Ansible's results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible_collections.pipeline_trace.otel.plugins.plugin_utils import results as outcomes
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.playbook_spans import PlaybookSpans

from pipeline_trace.delivery.journal import Writer
from pipeline_trace.place.w3c import Place
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

_OUTCOMES = {"failed": outcomes.FAILED, "unreachable": outcomes.UNREACHABLE}


def write_playbook(journals: Path, stage: Span, results: Sequence[Mapping[str, Any]]) -> None:
    """Write the spans of a playbook into a folder of journals. ``stage``: the one that runs it. ``results``: of failures."""
    resource = {name: stage.resource[name] for name in (c.PIPELINE_NAME, c.PIPELINE_RUN_ID, c.PIPELINE_RUN_URL)}
    journal = Writer(journals)
    place = Place(stage.trace_id, stage.span_id)
    attributes = {c.DEPLOYMENT_ENVIRONMENT: "staging"}
    spans = PlaybookSpans(
        journal, place, {"service.name": "ansible", **resource}, attributes=attributes, now=_clock(stage.start_ns)
    )
    spans.playbook("site.yml", "playbook site.yml")
    spans.play("Deploy", {c.ANSIBLE_PLAY_STRATEGY: "linear"})
    _task(spans, "Gathering Facts", "ansible.builtin.setup", [(one["host"], outcomes.OK, {}) for one in results])
    _task(
        spans,
        results[0]["task"],
        results[0]["action"],
        [(one["host"], _OUTCOMES[one["event"]], one["result"]) for one in results],
    )
    spans.recap([])
    spans.end(1)
    journal.end()


def _task(spans: PlaybookSpans, name: str, action: str, ended: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
    spans.task(name, name, {c.ANSIBLE_TASK_ACTION: action}, [])
    for host, _, _ in ended:
        spans.host_start(name, host)
    task = SimpleNamespace(action=action, delegate_to=None)
    for host, outcome, result in ended:
        spans.host_end(name, host, outcome, SimpleNamespace(_result=result, _task=task))


def _clock(start_ns: int) -> Callable[[], int]:
    """Return a clock that moves on by ten milliseconds whenever it is read."""

    def ticks() -> Iterator[int]:
        now = start_ns + 500_000_000
        while True:
            now += 10_000_000
            yield now

    return ticks().__next__
