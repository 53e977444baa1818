"""Whose spans are whose, and the platform's lanes."""

from __future__ import annotations

import pytest
from support.report_samples import make, sample, seconds

from pipeline_trace.report.lanes import Lane, platform_lanes
from pipeline_trace.report.sides import BOTH, DEV, OPS, side


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"jenkins_type": "run"}, BOTH),
        ({"jenkins_type": "input"}, BOTH),
        ({"jenkins_type": "queue"}, OPS),
        ({"jenkins_type": "agent"}, OPS),
        ({"jenkins_type": "cleanup"}, OPS),
        ({"jenkins_type": "stage"}, DEV),
        ({"jenkins_type": "step", "cicd_pipeline_task_run_result": "failure"}, DEV),
        ({"jenkins_type": "step", "cicd_pipeline_task_run_result": "error"}, OPS),
        ({"ansible_type": "task"}, DEV),
        ({"ansible_type": "host", "ansible_result": "failed"}, DEV),
        ({"ansible_type": "host", "ansible_result": "unreachable"}, OPS),
        ({"jenkins_type": "step", "pipeline__trace_failure_owner": "ops"}, OPS),
        ({"ansible_type": "host", "ansible_result": "unreachable", "pipeline__trace_failure_owner": "dev"}, DEV),
        ({"jenkins_type": "step", "pipeline__trace_failure_owner": "unknown"}, DEV),
        ({}, DEV),
    ],
)
def test_side(attributes: dict[str, str], expected: str) -> None:
    assert side(make("x", None, "x", 0, 1, **attributes)) == expected


def of_sample() -> dict[str, Lane]:
    return {lane.name: lane for lane in platform_lanes(sample(), 0)}


def test_the_lanes_are_in_the_order_of_a_builds_life() -> None:
    assert list(of_sample()) == ["Receive", "Schedule", "Agent", "Steps", "Approval", "Clean up"]


def test_waits_are_told_from_work_and_counted() -> None:
    found = of_sample()
    assert [name for name, lane in found.items() if lane.wait] == ["Schedule", "Agent", "Approval"]
    assert found["Schedule"].count == 2
    assert found["Schedule"].busy_ns == round((2.4 + 5.4) * 1e9)
    assert found["Schedule"].bars == ((seconds(-2.4), seconds(0)), (seconds(158.6), seconds(164.0)))


def test_builds_are_received_when_they_are_first_known() -> None:
    assert [start for start, _ in of_sample()["Receive"].bars] == [seconds(-2.4), seconds(158.6)]
    assert of_sample()["Receive"].what == ("GitHub push by mara",)


def test_steps_in_parallel_count_once_and_the_wait_for_another_build_is_no_work() -> None:
    steps = of_sample()["Steps"]
    # Check out, make test with make lint beside it, ansible-playbook; not `build`.
    assert steps.count == 4
    assert steps.busy_ns == round((6.0 + (96.6 - 21.9) + (316.0 - 172.5)) * 1e9)


def test_a_freestyle_build_is_work_on_its_agent() -> None:
    run = make("run", None, "RUN x", 0, 5, jenkins_type="run", cicd_worker_name="node-1")
    found = {lane.name: lane for lane in platform_lanes([run], 0)}
    assert found["Steps"].busy_ns == 5_000_000_000
    assert found["Steps"].what == ("node-1",)
    assert "Approval" not in found
    assert found["Schedule"].count == 0


def test_what_is_open_reaches_to_the_moment() -> None:
    spans = [make("run", None, "RUN x", 0, None, jenkins_type="run"), make("q", "run", "a", 0, None, jenkins_type="agent")]
    found = {lane.name: lane for lane in platform_lanes(spans, seconds(60))}
    assert found["Agent"].busy_ns == 60_000_000_000


def test_without_a_build_there_are_no_lanes() -> None:
    assert platform_lanes([make("p", None, "playbook", 0, 1, ansible_type="playbook")], 0) == []


def test_a_lane_has_a_bounded_number_of_bars() -> None:
    spans = [make("run", None, "RUN x", 0, 6000, jenkins_type="run")]
    spans += [make(f"s{n}", "run", "sh", n, n + 0.5, jenkins_type="step") for n in range(6000)]
    found = {lane.name: lane for lane in platform_lanes(spans, 0)}
    assert len(found["Steps"].bars) <= 1000
    assert found["Steps"].busy_ns == 3_000_000_000_000
