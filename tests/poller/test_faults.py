"""A backfill through whatever a controller, a network or a clock does: late, perhaps, but whole and once.

What a single fault at a single spot does is in tests/whole/test_bad_input.py.
"""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import support
from controller import Controller
from support import processes
from support.otlp_receiver import Receiver, free_port
from support.polling import ROOT, Polling, Run

from jenkins_poller.poll.swept import SweepError
from pipeline_trace_demo.faults import Kind
from pipeline_trace_demo.replay import Fault, Replay

RECORDING = "11"
KINDS: list[Kind] = ["html", "cut_json", "cut", "close", "starting"]
STATUSES = [401, 403, 429, 500, 502, 504]
DAY_S = 86_400


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with Replay(support.recording(RECORDING), root_url=ROOT) as replay:
        yield replay


@pytest.fixture
def polling(tmp_path: Path, jenkins: Replay) -> Iterator[Polling]:
    found = Polling(tmp_path / "poller", jenkins)
    yield found
    found.state.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[Run, list[str]]:
    """What a poll without faults emits of each build."""
    with Replay(support.recording(RECORDING), root_url=ROOT) as replay:
        found = Polling(tmp_path_factory.mktemp("whole"), replay)
        found.sweep()
        found.state.close()
    return found.emitted


def sweep_until_all_is_read(polling: Polling, most: int = 40) -> None:
    for _ in range(most):
        with suppress(SweepError):
            if polling.sweep().unread == 0:
                return
        polling.wait(minutes=20)
    pytest.fail(f"{most} sweeps did not read everything")


@pytest.mark.parametrize("seed", range(8))
def test_a_backfill_through_faults_at_random_is_whole_and_emitted_once(
    polling: Polling, jenkins: Replay, whole: dict[Run, list[str]], seed: int
) -> None:
    chance = random.Random(seed)
    faults = []
    for _ in range(60):
        after, kind = chance.randrange(300), chance.choice([*KINDS, *STATUSES])
        if isinstance(kind, int):
            faults.append(Fault("", "status", 1, after, status=kind, headers={"Retry-After": "0"}))
        else:
            faults.append(Fault("", kind, 1, after))
    jenkins.faults = faults
    sweep_until_all_is_read(polling)
    assert polling.emitted == whole
    assert jenkins.most_at_once <= 4


@pytest.mark.parametrize("kind", ["slow", "slow_body"])
def test_answers_slower_than_the_time_out_are_asked_for_again(
    tmp_path: Path, jenkins: Replay, whole: dict[Run, list[str]], monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr("jenkins_poller.fetch.client.TIMEOUT_SECONDS", (0.2, 0.2))
    polling = Polling(tmp_path / "poller", jenkins)
    jenkins.faults = [Fault("wfapi/", kind, seconds=0.6)]
    assert "does not answer" in polling.sweep().problems[0]
    jenkins.faults = [Fault("wfapi/", kind, times=1, seconds=0.6)]
    polling.wait(minutes=6)
    sweep_until_all_is_read(polling)
    polling.state.close()
    assert polling.emitted == whole


def test_a_controller_that_lost_all_its_builds_is_not_asked_for_them_for_ever(polling: Polling, jenkins: Replay) -> None:
    for job, builds in (("app-build", 2), ("app-deploy", 3)):
        for number in range(1, builds + 1):
            jenkins.drop_build(job, number)
    jenkins.edit("/computer/api/json", lambda document: {**document, "computer": []})
    for _ in range(3):
        assert polling.sweep().builds == 0
    jenkins.reset()
    polling.sweep()
    assert len(jenkins.requests) == 1
    jenkins.load(support.recording(RECORDING))
    assert polling.state.open_builds() == {}


@pytest.mark.parametrize("step_s", [-DAY_S, DAY_S])
def test_a_clock_that_jumps_at_every_look_loses_nothing(
    polling: Polling,
    jenkins: Replay,
    whole: dict[Run, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    step_s: int,
) -> None:
    now_s = time.time()
    looks = count()
    monkeypatch.setattr(time, "time_ns", lambda: int((now_s + next(looks) * step_s) * 1e9))
    monkeypatch.setattr(time, "time", lambda: now_s + next(looks) * step_s)
    jenkins.faults = [Fault("^/job/app-deploy/", "starting")]
    polling.failing()
    jenkins.faults = []
    polling.sweep()
    assert polling.emitted == whole


@pytest.mark.process
def test_a_service_outlives_the_start_of_its_controller(tmp_path: Path, env: dict[str, str]) -> None:
    words = [support.BIN / "pipeline-trace", "poll", "--since", "36500d", "--interval", "1", "--jenkins-url"]
    with Replay(support.recording(RECORDING)) as jenkins, (tmp_path / "stderr").open("w") as stderr:
        jenkins.faults = [Fault("", "starting")]
        poller = subprocess.Popen([*map(str, words), jenkins.url], env=env, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            processes.wait_for(lambda: "503" in (tmp_path / "stderr").read_text(), "line about the start")
            assert support.stored(env) == []
            jenkins.faults = []
            processes.wait_for(lambda: len(support.by_type(support.stored(env), "run")) == 5, "end of the backfill")
        finally:
            poller.send_signal(signal.SIGTERM)
        assert poller.wait(20) == 0


@pytest.mark.process
def test_receiver_that_is_down_for_a_whole_backfill_gets_all_with_the_next_poll(tmp_path: Path, env: dict[str, str]) -> None:
    port = free_port()
    env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    with Controller(60, 110) as jenkins:
        down = support.trace("poll", "--once", "--detail", "stage", "--jenkins-url", jenkins.url, env=env)
        said = re.fullmatch(r"110 builds read, (\d+) spans\n", down.stdout)
        assert down.returncode == 0
        assert said
        (line,) = down.stderr.splitlines()
        assert f"{said[1]} spans wait in" in line
        assert len(support.journals(env)) > 1
        with Receiver(http_port=port) as receiver:
            up = support.trace("poll", "--once", "--detail", "stage", "--jenkins-url", jenkins.url, env=env)
            spans = receiver.spans()
    assert (up.returncode, up.stderr) == (0, "")
    assert len({span["span_id"] for span in spans}) == len(spans) == int(said[1])
    assert support.journals(env) == []
