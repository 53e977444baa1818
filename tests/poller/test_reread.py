"""Builds that were told are read again: what is there stays, what was missing is added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from support.model import ModelJenkins, play, shapes
from support.polling import ROOT, Polling, Run

from pipeline_trace.trace import conventions as c
from pipeline_trace_demo.replay import Fault, Replay

EVER = 1e9
START_MS = 1_790_000_000_000
AT_LEAST = {c.TYPE_RUN, c.TYPE_QUEUE, c.TYPE_CLEANUP}


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with Replay(support.recording("11"), root_url=ROOT) as replay:
        yield replay


@pytest.fixture
def whole(tmp_path: Path, jenkins: Replay) -> dict[Run, list[str]]:
    """What is emitted of each build at detail step."""
    polling = Polling(tmp_path / "whole", jenkins)
    polling.sweep()
    polling.state.close()
    return polling.emitted


def told(folder: Path, jenkins: Replay | ModelJenkins, detail: str) -> Polling:
    """Return a closed poller that has told everything at a detail."""
    polling = Polling(folder, jenkins, detail=detail)
    polling.sweep()
    polling.state.close()
    return polling


def together(*pollings: Polling) -> dict[Run, list[str]]:
    found: dict[Run, list[str]] = {}
    for polling in pollings:
        for run, ids in polling.emitted.items():
            found[run] = sorted(found.get(run, []) + ids)
    return found


@pytest.mark.parametrize("detail", ["build", "stage"])
def test_finer_spans_are_added_and_nothing_is_told_twice(
    tmp_path: Path, jenkins: Replay, whole: dict[Run, list[str]], detail: str
) -> None:
    first = told(tmp_path / "first", jenkins, detail)
    second = Polling(tmp_path / "second", jenkins, state_of=first)
    swept = second.sweep(reread_age=EVER)
    assert (swept.builds, swept.reread, swept.added) == (0, 5, len(second.spans))
    assert together(first, second) == whole
    assert {span.trace_id for span in second.spans} == {span.trace_id for span in first.spans}
    assert second.sweep(reread_age=EVER).added == 0
    second.state.close()


@pytest.mark.parametrize("detail", ["build", "stage", "step"])
def test_at_the_same_detail_nothing_is_added(tmp_path: Path, jenkins: Replay, detail: str) -> None:
    first = told(tmp_path / "first", jenkins, detail)
    second = Polling(tmp_path / "second", jenkins, detail=detail, state_of=first)
    swept = second.sweep(reread_age=EVER)
    assert (swept.reread, swept.added) == (5, 0)
    second.state.close()


def test_a_coarser_detail_takes_nothing_away(tmp_path: Path, jenkins: Replay) -> None:
    first = told(tmp_path / "first", jenkins, "step")
    coarse = Polling(tmp_path / "coarse", jenkins, detail="build", state_of=first)
    assert coarse.sweep(reread_age=EVER).added == 0
    coarse.state.close()
    fine = Polling(tmp_path / "fine", jenkins, state_of=first)
    assert fine.sweep(reread_age=EVER).added == 0
    fine.state.close()


def test_builds_of_earlier_versions_get_all_but_what_those_told_at_least(
    tmp_path: Path, jenkins: Replay, whole: dict[Run, list[str]]
) -> None:
    polling = Polling(tmp_path / "poller", jenkins)
    polling.sweep()
    with polling.state.writing():
        polling.state.change("UPDATE placed SET level = NULL")
    before = len(polling.spans)
    polling.sweep(reread_age=EVER)
    added = polling.spans[before:]
    least = [span for span in polling.spans[:before] if span.attributes[c.JENKINS_TYPE] in AT_LEAST]
    assert sorted(span.span_id for span in [*least, *added]) == sorted(one for ids in whole.values() for one in ids)
    polling.state.close()


def test_only_builds_of_that_time_are_read_again(tmp_path: Path, jenkins: Replay) -> None:
    starts = [
        one["timestamp"] for path, one in jenkins.documents.items() if path.startswith("/job/app-") and "timestamp" in one
    ]
    first = told(tmp_path / "first", jenkins, "build")
    second = Polling(tmp_path / "second", jenkins, since_ms=max(starts), state_of=first)
    assert second.sweep(reread_age=second.age_of(max(starts))).reread == 1
    second.state.close()


def test_a_build_that_was_never_told_is_told_whole(tmp_path: Path, jenkins: Replay, whole: dict[Run, list[str]]) -> None:
    polling = Polling(tmp_path / "poller", jenkins)
    jenkins.faults = [Fault("^/job/app-deploy/", "status", status=500)]
    polling.sweep()
    polling.wait(minutes=25 * 60)
    assert any(line.startswith("gave up on") for line in polling.sweep().problems)
    jenkins.faults = []
    polling.sweep(reread_age=EVER)
    assert polling.emitted == whole
    polling.state.close()


def test_a_build_that_cannot_be_read_again_stops_no_other(tmp_path: Path, jenkins: Replay) -> None:
    first = told(tmp_path / "first", jenkins, "build")
    second = Polling(tmp_path / "second", jenkins, state_of=first)
    jenkins.faults = [Fault("^/job/app-deploy/", "status", status=500)]
    swept = second.sweep(reread_age=EVER)
    assert swept.reread == 2
    assert swept.problems
    assert all("cannot be read again" in line for line in swept.problems)
    second.state.close()


def test_after_a_plugin_is_installed_what_only_it_tells_is_added(tmp_path: Path) -> None:
    with ModelJenkins([play(shapes.NAMED["plain"], start_ms=START_MS)], set()) as jenkins:
        first = told(tmp_path / "first", jenkins, "step")
        jenkins.plugins = {"graph-view"}
        second = Polling(tmp_path / "second", jenkins, state_of=first)
        second.sweep(reread_age=EVER)
        second.state.close()
        whole = told(tmp_path / "whole", jenkins, "step")
    assert {span.attributes[c.JENKINS_TYPE] for span in second.spans} == {c.TYPE_CLEANUP}
    assert together(first, second) == whole.emitted


def test_the_command_says_how_many_spans_were_added(env: dict[str, str], jenkins: Replay) -> None:
    assert support.poll(jenkins.url, "--detail", "stage", env=env).returncode == 0
    before = len(support.stored(env))
    done = support.poll(jenkins.url, "--reread", "36500d", env=env)
    added = len(support.stored(env)) - before
    assert (done.returncode, done.stderr) == (0, "")
    assert f"5 builds read again, {added} spans added" in done.stdout.splitlines()
    assert added > 0


@pytest.mark.parametrize(
    "options", [("--reread", "7d"), ("--once", "--open", "--reread", "7d"), ("--once", "--reread", "7")][:]
)
def test_reread_is_for_a_single_poll(env: dict[str, str], options: tuple[str, ...]) -> None:
    done = support.trace("poll", "--jenkins-url", "http://127.0.0.1:1", *options, env=env)
    assert done.returncode == 2
    assert "--reread" in done.stderr
