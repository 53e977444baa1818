"""Spans go through a real Collector: they arrive, they outlive kills of either side, and together nothing is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import support
from support import processes, runs
from support.otel_collector import Collector
from support.otlp_receiver import Fault, Protocol, Receiver
from support.toolchains import needs_collector

from pipeline_trace_demo import telling
from pipeline_trace_demo.replay import Replay

pytestmark = needs_collector

Env = dict[str, str]
Spans = list[dict[str, Any]]

AWAY = Fault("status", status=503)
# A playbook and a play, two tasks with three hosts each.
PLAYBOOK_SPANS = 10


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """A clean environment; after the test no process of it is left."""
    env = support.environ(tmp_path)
    (tmp_path / "marks").mkdir()
    yield env
    (tmp_path / "marks" / "go").touch()
    runs.end_all(env)


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    """A controller on which a build deploys by others."""
    with Replay(support.recording("11-app-build-deploy")) as jenkins:
        yield jenkins


@pytest.fixture
def backend() -> Iterator[Receiver]:
    """What stands behind the Collector."""
    with Receiver() as backend:
        yield backend


@pytest.fixture
def collector(tmp_path: Path, backend: Receiver) -> Iterator[Collector]:
    """The Collector to which all is sent."""
    with Collector(tmp_path / "collector", "gateway", backend=backend.http_url) as collector:
        yield collector


def polled(tmp_path: Path, jenkins: Replay) -> set[str]:
    """Return the ids of what a poller makes of a controller's builds: they are always the same."""
    folder = tmp_path / "expected"
    folder.mkdir()
    env = support.environ(folder)
    assert support.poll(jenkins.url, env=env).returncode == 0
    return runs.ids(support.stored(env))


def wait_for_ids(backend: Receiver, expected: set[str], seconds: float = 30.0) -> Spans:
    """Return the spans behind the Collector when all of these have arrived."""

    def arrived() -> bool:
        return expected <= runs.ids(backend.spans())

    processes.wait_for(arrived, f"arrival of all {len(expected)} spans", seconds)
    return backend.spans()


def play(tmp_path: Path, env: Env) -> set[str]:
    """Run a playbook of no wait; return the ids of its spans."""
    run = runs.Run(tmp_path / "run", env, support.write_playbook(tmp_path, support.DEPLOY))
    run.find_journal()
    assert run.end() == 0, run.stderr
    ids = run.kept().ids
    assert len(ids) == PLAYBOOK_SPANS
    run.close()
    return ids


@contextmanager
def slow_playbook(tmp_path: Path, env: Env) -> Iterator[runs.Run]:
    """A playbook in the middle of its second task."""
    playbook = support.write_playbook(tmp_path, support.WAITING, "slow.yml")
    run = runs.Run(tmp_path / "slow", env, playbook, "-e", f"marks={tmp_path / 'marks'}")
    try:
        run.find_journal()
        processes.wait_for(lambda: len(list((tmp_path / "marks").glob("h*"))) == 3, "hosts in the slow task", 60)
        yield run
    finally:
        run.close()


@contextmanager
def polling(jenkins: Replay, env: Env) -> Iterator[subprocess.Popen[bytes]]:
    """A poller that looks every second, for as long as it is let."""
    words = ["poll", "--since", "36500d", "--interval", "1", "--jenkins-url", jenkins.url]
    poller = subprocess.Popen(
        [support.BIN / "pipeline-trace", *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield poller
    finally:
        poller.terminate()
        poller.wait(30)


def go_on(tmp_path: Path) -> None:
    (tmp_path / "marks" / "go").touch()


def ship(env: Env) -> None:
    """Deliver what waits; nothing may wait after it."""
    done = support.trace("ship", env=env)
    assert (done.returncode, support.journals(env)) == (0, []), done.stderr


# Arrival


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_playbook_exec_and_poller_are_one_trace_behind_the_collector(
    tmp_path: Path, env: Env, jenkins: Replay, backend: Receiver, collector: Collector, protocol: Protocol
) -> None:
    expected = polled(tmp_path, jenkins)
    sending = {**env, **collector.environ(protocol)}
    (deploy,) = telling.deploys(jenkins, [("app-deploy", 1)])
    expected |= play(tmp_path, {**sending, **deploy.environment})
    assert support.spawn("exec", "--", "true", env={**sending, **deploy.environment}).returncode == 0
    assert support.poll(jenkins.url, env=sending).returncode == 0
    spans = wait_for_ids(backend, expected)
    command = processes.wait_for(lambda: [s for s in backend.spans() if s["name"] == "true"], "span of exec")[0]
    by_id = {span["span_id"]: span for span in spans}
    for span in (support.named(spans, "playbook site.yml"), command):
        names = [span["name"]]
        while span["parent_span_id"]:
            assert by_id[span["parent_span_id"]]["trace_id"] == span["trace_id"]
            span = by_id[span["parent_span_id"]]
            names.append(span["name"])
        assert names[1:3] == ["Run playbook", "RUN app-deploy"]
        assert names[-1] == "RUN app-build"
    # Nothing twice where nothing went wrong, and nothing is left with us.
    assert len(backend.spans()) == len(expected) + 1
    assert support.journals(env) == []


def test_what_passes_through_is_not_changed(
    tmp_path: Path, env: Env, jenkins: Replay, backend: Receiver, collector: Collector
) -> None:
    with Receiver() as direct:
        (tmp_path / "direct").mkdir()
        assert support.poll(jenkins.url, env={**support.environ(tmp_path / "direct"), **direct.environ()}).returncode == 0
        assert support.poll(jenkins.url, env={**env, **collector.environ()}).returncode == 0
        expected = {span["span_id"]: span for span in direct.spans()}
    assert {span["span_id"]: span for span in wait_for_ids(backend, set(expected))} == expected


def test_many_controllers_send_to_one_collector(tmp_path: Path, env: Env, backend: Receiver, collector: Collector) -> None:
    """The same builds under the names of two controllers: nothing of one is taken for the other's."""
    expected: set[str] = set()
    for name in ("one.example", "two.example"):
        with Replay(support.recording("11-app-build-deploy"), root_url=f"http://{name}") as jenkins:
            (tmp_path / name).mkdir()
            own = polled(tmp_path / name, jenkins)
            assert own
            assert not own & expected
            expected |= own
            assert support.poll(jenkins.url, env={**env, **collector.environ()}).returncode == 0
    spans = wait_for_ids(backend, expected)
    assert {span["resource"]["service.name"] for span in spans} == {"one.example", "two.example"}


def test_token_and_certificate_are_asked_for(tmp_path: Path, env: Env, backend: Receiver) -> None:
    """With the standard variables that every tool reads."""
    with Receiver(tls=True) as owner:
        certificate = owner.certificate
        assert certificate
        given = {
            "COLLECTOR_TOKEN": "t0ken",
            "COLLECTOR_CERTIFICATE": str(certificate),
            "COLLECTOR_KEY": str(certificate.with_name("both.pem")),
        }
        folder = tmp_path / "collector"
        with Collector(folder, "gateway", "token", backend=backend.http_url, env=given) as collector:
            known = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate)}
            for protocol in ("http", "grpc"):
                sending = {**env, **collector.environ(protocol), **known}
                (tmp_path / protocol).mkdir()
                before = len(backend.spans())
                ids = play(tmp_path / protocol, sending)
                # Nobody takes it without the token; it waits.
                assert (len(backend.spans()), len(support.journals(env))) == (before, 1)
                env_with_token = {**sending, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20t0ken"}
                ship(env_with_token)
                wait_for_ids(backend, ids)


# Kills of the Collector


def test_what_it_accepted_outlives_its_kill_while_the_backend_is_away(
    tmp_path: Path, env: Env, jenkins: Replay, backend: Receiver, collector: Collector
) -> None:
    backend.fault = AWAY
    sending = {**env, **collector.environ()}
    expected = polled(tmp_path, jenkins) | play(tmp_path, sending)
    assert support.poll(jenkins.url, env=sending).returncode == 0
    processes.wait_for(lambda: not support.journals(env), "delivery to the Collector")
    collector.kill()
    assert backend.spans() == []
    backend.fault = None
    collector.start()
    wait_for_ids(backend, expected)


def test_what_it_could_not_take_waits_in_our_journals(
    tmp_path: Path, env: Env, jenkins: Replay, backend: Receiver, collector: Collector
) -> None:
    collector.kill()
    sending = {**env, **collector.environ()}
    expected = polled(tmp_path, jenkins) | play(tmp_path, sending)
    told = support.poll(jenkins.url, env=sending)
    assert (told.returncode, "wait" in told.stderr) == (0, True), told.stderr
    collector.start()
    ship(sending)
    wait_for_ids(backend, expected)


def test_queue_that_is_full_leaves_the_rest_with_us(tmp_path: Path, env: Env, backend: Receiver) -> None:
    backend.fault = AWAY
    queue = "exporters__otlp_http__sending_queue__"
    small = {f"{queue}queue_size": 40, f"{queue}batch__min_size": 1, f"{queue}batch__max_size": 40}
    with Collector(tmp_path / "collector", "gateway", backend=backend.http_url, **small) as collector:
        sending = {**env, **collector.environ(), "PIPELINE_TRACE_FLUSH_LIMIT": "1"}
        expected: set[str] = set()
        for name in ("1", "2", "3", "4", "5"):
            (tmp_path / name).mkdir()
            expected |= play(tmp_path / name, sending)
        assert support.journals(env) != []
        assert "sending queue is full" in collector.said
        backend.fault = None
        processes.wait_for(lambda: support.trace("ship", env=sending).returncode == 0 and not support.journals(env), "end")
        wait_for_ids(backend, expected)


def test_restart_in_the_middle_of_a_playbook_costs_nothing(
    tmp_path: Path, env: Env, backend: Receiver, collector: Collector
) -> None:
    sending = {**env, **collector.environ("grpc"), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
    with slow_playbook(tmp_path, sending) as run:
        collector.stop()
        collector.start()
        go_on(tmp_path)
        assert run.end() == 0, run.stderr
        ids = run.kept().ids
    assert len(ids) == PLAYBOOK_SPANS
    spans = wait_for_ids(backend, ids)
    assert not [span["name"] for span in spans if any(event["name"] == "interrupted" for event in span["events"])]


def test_kills_again_and_again_while_everybody_sends_lose_nothing(
    tmp_path: Path, env: Env, jenkins: Replay, backend: Receiver, collector: Collector
) -> None:
    """Collector killed, backend away and back, three playbooks and a poller at once."""
    dice = random.Random(22)
    sending = {**env, **collector.environ()}
    expected = polled(tmp_path, jenkins)
    over = threading.Event()

    def trouble() -> None:
        while not over.wait(dice.uniform(0.3, 0.8)):
            backend.fault = dice.choice([AWAY, None, Fault("close"), Fault("slow", seconds=0.3)])
            collector.kill()
            over.wait(dice.uniform(0.0, 0.5))
            collector.start()

    troubling = threading.Thread(target=trouble)
    troubling.start()
    try:
        playbooks = [
            runs.Run(tmp_path / str(n), sending, support.write_playbook(tmp_path, support.DEPLOY)) for n in range(3)
        ]
        for run in playbooks:
            run.find_journal()
        poller = support.poll(jenkins.url, env=sending)
        for run in playbooks:
            assert run.end() == 0, run.stderr
            expected |= run.kept().ids
            run.close()
        # Some of it comes only now.
        for _ in range(3):
            support.trace("ship", env=sending)
    finally:
        over.set()
        troubling.join()
    assert poller.returncode == 0, poller.stderr
    backend.fault = None
    ship(sending)
    assert len(expected) > 3 * PLAYBOOK_SPANS
    wait_for_ids(backend, expected)


def test_collector_near_the_agents_keeps_all_while_the_gateway_is_killed(
    tmp_path: Path, env: Env, backend: Receiver, collector: Collector
) -> None:
    gateway = collector.environ()["OTEL_EXPORTER_OTLP_ENDPOINT"]
    with Collector(tmp_path / "near", "near", backend=gateway) as near:
        collector.kill()
        ids = play(tmp_path, {**env, **near.environ()})
        processes.wait_for(lambda: not support.journals(env), "delivery to the near one")
        near.kill()
        near.start()
        collector.start()
        wait_for_ids(backend, ids)


def test_poller_that_goes_on_delivers_when_the_collector_is_back(
    tmp_path: Path, env: Env, jenkins: Replay, backend: Receiver, collector: Collector
) -> None:
    expected = polled(tmp_path, jenkins)
    collector.kill()
    with polling(jenkins, {**env, **collector.environ()}):
        processes.wait_for(lambda: support.journals(env), "journals that wait")
        collector.start()
        wait_for_ids(backend, expected)


# Kills of ours


def test_kill_of_the_playbook_and_of_what_ships_it_loses_nothing_behind_the_collector(
    tmp_path: Path, env: Env, backend: Receiver, collector: Collector
) -> None:
    sending = {**env, **collector.environ()}
    with slow_playbook(tmp_path, sending) as run:
        shipping = run.shipping()
        subprocess.run(["kill", "-KILL", str(shipping)], check=True)
        run.signal(signal.SIGKILL)
        assert run.end() == -signal.SIGKILL
        ids = run.kept().ids
        processes.wait_for(lambda: not processes.shipping(env), "end of the shipping process")
    go_on(tmp_path)
    ship(sending)
    spans = wait_for_ids(backend, ids)
    broken = {span["name"] for span in spans if any(event["name"] == "interrupted" for event in span["events"])}
    assert {"playbook slow.yml", "Deploy", "Slow"} <= broken


def test_kill_of_the_poller_loses_nothing_behind_the_collector(
    tmp_path: Path, env: Env, jenkins: Replay, backend: Receiver, collector: Collector
) -> None:
    expected = polled(tmp_path, jenkins)
    sending = {**env, **collector.environ()}
    with polling(jenkins, sending) as poller:
        processes.wait_for(lambda: support.journals(env) or backend.spans(), "first spans")
        poller.kill()
        poller.wait()
    assert support.poll(jenkins.url, env=sending).returncode == 0
    wait_for_ids(backend, expected)


def test_collector_that_comes_back_after_ours_was_killed_gets_all(
    tmp_path: Path, env: Env, backend: Receiver, collector: Collector
) -> None:
    """Both die, one after the other, with spans on both disks."""
    backend.fault = AWAY
    sending = {**env, **collector.environ()}
    with slow_playbook(tmp_path, sending) as run:
        time.sleep(1.5)
        collector.kill()
        run.signal(signal.SIGKILL)
        run.end()
        ids = run.kept().ids
    go_on(tmp_path)
    processes.wait_for(lambda: not processes.shipping(env), "end of the shipping process", 60)
    backend.fault = None
    collector.start()
    ship(sending)
    wait_for_ids(backend, ids)
