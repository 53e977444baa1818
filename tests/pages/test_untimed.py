"""Stages of a controller on which no plugin tells times: a dash instead of 0 ms, and no figure that counts them."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from rich.console import Console
from support.model import ModelJenkins, play, shapes
from support.report_pages import NOW, Open, names, needs_chromium, row
from support.spans import span

from jenkins_poller.spans.measured import measurements_of_build
from pipeline_trace.change.attempts import attempts_of
from pipeline_trace.change.document import document_of
from pipeline_trace.change.find import FoundChange
from pipeline_trace.change.terminal import print_path
from pipeline_trace.lookup.tree import build_tree, walk
from pipeline_trace.lookup.usual import OtherBuilds, Usual, usual_times
from pipeline_trace.ownership.failure import Trace
from pipeline_trace.report.critical import critical_path, own_times
from pipeline_trace.report.html import page_html
from pipeline_trace.report.lanes import STEPS, platform_lanes
from pipeline_trace.report.panels import stage_views
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Span

RESULT = "cicd_pipeline_task_run_result"
START_MS = 1_790_000_000_000


def untimed(number: int, parent: int, at: int = 1, **more: object) -> Span:
    """Return a stage or step without times. ``at``: the last known moment before it."""
    more = {"jenkins_type": "stage", "jenkins_times_unknown": True, RESULT: "success", **more}
    return span(number, parent, at, at, **{"cicd_pipeline_task_run_id": str(number), **more})


def build() -> list[Span]:
    """Return a build with two stages without times, and a playbook in the second that ended its step."""
    return [
        span(1, name="RUN shop", jenkins_type="run", cicd_pipeline_name="shop", cicd_pipeline_result="success"),
        untimed(9, 1, name="Unpack"),
        untimed(11, 1, name="Deploy"),
        untimed(12, 11, name="Shell Script", jenkins_type="step"),
        span(20, 11, 2_000, 9_000, name="site.yml", ansible_type="playbook", **{RESULT: "success"}),
    ]


def test_they_stand_in_the_order_of_the_pipeline_and_no_clock_is_skewed() -> None:
    spans = build()
    for _ in range(5):
        random.shuffle(spans)
        rows = list(walk(build_tree(spans)))
        assert [node.span.name for node in rows] == ["RUN shop", "Unpack", "Deploy", "Shell Script", "site.yml"]
        assert not any(node.skewed for node in rows)


def test_the_critical_path_goes_through_to_what_is_known_in_them() -> None:
    roots = build_tree(build())
    path = critical_path(roots, 0)
    assert [segment.node.span.name for segment in path] == ["RUN shop", "site.yml", "RUN shop"]
    rows = list(walk(roots))
    assert {rows[at].span.name: own // 1_000_000 for at, own in own_times(path, rows).items()} == {
        "RUN shop": 3_000,
        "Deploy": 0,
        "site.yml": 7_000,
    }


def test_no_usual_time_counts_them_or_is_set_beside_them() -> None:
    stages = [untimed(9, 1, name="Deploy") for _ in range(5)]
    assert usual_times(stages) == {}
    usual = OtherBuilds({("", "Deploy"): Usual(5, 6, 7)})
    assert stage_views(list(walk(build_tree(build()))), usual, 0) == []
    assert '"usual":[]' in page_html(build(), title="t", generated_at=NOW, history=usual)


def test_no_metric_counts_them() -> None:
    spans = build()[:4]
    found = list(measurements_of_build(spans, spans[0].end_ns))
    assert [(one.metric, one.value, one.attributes[c.RUN_STATE]) for one in found] == [(c.RUN_DURATION, 10.0, "executing")]


def test_no_lane_has_a_bar_for_them() -> None:
    (steps,) = [lane for lane in platform_lanes(build(), 0) if lane.name == STEPS]
    assert (steps.count, steps.bars, steps.busy_ns) == (1, (), 0)


def test_a_failed_playbook_in_such_a_stage_is_the_reason_of_its_step() -> None:
    spans = build()
    spans += [span(21, 20, 2_000, 9_000, name="Restart"), span(22, 21, 2_000, 9_000, name="web2", ansible_result="failed")]
    for one in spans:
        if one.name != "Unpack":
            one.status_code = ERROR
    failure = Trace(spans).failure(spans[0])
    assert failure
    assert failure.span.name == "Shell Script"
    assert [host.name for host in failure.hosts] == ["web2"]


def test_of_such_stages_that_failed_the_first_of_the_pipeline_is_the_cause() -> None:
    spans = [span(1, name="RUN shop", jenkins_type="run"), untimed(20, 1, name="Last"), untimed(9, 1, name="First")]
    for one in spans:
        one.status_code = ERROR
    failure = Trace(spans).failure(spans[0])
    assert failure
    assert failure.span.name == "First"


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A store with a build that failed, from a controller without any plugin for times."""
    env = support.environ(tmp_path_factory.mktemp("untimed"))
    with ModelJenkins([play(shapes.NAMED["fails"], start_ms=START_MS)], frozenset()) as jenkins:
        done = support.poll(jenkins.url, env=env)
        assert done.returncode == 0, done.stderr
        yield env


def test_show_has_a_dash(polled: dict[str, str]) -> None:
    said = support.trace("show", "latest", env=polled).stdout
    stages = [line for line in said.splitlines() if re.search(r"\bst(age|ep) ", line)]
    assert len(stages) > 3
    assert all(re.search(r"  –(  |$)", line) for line in stages), said
    assert "  0 ms" not in said
    assert "clock skewed" not in said


def test_the_report_has_a_dash_and_marks_their_rows(polled: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = support.trace("report", "latest", "--output", page, env=polled)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="trace-data"[^>]*>(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    kinds = [data["types"][values[2]] for values in data["rows"]]
    assert data["untimed"] == [at for at, kind in enumerate(kinds) if kind in ("stage", "step")]
    (head,) = re.findall(r'<span class="trouble-head">.*?</span>\s*<span class="muted">step, (.*?)</span>', text)
    assert head == "–"


def test_path_tells_no_duration_of_them() -> None:
    spans = build()[:3]
    spans[0].attributes["vcs.ref.head.name"] = "main"
    spans[2].name = "Deploy staging"
    document = document_of(FoundChange(own=tuple(attempts_of(spans))))
    told = {step["step"]: step for step in document["services"][0]["steps"] if step["last"]}
    assert {name: (step["state"], step["last"]["ran_ms"]) for name, step in told.items()} == {
        "merge": ("success", None),
        "staging": ("success", None),
    }
    shown = io.StringIO()
    print_path(document, Console(file=shown, width=200))
    assert "0 ms" not in shown.getvalue()


def test_path_takes_the_times_of_the_playbook_in_them() -> None:
    spans = build()
    spans[0].attributes["vcs.ref.head.name"] = "main"
    spans[2].name, spans[4].attributes["deployment.environment.name"] = "Deploy", "staging"
    (attempt,) = [one for one in attempts_of(spans) if one.step == "staging"]
    assert (attempt.timed, attempt.ran_ns) == (True, 7_000_000_000)


def test_path_counts_a_stage_that_failed_before_the_first_deploy() -> None:
    spans = build()[:3]
    spans[0].attributes.update({"vcs.ref.head.name": "main", "cicd.pipeline.result": "failure"})
    spans[1].attributes["cicd.pipeline.task.run.result"] = "failure"
    spans[2].name = "Deploy staging"
    found = {one.step: (one.state, one.where) for one in attempts_of(spans)}
    assert found == {"merge": ("failure", "Unpack"), "staging": ("success", "")}


@pytest.mark.process
@needs_chromium
def test_a_browser_shows_a_dash_and_no_bar(open_report: Open) -> None:
    page = open_report(build())
    assert names(page) == ["RUN shop", "Unpack", "Deploy", "Shell Script", "site.yml"]
    for name, length, bars in ("Unpack", "–", 0), ("Shell Script", "–", 0), ("site.yml", "7.0 s", 1):
        assert row(page, name).locator(".c-duration").inner_text() == length
        assert row(page, name).locator(".bar").count() == bars
    row(page, "Unpack").click()
    details = page.locator("#details").inner_text()
    assert "No plugin of Jenkins told when it ran." in details
    assert "0 ms" not in details
