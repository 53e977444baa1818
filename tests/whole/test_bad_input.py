"""What users and networks get wrong: one clear line, the right exit status, nothing lost and nothing emitted in part.

Most faults of a controller are tried with a Poller in this process, whose pauses between retries are short. What is printed
is tried with whole commands, most of them in this process too.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import support
from support import processes
from support.polling import ROOT, TOKEN, USER, Polling, Run

from jenkins_poller.fetch.api import Controller, Login
from jenkins_poller.poll.state import State
from jenkins_poller.poll.swept import SweepError
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.faults import Kind
from pipeline_trace_demo.replay import Fault, Replay

LOGIN = Login(USER, TOKEN)
RECORDING = "11"
BUILDS = {("app-build", "1"), ("app-build", "2"), ("app-deploy", "1"), ("app-deploy", "2"), ("app-deploy", "3")}


# A poller in this process


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
    assert set(found.emitted) == BUILDS
    return found.emitted


def json_fault(match: str, body: str) -> Fault:
    return Fault(match, "status", status=200, body=body, content_type="application/json;charset=utf-8")


def status(match: str, number: int, **headers: str) -> Fault:
    return Fault(match, "status", status=number, headers=headers)


SPOTS = {
    "sweep": r"^/api/json\?tree=jobs",
    "builds": r"^/job/app-deploy/(\d+/)?api/json",
    "stages": r"^/job/app-deploy/(\d+/)?wfapi/",
    "log": r"^/job/app-deploy/2/execution/node/\d+/wfapi/log",
    "upstream": r"^/job/app-build/(1/)?api/json",
    "starter": r"^/job/app-build/1/execution/node/42/wfapi/log",
}
KINDS: list[Kind] = ["html", "cut_json", "cut", "close", "starting"]
FAULTS = [*KINDS, 401, 403, 429, 500, 502]


def assert_nothing_in_part(polling: Polling, whole: Mapping[Run, list[str]]) -> None:
    partly = [run for run, ids in polling.emitted.items() if ids != whole[run]]
    assert partly == []


def failed(polling: Polling) -> str:
    """Sweep, which fails as a whole or for some builds; return what people are told."""
    try:
        swept = polling.sweep()
    except SweepError as error:
        return str(error)
    assert swept.unread > 0
    return "\n".join(swept.problems)


@pytest.mark.parametrize("spot", SPOTS)
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_anywhere_loses_nothing_and_emits_nothing_in_part(
    polling: Polling, jenkins: Replay, whole: dict[Run, list[str]], kind: Kind | int, spot: str
) -> None:
    match = SPOTS[spot]
    jenkins.faults = [status(match, kind, **{"Retry-After": "0"}) if isinstance(kind, int) else Fault(match, kind)]
    said = failed(polling)
    assert TOKEN not in said
    assert re.search(r"check|login|JENKINS_USER|may be|starting|forbidden|log|later", said), said
    assert_nothing_in_part(polling, whole)
    jenkins.faults = []
    polling.wait(minutes=6)
    polling.sweep()
    assert polling.emitted == whole
    assert polling.sweep().builds == 0
    assert polling.emitted == whole


@pytest.mark.parametrize("kind", ["html", "cut_json", "cut", "close", "starting"])
def test_a_fault_that_passes_while_it_is_tried_again_is_not_noticed(
    polling: Polling, jenkins: Replay, whole: dict[Run, list[str]], kind: Kind
) -> None:
    jenkins.faults = [Fault(match, kind, times=1) for match in SPOTS.values()]
    polling.sweep()
    assert polling.emitted == whole


@pytest.mark.parametrize("body", ["null", "[]", '"text"'])
@pytest.mark.parametrize("spot", ["sweep", "builds", "upstream"])
def test_json_of_another_kind_is_an_answer_that_fails(
    polling: Polling, jenkins: Replay, whole: dict[Run, list[str]], body: str, spot: str
) -> None:
    """A proxy's, or another version's; null is a good answer of a node alone."""
    jenkins.faults = [json_fault(SPOTS[spot], body)]
    failed(polling)
    assert_nothing_in_part(polling, whole)
    jenkins.faults = []
    polling.wait(minutes=6)
    polling.sweep()
    assert polling.emitted == whole


@pytest.mark.parametrize("after", [0, 1, 3, 6, 10])
@pytest.mark.parametrize("number", [401, 403])
def test_a_token_revoked_in_the_middle_of_a_poll_loses_nothing(
    tmp_path: Path, whole: dict[Run, list[str]], after: int, number: int
) -> None:
    with Replay(support.recording(RECORDING), root_url=ROOT, login=(USER, TOKEN)) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins, LOGIN)
        jenkins.faults = [Fault("", "status", status=number, after=after)]
        failed(polling)
        assert_nothing_in_part(polling, whole)
        jenkins.faults = []
        polling.wait(minutes=6)
        polling.sweep()
        polling.state.close()
    assert polling.emitted == whole


def test_anonymous_reading_that_is_switched_off_in_the_middle_of_a_poll_loses_nothing(
    polling: Polling, jenkins: Replay, whole: dict[Run, list[str]]
) -> None:
    jenkins.faults = [Fault("wfapi/", "login", after=3)]
    assert "JENKINS_USER" in failed(polling)
    assert_nothing_in_part(polling, whole)
    jenkins.faults = []
    polling.wait(minutes=6)
    polling.sweep()
    assert polling.emitted == whole


def test_a_job_deleted_between_two_requests_does_not_end_the_sweep(
    polling: Polling, jenkins: Replay, whole: dict[Run, list[str]]
) -> None:
    jenkins.faults = [Fault("^/job/app-deploy/", "gone")]
    polling.sweep()
    assert polling.emitted == {run: ids for run, ids in whole.items() if run[0] == "app-build"}
    jenkins.faults = []
    polling.sweep()
    assert polling.emitted == whole


@pytest.mark.parametrize("after", range(10))
def test_a_build_deleted_between_two_requests_is_emitted_whole_or_not_at_all(
    polling: Polling, jenkins: Replay, whole: dict[Run, list[str]], after: int
) -> None:
    jenkins.faults = [Fault("^/job/app-deploy/2/", "gone", after=after)]
    polling.sweep()
    assert_nothing_in_part(polling, whole)
    assert set(polling.emitted) >= BUILDS - {("app-deploy", "2")}
    # It is gone: nobody asks for it again.
    assert polling.state.open_builds() == {}


def test_a_build_deleted_before_it_was_read_is_counted(polling: Polling, jenkins: Replay) -> None:
    jenkins.drop_build("app-deploy", 2)
    swept = polling.sweep()
    # Perhaps it is not visible yet.
    assert (swept.builds, swept.vanished) == (4, 0)
    assert polling.sweep().vanished == 1


def test_an_upstream_that_is_gone_makes_roots_with_links(polling: Polling, jenkins: Replay) -> None:
    jenkins.drop_build("app-build", 1)
    polling.sweep()
    upstream = Build(ROOT, "app-build", 1)
    started = [span for span in polling.spans if span.attributes.get(c.JENKINS_TYPE) == c.TYPE_RUN and "deploy" in span.name]
    assert started
    for run in started:
        own = Build(ROOT, "app-deploy", int(str(run.attributes[c.PIPELINE_RUN_ID])))
        assert (run.trace_id, run.parent_id) == (own.trace_id, None)
        assert [(link.trace_id, link.span_id) for link in run.links] == [(upstream.trace_id, upstream.run_span_id)]


def test_a_number_that_was_given_away_but_is_not_listed_yet_is_not_lost(
    polling: Polling, jenkins: Replay, whole: dict[Run, list[str]]
) -> None:
    """A job is seen first just when its first build begins: nextBuildNumber has moved, the list is still empty."""
    jenkins.faults = [json_fault(SPOTS["builds"], '{"builds":[]}')]
    polling.sweep()
    jenkins.faults = []
    polling.sweep()
    assert polling.emitted == whole


def test_half_a_character_in_a_stages_name_does_not_stop_the_poller(
    polling: Polling, jenkins: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(document: dict[str, list[dict[str, list[dict[str, str]]]]]) -> None:
        for action in document["actions"]:
            for one in action.get("nodes", []):
                if one.get("displayName") == "Smoke test":
                    one["displayName"] = "Smoke test \ud83d"

    # The replay writes JSON as UTF-8, which has no half characters: Jenkins escapes them.
    real = json.dumps
    monkeypatch.setattr(json, "dumps", lambda data, **options: real(data, **{**options, "ensure_ascii": True}))
    jenkins.edit("/job/app-deploy/2/api/json", cut)
    polling.sweep()
    assert set(polling.emitted) == BUILDS


def test_a_controller_in_trouble_is_left_alone_after_a_few_builds(polling: Polling, jenkins: Replay) -> None:
    jenkins.faults = [Fault(r"^/job/[^/]+/\d+/", "starting")]
    polling.failing()
    assert len(jenkins.requests) < 60
    assert jenkins.most_at_once <= 4


def test_waiting_is_as_long_as_the_controller_asks(tmp_path: Path, jenkins: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    polling = Polling(tmp_path / "poller", jenkins)
    jenkins.faults = [
        Fault("^/api/json", "status", status=429, headers={"Retry-After": "7"}, times=1),
        Fault("^/api/json", "status", status=503, headers={"Retry-After": "86400"}, times=1, after=1),
    ]
    polling.sweep()
    polling.state.close()
    assert slept == [7.0, 60.0]


# Whole commands


def assert_one_line(done: support.Completed, exit_status: int, *said: str) -> None:
    """One line on stderr, no traceback, no token anywhere; for wrong usage Click's own form."""
    assert done.returncode == exit_status, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert TOKEN not in done.stderr + done.stdout
    lines = done.stderr.splitlines()
    if exit_status == 2:
        lines = [line for line in lines if line.startswith("Error: ")]
    assert len(lines) == 1, done.stderr
    assert all(word in lines[0] for word in said), lines[0]


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    found = support.environ(tmp_path)
    yield found
    processes.end_all(found)


@cache
def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process try again at once."""
    monkeypatch.setitem(Controller.__init__.__kwdefaults__, "first_pause", 0.001)


def leave_span(env: Mapping[str, str]) -> None:
    """Leave a span in the store."""
    home = Path(env["PIPELINE_TRACE_HOME"])
    home.mkdir(mode=0o700)
    store = Store(home / "traces.db")
    store.deliver([Span("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", None, "span", 1, 2)], 5.0)
    store.close()


def poll_env(env: Mapping[str, str], **more: str) -> dict[str, str]:
    return {**env, "JENKINS_USER": USER, "JENKINS_API_TOKEN": TOKEN, **more}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://jenkins.invalid:8080/ci", "http://[::1]:{port}"])
def test_a_controller_that_cannot_be_reached(env: dict[str, str], url: str) -> None:
    url = url.format(port=closed_port())
    done = support.poll(url, env=poll_env(env))
    assert_one_line(done, 1, "does not answer", "--jenkins-url", url.removeprefix("http://").removesuffix("/ci"))
    assert done.stdout == ""
    assert support.stored(env) == []


def test_a_wrong_token(env: dict[str, str]) -> None:
    with Replay(support.recording(RECORDING), login=(USER, "another")) as jenkins:
        done = support.poll(jenkins.url, env=poll_env(env))
        assert len(jenkins.requests) == 1
    assert_one_line(done, 1, "401", "JENKINS_API_TOKEN")


def test_no_permission_without_a_login_says_how_to_give_one(env: dict[str, str]) -> None:
    with Replay(support.recording(RECORDING), login=(USER, TOKEN)) as jenkins:
        done = support.poll(jenkins.url, env=env)
    assert_one_line(done, 1, "403", "JENKINS_USER", "JENKINS_API_TOKEN")


def test_no_permission_with_a_login_does_not_ask_for_one(env: dict[str, str]) -> None:
    with Replay(support.recording(RECORDING), login=(USER, TOKEN)) as jenkins:
        jenkins.faults = [Fault("", "status", status=403)]
        done = support.poll(jenkins.url, env=poll_env(env))
    assert_one_line(done, 1, "403", "the user needs permission to read it")
    assert "set JENKINS_USER" not in done.stderr


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("", "html"), "JENKINS_USER"),
        (Fault("", "starting"), "starting"),
        (Fault("", "status", status=302, headers={"Location": "/login?from=%2F"}), "login"),
        (Fault("tree=jobs", "cut"), "was cut off"),
    ],
)
def test_a_controller_that_answers_nonsense_and_then_recovers(env: dict[str, str], fault: Fault, said: str) -> None:
    with Replay(support.recording(RECORDING)) as jenkins:
        jenkins.faults = [fault]
        assert_one_line(support.poll(jenkins.url, env=poll_env(env)), 1, said)
        before = len(support.by_type(support.stored(env), "run"))
        jenkins.faults = []
        done = support.poll(jenkins.url, env=poll_env(env))
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{len(BUILDS) - before} builds read" in done.stdout
    assert len(support.by_type(support.stored(env), "run")) == len(BUILDS)


def test_no_token_is_in_the_journals_the_store_or_the_state(env: dict[str, str]) -> None:
    with Replay(support.recording(RECORDING), login=(USER, TOKEN)) as jenkins:
        done = support.poll(jenkins.url, env=poll_env(env))
    assert (done.returncode, done.stderr) == (0, "")
    files = [path for path in Path(env["PIPELINE_TRACE_HOME"]).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_a_home_that_cannot_be_written_is_replaced_and_said_in_one_line(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    blocked = {**env, "PIPELINE_TRACE_HOME": str(tmp_path / "file" / "below"), "TMPDIR": str(tmp_path / "tmp")}
    with Replay(support.recording("10")) as jenkins:
        done = support.poll(jenkins.url, env=blocked)
    assert_one_line(done, 0, "PIPELINE_TRACE_HOME", "cannot use")
    spare = {**env, "PIPELINE_TRACE_HOME": str(tmp_path / "tmp" / f"pipeline-trace-{os.getuid()}")}
    assert support.stored(spare)


@pytest.mark.parametrize(
    "command", [["poll", "--once", "--jenkins-url", "http://127.0.0.1:1"], ["show"], ["report"], ["ship"]]
)
def test_nowhere_to_write_is_one_line_that_names_the_variable(
    env: dict[str, str], tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "file").touch()
    blocked = {**env, "PIPELINE_TRACE_HOME": str(tmp_path / "file/below"), "TMPDIR": str(tmp_path / "file")}
    assert_one_line(support.trace(*command, env=blocked), 1, "set PIPELINE_TRACE_HOME")


@pytest.mark.process
def test_a_second_poller_on_the_same_state(env: dict[str, str], jenkins: Replay) -> None:
    first = State(Path(env["PIPELINE_TRACE_HOME"]) / "pollers", jenkins.url)
    # In this process its own lock would not be seen.
    done = support.spawn("poll", "--once", "--jenkins-url", jenkins.url, env=env)
    first.close()
    assert_one_line(done, 1, "another poller", "stop it first")
    assert jenkins.requests == []
    assert support.poll(jenkins.url, env=env).returncode == 0


@pytest.mark.parametrize("what", ["rubbish", "tables"])
def test_a_poller_state_that_is_broken(env: dict[str, str], jenkins: Replay, what: str) -> None:
    assert support.poll(jenkins.url, env=env).returncode == 0
    (path,) = (Path(env["PIPELINE_TRACE_HOME"]) / "pollers").glob("*.db")
    if what == "rubbish":
        path.write_bytes(b"rubbish " * 1000)
    else:
        with sqlite3.connect(path) as database:
            database.execute("DROP TABLE jobs")
            database.execute("CREATE TABLE jobs (another TEXT)")
        database.close()
    assert_one_line(support.poll(jenkins.url, env=env), 1, path.name)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--since", "yesterday"], "--since"),
        (["--since", "7"], "--since"),
        (["--since", "-7d"], "--since"),
        (["--since", ""], "--since"),
        (["--since", "7 days"], "--since"),
        (["--jenkins-url", "ci.example.com"], "--jenkins-url"),
        (["--jenkins-url", "ftp://ci"], "--jenkins-url"),
        (["--jenkins-url", "http://ci:port"], "--jenkins-url"),
        (["--jenkins-url", "http://[::1"], "--jenkins-url"),
        (["--root-url", "nonsense"], "--root-url"),
        (["--detail", "everything"], "--detail"),
        (["--trace-per", "week"], "--trace-per"),
        (["--interval", "0"], "--interval"),
        (["--interval", "often"], "--interval"),
        (["--token", TOKEN[:4]], "--token"),
        (["extra"], "extra"),
    ],
)
def test_wrong_options_are_wrong_usage(env: dict[str, str], options: list[str], named: str) -> None:
    url = [] if "--jenkins-url" in options else ["--jenkins-url", "http://127.0.0.1:1"]
    assert_one_line(support.trace("poll", "--once", *url, *options, env=env), 2, named)


@pytest.mark.process
@pytest.mark.parametrize("words", [["poll", "--once"], ["show", "a", "b"], ["exec"]])
def test_wrong_usage_arrives_as_status_2_and_on_stderr_alone(env: dict[str, str], words: list[str]) -> None:
    """Real processes; what is wrong with which words is tried within this one."""
    done = support.spawn(*words, env=env)
    assert_one_line(done, 2)
    assert done.stdout == ""


@pytest.mark.process
def test_a_failure_arrives_as_status_1_and_on_stderr_alone(env: dict[str, str]) -> None:
    done = support.spawn("show", env=env)
    assert_one_line(done, 1, "pipeline-trace: there is no trace here yet")
    assert done.stdout == ""


def test_a_missing_jenkins_url_is_wrong_usage(env: dict[str, str]) -> None:
    assert_one_line(support.trace("poll", "--once", env=env), 2, "--jenkins-url")


@pytest.mark.parametrize(
    ("variables", "missing"),
    [({"JENKINS_USER": USER}, "JENKINS_API_TOKEN"), ({"JENKINS_API_TOKEN": TOKEN}, "JENKINS_USER")],
)
def test_half_a_login(env: dict[str, str], variables: dict[str, str], missing: str) -> None:
    done = support.poll("http://127.0.0.1:1", env={**env, **variables})
    assert_one_line(done, 1, missing)


def test_a_token_file_that_is_missing_or_no_file(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "token"
    done = support.poll("http://127.0.0.1:1", "--token-file", path, env={**env, "JENKINS_USER": USER})
    assert done.returncode in (1, 2)
    assert_one_line(done, done.returncode, str(path))
    done = support.poll("http://127.0.0.1:1", "--token-file", tmp_path, env={**env, "JENKINS_USER": USER})
    assert_one_line(done, 2, "--token-file")


def test_an_empty_or_binary_token_file(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b" \n")
    done = support.poll("http://127.0.0.1:1", "--token-file", path, env={**env, "JENKINS_USER": USER})
    assert_one_line(done, 1, "token")
    path.write_bytes(b"\xff\xfe\x00")
    done = support.poll("http://127.0.0.1:1", "--token-file", path, env={**env, "JENKINS_USER": USER})
    assert_one_line(done, 1, str(path))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("token", ["one\ntwo", "tök€n\U0001f680"])
def test_a_token_that_no_header_takes_is_one_line(env: dict[str, str], token: str) -> None:
    done = support.poll(f"http://127.0.0.1:{closed_port()}", env={**env, "JENKINS_USER": USER, "JENKINS_API_TOKEN": token})
    assert_one_line(done, 1)
    assert token not in done.stderr


def test_a_store_that_is_broken_leaves_the_spans_waiting_and_says_where(env: dict[str, str], jenkins: Replay) -> None:
    home = Path(env["PIPELINE_TRACE_HOME"])
    home.mkdir(mode=0o700)
    (home / "traces.db").write_bytes(b"rubbish " * 1000)
    done = support.poll(jenkins.url, env=env)
    assert_one_line(done, 0, "spans wait in", "traces.db", "pipeline-trace ship")
    assert support.journals(env)
    (home / "traces.db").unlink()
    assert support.trace("ship", env=env).returncode == 0
    assert len(support.by_type(support.stored(env), "run")) == len(BUILDS)


# The other commands


def test_an_empty_store_says_what_to_do(env: dict[str, str]) -> None:
    for command in ("show", "report"):
        assert_one_line(support.trace(command, env=env), 1, "there is no trace here yet")


@pytest.mark.parametrize(
    "wanted",
    ["f" * 32, "app#7", "https://ci.example.com/job/app/7/", "nonsense", "http://[::1/job/a/1", "ftp://x/job/a/1", "\udcff"],
)
def test_an_unknown_trace(env: dict[str, str], wanted: str) -> None:
    leave_span(env)
    for command in ("show", "report"):
        assert_one_line(support.trace(command, wanted, env=env), 1)


@pytest.mark.parametrize("command", ["show", "report", "ship"])
def test_a_store_that_is_no_database(env: dict[str, str], command: str) -> None:
    home = Path(env["PIPELINE_TRACE_HOME"])
    (home / "journals").mkdir(parents=True, mode=0o700)
    (home / "traces.db").write_bytes(b"rubbish " * 1000)
    (home / "journals" / "1.journal").write_text('{"type":"end","reason":"","dropped":0}\n', encoding="ascii")
    done = support.trace(command, env=env)
    if command == "ship":
        # An empty journal needs no store.
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert_one_line(done, 1, "traces.db")


@pytest.mark.process
def test_shipping_to_a_store_that_is_no_database_keeps_the_journal(env: dict[str, str]) -> None:
    home = Path(env["PIPELINE_TRACE_HOME"])
    home.mkdir(mode=0o700)
    (home / "traces.db").write_bytes(b"rubbish " * 1000)
    assert support.spawn("exec", "--", "true", env=env).returncode == 0
    processes.wait_for(lambda: not processes.shipping(env), "end of the delivery")
    assert_one_line(support.trace("ship", env=env), 1, "1 spans wait in", "traces.db")
    assert len(support.journals(env)) == 1


def test_shipping_nothing_is_no_failure(env: dict[str, str]) -> None:
    done = support.trace("ship", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 spans delivered")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense://x"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:port"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
    ],
)
def test_variables_of_opentelemetry_that_make_no_sense(env: dict[str, str], variables: dict[str, str], said: str) -> None:
    assert_one_line(support.trace("ship", env={**env, **variables}), 1, said)


def test_a_report_to_a_path_that_cannot_be_written(env: dict[str, str], tmp_path: Path) -> None:
    leave_span(env)
    (tmp_path / "file").touch()
    for output in (tmp_path / "file" / "x.html", tmp_path / "missing" / "x.html"):
        assert_one_line(support.trace("report", "-o", output, env=env), 1, str(output))
    assert_one_line(support.trace("report", "-o", tmp_path, env=env), 2, "--output")


@pytest.mark.parametrize(
    "words",
    [["show", "--format", "xml"], ["show", "a", "b"], ["context", "--format", "yaml"], ["context", "extra"], ["ship", "now"],
     ["exec"], ["exec", "--name", "x"], ["nothing"], ["--nothing"]],
)  # fmt: skip
def test_wrong_usage_of_the_other_commands(env: dict[str, str], words: list[str]) -> None:
    assert_one_line(support.trace(*words, env=env), 2)


@pytest.mark.process
def test_everything_behind_execs_own_options_is_the_command(env: dict[str, str]) -> None:
    assert support.spawn("exec", "--nam", env=env).returncode == 127


@pytest.mark.process
def test_a_reader_that_goes_away_is_no_failure(env: dict[str, str]) -> None:
    assert support.spawn("exec", "--", "true", env=env).returncode == 0
    line = f"'{support.BIN}/pipeline-trace' show --format json | true; echo ${{PIPESTATUS[0]}}"
    done = support.run("bash", "-c", line, env=env)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.process
def test_a_malformed_traceparent_is_one_warning_and_no_failure(env: dict[str, str]) -> None:
    done = support.trace("context", "--format", "traceparent", env={**env, "TRACEPARENT": "junk"})
    assert_one_line(done, 0, "TRACEPARENT")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01\n", done.stdout)


@pytest.mark.process
def test_context_in_a_build_whose_controller_does_not_answer_is_quick_and_prints_one_value(env: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{closed_port()}/"
    inside = {"JENKINS_URL": url, "BUILD_URL": f"{url}job/app/7/", "BUILD_NUMBER": "7", "STAGE_NAME": "Deploy"}
    done = support.trace("context", "--format", "traceparent", env={**env, **inside})
    build = Build(url.rstrip("/"), "app", 7)
    stage = build.span_id("stage", "Deploy", "0")
    assert (done.returncode, done.stdout) == (0, f"00-{build.trace_id}-{stage}-01\n")


@pytest.mark.process
@pytest.mark.parametrize("variables", [{"BUILD_URL": "http://[::1/job/a/1"}, {"BUILD_NUMBER": "²"}, {"JENKINS_URL": "junk"}])
def test_a_broken_build_environment_is_one_warning_and_no_failure(env: dict[str, str], variables: dict[str, str]) -> None:
    inside = {"JENKINS_URL": "http://ci.invalid/", "JOB_NAME": "app", "BUILD_NUMBER": "7", "PIPELINE_TRACE_PER": "build"}
    done = support.spawn("exec", "--", "echo", "done", env={**env, **inside, **variables})
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1


# exec


@pytest.mark.process
@pytest.mark.parametrize("number", [0, 1, 2, 42, 126, 127, 255])
def test_execs_status_is_its_childs(env: dict[str, str], number: int) -> None:
    done = support.spawn("exec", "--", "sh", "-c", f"exit {number}", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (number, "", "")


@pytest.mark.process
@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_a_child_that_a_signal_ended(env: dict[str, str], name: str) -> None:
    done = support.spawn("exec", "--", "sh", "-c", f"kill -{name} $$", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.Signals[f"SIG{name}"], "", "")


@pytest.mark.process
def test_a_command_that_is_not_there_or_not_executable(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program", encoding="ascii")
    (tmp_path / "script").write_text("echo without a first line", encoding="ascii")
    (tmp_path / "script").chmod(0o755)
    for command, number, said in (
        ("no-such-command-anywhere", 127, "not found"),
        (tmp_path / "missing", 127, "not found"),
        (tmp_path / "plain", 126, "Permission denied"),
        (tmp_path, 126, "Permission denied"),
        (tmp_path / "script", 126, "Exec format error"),
    ):
        assert_one_line(support.spawn("exec", "--", command, env=env), number, said, str(command))


@pytest.mark.process
def test_what_could_not_be_run_is_a_span_all_the_same(env: dict[str, str]) -> None:
    assert support.spawn("exec", "--name", "deploy", "--", "no-such-command", env=env).returncode == 127
    # Delivered once the journal is gone.
    processes.wait_for(lambda: not support.journals(env), "delivery")
    (span,) = support.stored(env)
    assert (span["name"], span["status"]["code"]) == ("deploy", "ERROR")
    assert span["attributes"]["process.exit.code"] == 127


@pytest.mark.process
def test_exec_leaves_input_and_output_alone(env: dict[str, str]) -> None:
    data = bytes(range(256)) * 5_000
    words = [str(support.BIN / "pipeline-trace"), "exec", "--", "sh", "-c", "cat; echo problem >&2"]
    done = subprocess.run(words, input=data, capture_output=True, env=env, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stdout == data
    assert done.stderr == b"problem\n"


@pytest.mark.process
def test_exec_hands_on_what_looks_like_an_option_of_its_own(env: dict[str, str]) -> None:
    done = support.spawn("exec", "printf", "%s|", "--name", "x", "--help", "-h", "--", env=env)
    assert (done.returncode, done.stdout) == (0, "--name|x|--help|-h|--|")


@pytest.mark.process
@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_exec_passes_signals_on_and_lets_the_child_decide(env: dict[str, str], name: str) -> None:
    script = f"trap 'echo cleaned; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
    # Whoever runs the tests may ignore signals, children inherit that, and a shell cannot trap what is ignored.
    words = ["env", "--default-signal", str(support.BIN / "pipeline-trace"), "exec", "--", "bash", "-c", script]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        # The handler is set just after the child has been started.
        time.sleep(0.3)
        child.send_signal(signal.Signals[f"SIG{name}"])
        assert child.stdout.read() == "cleaned\n"
        assert child.wait(10) == 7


@pytest.mark.process
def test_exec_runs_its_command_where_nothing_can_be_written(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = {**env, "PIPELINE_TRACE_HOME": str(tmp_path / "file/below"), "TMPDIR": str(tmp_path / "file")}
    done = support.spawn("exec", "--", "sh", "-c", "echo done; exit 3", env=blocked)
    assert done.stdout == "done\n"
    assert_one_line(done, 3, "not traced", "PIPELINE_TRACE_HOME")


@pytest.mark.process
def test_exec_runs_its_command_whatever_its_environment_holds(env: dict[str, str]) -> None:
    odd = {
        **env,
        "OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense",
        "TRACEPARENT": "00-\udcff",
        "OTEL_RESOURCE_ATTRIBUTES": "a,=,b=%zz",
    }
    done = support.spawn("exec", "--", sys.executable, "-c", "print(5)", env=odd)
    assert (done.returncode, done.stdout) == (0, "5\n")
    assert "Traceback" not in done.stderr
