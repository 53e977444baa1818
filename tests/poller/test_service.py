"""The poller as a service: signals, logs, rates, TLS, logins. The real command against replayed recordings."""

from __future__ import annotations

import json
import logging
import shlex
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import support
import yaml
from support import processes, tls
from support.service import Service

from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.rate import Rate
from jenkins_poller.poll import logs
from jenkins_poller.poll.discovery import Selection
from jenkins_poller.poll.poller import Poller
from jenkins_poller.poll.state import State
from jenkins_poller.poll.swept import PollSettings, SweepError
from pipeline_trace_demo.replay import Fault, Replay

USER, TOKEN = "reader", "11abcdef0123456789"
BUILDS = 5
TIMES = "times of stages come from Pipeline: Stage View"
SINCE = ("--since", "5000w")


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with Replay(support.recording("11")) as replay:
        yield replay


def runs(env: Mapping[str, str]) -> list[str]:
    return [span["span_id"] for span in support.by_type(support.stored(env), "run")]


def wait_for_builds(env: Mapping[str, str], count: int = BUILDS) -> None:
    processes.wait_for(lambda: len(runs(env)) >= count, f"{count} builds")


# Ends


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_service_ends_at_once_and_well(
    env: dict[str, str], jenkins: Replay, start: Callable[..., Service], number: signal.Signals
) -> None:
    service = start("--jenkins-url", jenkins.url, "--interval", "600", *SINCE)
    wait_for_builds(env)
    assert service.end(number) == (0, "")
    assert support.journals(env) == []


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_builds_under_way_are_finished_and_the_rest_comes_with_the_next_poll(
    env: dict[str, str], start: Callable[..., Service], number: signal.Signals
) -> None:
    with Replay(support.recording("80")) as jenkins:
        # Four groups of builds are begun together; each hangs in one request.
        jenkins.faults = [Fault("wfapi", "slow", seconds=0.3)]
        service = start("--jenkins-url", jenkins.url, *SINCE)
        processes.wait_for(lambda: [r for r in jenkins.requests if "wfapi" in r.path], "first slow request")
        assert service.end(number) == (0, "")
        begun = len(runs(env))
        jenkins.faults = []
        assert support.poll(jenkins.url, env=env).returncode == 0
    assert 1 <= begun < len(runs(env))
    assert Counter(runs(env)).most_common(1)[0][1] == 1


@pytest.mark.process
def test_a_second_signal_ends_at_once(env: dict[str, str], jenkins: Replay, start: Callable[..., Service]) -> None:
    jenkins.faults = [Fault("wfapi", "slow", seconds=30)]
    service = start("--jenkins-url", jenkins.url, *SINCE)
    processes.wait_for(lambda: [r for r in jenkins.requests if "wfapi" in r.path], "first slow request")
    service.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert service.process.poll() is None
    status, said = service.end()
    assert status == 128 + signal.SIGTERM
    assert "Traceback" not in said


@pytest.mark.process
def test_ctrl_c_ends_a_single_poll_after_the_builds_under_way(
    env: dict[str, str], jenkins: Replay, start: Callable[..., Service]
) -> None:
    jenkins.faults = [Fault(r"job/[^/]+/\d+/wfapi", "slow", seconds=1)]
    service = start("--once", "--jenkins-url", jenkins.url, *SINCE)
    processes.wait_for(lambda: [r for r in jenkins.requests if "wfapi" in r.path], "first slow request")
    status, said = service.end(signal.SIGINT)
    assert (status, said.strip()) == (130, "")
    assert len(support.journals(env)) == 1
    assert support.poll(jenkins.url, env=env).returncode == 0
    assert len(runs(env)) == BUILDS


@pytest.mark.process
def test_no_pause_holds_up_the_end(env: dict[str, str], jenkins: Replay, start: Callable[..., Service]) -> None:
    jenkins.faults = [Fault("", "status", status=503, headers={"Retry-After": "60"})]
    service = start("--jenkins-url", jenkins.url)
    processes.wait_for(lambda: jenkins.requests, "first request")
    status, said = service.end()
    assert status == 0
    assert len(said.splitlines()) == 1


@pytest.mark.process
def test_a_second_poller_on_one_state_says_so(env: dict[str, str], jenkins: Replay, start: Callable[..., Service]) -> None:
    service = start("--jenkins-url", jenkins.url, *SINCE)
    wait_for_builds(env)
    asked = len(jenkins.requests)
    second = start("--jenkins-url", jenkins.url)
    out, err = second.process.communicate(timeout=20)
    assert (second.process.returncode, out, len(err.splitlines())) == (1, "", 1)
    assert "another poller" in err
    assert "stop it first" in err
    assert len(jenkins.requests) == asked
    assert service.end() == (0, "")


def test_what_a_killed_poller_left_half_written_is_taken_away(tmp_path: Path) -> None:
    state = State(tmp_path / "pollers", "http://ci")
    (state.folder / "1-2.journal").write_text("half of it")
    state.close()
    state = State(tmp_path / "pollers", "http://ci")
    assert list(state.folder.iterdir()) == []
    state.close()


def test_a_journal_is_found_by_others_only_when_it_is_whole(
    tmp_path: Path, jenkins: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path / "pollers", jenkins.url)
    settings = PollSettings("step", "pipeline", 1e9 * 5, Selection())
    service = {"service.name": "ci"}
    poller = Poller(Controller(jenkins.url), state, tmp_path / "journals", settings, lambda url: service)
    written: list[str] = []

    def refused(path: Path, target: Path) -> Path:
        written.append(path.read_text())
        raise OSError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        with pytest.raises(SweepError, match="PIPELINE_TRACE_HOME"):
            poller.sweep()
    (whole,) = written
    assert '"type":"end"' in whole.splitlines()[-1]
    # The next poll reads the builds again, so nothing stays behind.
    assert list(state.folder.iterdir()) == []
    (tmp_path / "journals").mkdir()
    assert poller.sweep().builds == BUILDS
    assert len(list((tmp_path / "journals").iterdir())) == 1
    state.close()


# Several controllers in one process


@pytest.mark.process
def test_a_controller_that_hangs_does_not_hold_up_the_others(
    env: dict[str, str], jenkins: Replay, start: Callable[..., Service], tmp_path: Path
) -> None:
    with Replay(support.recording("20")) as slow:
        slow.faults = [Fault("", "slow", seconds=30)]
        file = tmp_path / "poller.yaml"
        controllers = [{"url": slow.url}, {"url": jenkins.url, "since": "5000w", "interval": 1}]
        file.write_text(yaml.safe_dump({"controllers": controllers}))
        service = start("--config", file)
        wait_for_builds(env)
        processes.wait_for(lambda: len([r for r in jenkins.requests if "/api/json?tree=jobs" in r.path]) > 2, "third poll")
        assert len(slow.requests) == 1
        service.close()


# Logs


@pytest.mark.process
def test_nothing_is_said_where_nothing_is_wrong(env: dict[str, str], jenkins: Replay, start: Callable[..., Service]) -> None:
    service = start("--jenkins-url", jenkins.url, *SINCE)
    wait_for_builds(env)
    assert service.end() == (0, "")


def in_text(line: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in shlex.split(line))


@pytest.mark.process
@pytest.mark.parametrize(("form", "read"), [("text", in_text), ("json", json.loads)])
def test_a_log_has_a_line_a_message_that_programs_can_read(
    env: dict[str, str], jenkins: Replay, start: Callable[..., Service], form: str, read: Callable[[str], dict[str, Any]]
) -> None:
    service = start("--jenkins-url", jenkins.url, *SINCE, "-v", "--log-format", form)
    wait_for_builds(env)
    time.sleep(0.2)
    status, said = service.end()
    lines = [read(line) for line in said.splitlines()]
    assert status == 0
    assert [line["msg"] for line in lines] == ["polling", TIMES, "polled", "delivered", "ended"]
    assert all({"time", "level"} <= line.keys() for line in lines)
    assert {line["level"] for line in lines} == {"info"}
    assert (lines[2]["controller"], int(lines[2]["builds"]), int(lines[2]["spans"])) == (jenkins.url, BUILDS, 78)


@pytest.mark.process
def test_trouble_is_said_when_it_begins_and_when_it_is_over(
    env: dict[str, str], jenkins: Replay, start: Callable[..., Service]
) -> None:
    jenkins.faults = [Fault("", "status", status=403)]
    service = start("--jenkins-url", jenkins.url, "--interval", "1", *SINCE)
    processes.wait_for(lambda: len(jenkins.requests) > 2, "third poll")
    jenkins.faults = []
    wait_for_builds(env)
    _, said = service.end()
    first, last = said.splitlines()
    assert "403" in in_text(first)["msg"]
    assert in_text(first)["controller"] == jenkins.url
    assert in_text(last)["msg"] == "polling works again"


@pytest.mark.process
def test_spans_that_wait_are_counted_in_one_line_and_sent_later(
    env: dict[str, str], jenkins: Replay, start: Callable[..., Service]
) -> None:
    service = start(
        "--jenkins-url",
        jenkins.url,
        "--interval",
        "1",
        *SINCE,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
    )
    processes.wait_for(lambda: len([r for r in jenkins.requests if "tree=jobs" in r.path]) > 2, "third poll")
    _, said = service.end()
    (line,) = said.splitlines()
    assert "78 spans wait in" in line
    assert support.trace("ship", env=env).returncode == 0
    assert len(runs(env)) == BUILDS


# Logins


@pytest.mark.process
@pytest.mark.parametrize("verbosity", [[], ["-vv"]])
@pytest.mark.parametrize("token", [TOKEN, "wrong" + TOKEN])
def test_no_token_is_ever_said(
    env: dict[str, str], start: Callable[..., Service], tmp_path: Path, verbosity: list[str], token: str
) -> None:
    with Replay(support.recording("11"), login=(USER, TOKEN)) as jenkins:
        (tmp_path / "token").write_text(token)
        arguments = ("--jenkins-url", jenkins.url, "--token-file", tmp_path / "token", "--interval", "1", *SINCE, *verbosity)
        service = start(*arguments, JENKINS_USER=USER)
        processes.wait_for(lambda: len([r for r in jenkins.requests if "tree=jobs" in r.path]) > 1, "second poll")
        status, said = service.end()
    assert status == 0
    assert TOKEN not in said
    files = [path for path in Path(env["PIPELINE_TRACE_HOME"]).rglob("*") if path.is_file()]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize("form", ["text", "json", "plain"])
def test_a_token_is_masked_wherever_it_would_stand(capsys: pytest.CaptureFixture[str], form: str) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.set_up(form, 0, ["kept4ourselves"])
        logs.say(logging.WARNING, "it said kept4ourselves\nand more", where="at kept4ourselves")
        try:
            raise ValueError("kept4ourselves")
        except ValueError:
            logs.LOGGER.exception("oh")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    said = capsys.readouterr().err
    assert "kept4ourselves" not in said
    assert len(said.splitlines()) == 2


def test_extra_headers_are_sent_and_their_values_not_said(env: dict[str, str], jenkins: Replay) -> None:
    # It has the form of nothing that is masked by its form.
    headers = {"JENKINS_API_EXTRA_HEADERS": "X-Gate: kept4ourselves\nAuthorization: Basic x"}
    done = support.poll(jenkins.url, "-vv", env={**env, **headers})
    assert done.returncode == 0
    assert "kept4ourselves" not in done.stdout + done.stderr
    assert jenkins.requests[0].authorized


# Requests


def test_requests_begin_as_far_apart_as_the_rate_says(env: dict[str, str], jenkins: Replay, tmp_path: Path) -> None:
    file = tmp_path / "poller.yaml"
    controller = {"url": jenkins.url, "since": "5000w", "detail": "build", "requests_per_second": 10}
    file.write_text(yaml.safe_dump({"controllers": [controller]}))
    assert support.trace("poll", "--once", "--config", file, env=env).returncode == 0
    begun = [request.started for request in jenkins.requests]
    assert len(begun) >= 3
    assert (begun[-1] - begun[0]) / (len(begun) - 1) > 0.095


def test_many_threads_together_keep_to_one_rate() -> None:
    slept: list[float] = []
    rate = Rate(100, slept.append)
    for _ in range(11):
        rate.wait()
    assert 0.09 < slept[-1] <= 0.1
    assert slept == sorted(slept)


def test_no_rate_means_no_pause() -> None:
    slept: list[float] = []
    Rate(None, slept.append).wait()
    assert slept == []


def test_at_most_four_requests_at_once_over_as_many_connections(env: dict[str, str], jenkins: Replay) -> None:
    opened: list[object] = []
    serve = jenkins._server.process_request

    def count(request: Any, client: Any) -> None:
        opened.append(client)
        serve(request, client)

    jenkins._server.process_request = count  # type: ignore[method-assign]
    jenkins.faults = [Fault("wfapi", "slow", seconds=0.02)]
    assert support.poll(jenkins.url, env=env).returncode == 0
    assert len(jenkins.requests) > 15
    assert jenkins.most_at_once <= 4
    assert len(opened) <= 4


# TLS


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A controller behind TLS, and the certificate of the authority that signed its own."""
    replay = Replay(support.recording("11"))
    certificate, context = tls.authority(tmp_path)
    url = tls.serve(replay, context)
    with replay:
        yield url, certificate


@pytest.mark.parametrize("more", [{}, {"PYTHONHTTPSVERIFY": "0"}])
def test_a_certificate_of_an_unknown_authority_is_not_trusted(
    env: dict[str, str], secured: tuple[str, Path], more: dict[str, str]
) -> None:
    done = support.poll(secured[0], env={**env, **more})
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "is not trusted" in line
    assert "REQUESTS_CA_BUNDLE" in line


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_own_authority_is_trusted_by_the_standard_variables(
    env: dict[str, str], secured: tuple[str, Path], variable: str
) -> None:
    done = support.poll(secured[0], env={**env, variable: str(secured[1])})
    assert (done.returncode, done.stderr) == (0, "")
    assert len(runs(env)) == BUILDS


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_file_of_authorities_that_is_not_there_is_named(
    env: dict[str, str], secured: tuple[str, Path], variable: str
) -> None:
    done = support.poll(secured[0], env={**env, variable: "/nowhere/ca.pem"})
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "/nowhere/ca.pem" in line
