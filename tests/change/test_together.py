"""Which playbooks make up one deploy, where no build is known: those of one build or command, not those of another try."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from support.growth import assert_linear

from pipeline_trace.change.entries import Entry, deploys_of
from pipeline_trace.change.runs import RunTree
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

S = 10**9
START = 1_795_000_000 * S


def book(trace: int, number: int, version: str, state: str = c.SUCCESS, *, job: str = "", of: str = "deploy") -> Span:
    start = START + number * 60 * S
    made = Span(f"{trace:032x}", f"{trace:08x}{number:08x}", "f" * 16, "playbook site.yml", start, start + S)
    told = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_TYPE: c.DEPLOY, c.TASK_RUN_RESULT: state, c.ARTIFACT_VERSION: version}
    told |= {c.DEPLOYMENT_NAME: "shop", c.DEPLOYMENT_ENVIRONMENT: "production", c.TASK_NAME: of, c.TASK_RUN_ID: job}
    made.attributes = {name: text for name, text in told.items() if text}
    made.resource = {c.PIPELINE_NAME: "shop/deploy", c.PIPELINE_RUN_ID: "12"}
    if state == c.FAILURE:
        made.fail("no")
    return made


def told(spans: Sequence[Span]) -> list[tuple[str, str]]:
    return [(one.version, one.state) for one in deploys_of(spans)]


def test_a_build_of_the_same_name_in_another_trace_is_another_one() -> None:
    # Such as another attempt of a workflow run, or a build of another controller.
    assert told([book(1, 1, "1"), book(2, 2, "3", c.FAILURE)]) == [("1", c.SUCCESS), ("3", c.FAILURE)]
    assert told([book(1, 1, "1", c.FAILURE), book(2, 2, "1")]) == [("1", c.FAILURE), ("1", c.SUCCESS)]


def test_a_job_that_runs_again_deploys_again() -> None:
    assert told([book(1, 1, "1", c.FAILURE, job="70"), book(1, 2, "1", job="71")]) == [
        ("1", c.FAILURE),
        ("1", c.SUCCESS),
    ]
    # A rollback: the old pipeline's job runs again after the new one's.
    spans = [book(1, 1, "1", job="70"), book(2, 2, "2", job="80"), book(1, 3, "1", job="72")]
    assert told(spans) == [("1", c.SUCCESS), ("2", c.SUCCESS), ("1", c.SUCCESS)]


def test_several_playbooks_and_jobs_of_one_build_are_one_deploy() -> None:
    spans = [book(1, 1, "1", job="70", of="migrate"), book(1, 2, "1", job="71"), book(1, 3, "1", c.FAILURE, job="71")]
    (found,) = deploys_of(spans)
    assert isinstance(found, Entry)
    assert (found.state, found.start_ns, found.end_ns) == (c.FAILURE, spans[0].start_ns, spans[2].end_ns)
    assert told([book(1, 1, "1"), book(1, 2, "1")]) == [("1", c.SUCCESS)]


@pytest.mark.parametrize("has_run", [True, False])
def test_a_chain_of_spans_costs_as_much_as_it_is_long(has_run: bool) -> None:
    def work(size: int) -> Callable[[], object]:
        chain = [
            Span("1" * 32, f"{at + 1:016x}", f"{at:016x}" if at else None, "s", START + at, START + 9**9 - at)
            for at in range(size)
        ]
        if has_run:
            chain[0].attributes = {c.PIPELINE_RESULT: c.SUCCESS, c.PIPELINE_NAME: "deep", c.PIPELINE_RUN_ID: "1"}
        return lambda: RunTree(chain)

    assert_linear(work, 8000)
