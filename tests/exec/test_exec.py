"""`exec` and `context`: what the child is handed, what is recorded of it, and how both stand in scripts."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import support
from support import processes

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.place.w3c import parse_traceparent

pytestmark = pytest.mark.process

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
SHOW = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if 'TRACE' in k or k == 'BAGGAGE'}))"
EXAMPLES = support.ROOT / "examples"


def handed(env: dict[str, str], **more: str) -> dict[str, str]:
    """Return what a child of `exec` finds in its environment."""
    done = support.spawn("exec", "--", sys.executable, "-c", SHOW, env={**env, **more})
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return {name: value for name, value in found.items() if name != "PIPELINE_TRACE_HOME"}


def recorded(env: dict[str, str], count: int = 1) -> list[dict[str, Any]]:
    """Return the spans, once they have arrived."""
    processes.wait_for(lambda: len(support.stored(env)) >= count, f"{count} spans")
    return support.stored(env)


def test_the_childs_parent_is_the_span(env: dict[str, str]) -> None:
    found = handed(env, TRACEPARENT=TRACEPARENT, TRACESTATE="a=b", BAGGAGE="team=x")
    (span,) = recorded(env)
    assert found["TRACEPARENT"] == f"00-{TRACE}-{span['span_id']}-01"
    assert (found["TRACESTATE"], found["BAGGAGE"]) == ("a=b", "team=x")
    assert (span["trace_id"], span["parent_span_id"]) == (TRACE, SPAN)


def test_what_belonged_to_a_malformed_traceparent_does_not_go_on(env: dict[str, str]) -> None:
    found = handed(env, TRACEPARENT="junk", TRACESTATE="a=b", BAGGAGE="team=x")
    assert parse_traceparent(found["TRACEPARENT"])
    assert "TRACESTATE" not in found
    assert found["BAGGAGE"] == "team=x"


def test_flag_00_is_handed_on_and_nothing_is_recorded(env: dict[str, str]) -> None:
    context = parse_traceparent(handed(env, TRACEPARENT=f"00-{TRACE}-{SPAN}-00")["TRACEPARENT"])
    assert context is not None
    assert (context.trace_id, context.sampled) == (TRACE, False)
    assert support.journals(env) == []
    assert support.stored(env) == []


def test_a_disabled_sdk_leaves_the_environment_as_it_is(env: dict[str, str]) -> None:
    assert handed(env, OTEL_SDK_DISABLED="true", TRACEPARENT="junk") == {"TRACEPARENT": "junk"}


@pytest.mark.parametrize(
    ("script", "status", "message", "kind"),
    [("exit 3", 3, "exit status 3", "3"), ("kill -KILL $$", 137, "ended by SIGKILL", "SIGKILL")],
)
def test_a_child_that_failed_or_was_killed_is_an_error(
    env: dict[str, str], script: str, status: int, message: str, kind: str
) -> None:
    assert support.spawn("exec", "--name", "deploy", "--", "sh", "-c", script, env=env).returncode == status
    (span,) = recorded(env)
    assert span["status"] == {"code": "ERROR", "message": message}
    assert span["attributes"]["error.type"] == kind
    assert span["attributes"]["cicd.pipeline.task.run.result"] == "failure"


@pytest.mark.parametrize("name", ["HUP", "USR1", "QUIT"])
def test_other_signals_are_passed_on_too(env: dict[str, str], name: str) -> None:
    script = f"trap 'echo got; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
    # Whoever runs the tests may ignore signals, children inherit that, and a shell cannot trap what is ignored.
    words = ["env", "--default-signal", str(support.BIN / "pipeline-trace"), "exec", "--", "bash", "-c", script]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.Signals[f"SIG{name}"])
        assert child.stdout.read() == "got\n"
        assert child.wait(10) == 7


def test_a_signal_that_comes_before_the_child_reaches_it(env: dict[str, str]) -> None:
    """Whenever it comes: either nothing has begun, or the child gets it."""
    words = [str(support.BIN / "pipeline-trace"), "exec", "--", "sleep", "60"]
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2):
        with subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True) as child:
            time.sleep(pause)
            child.terminate()
            assert child.wait(25) in (-signal.SIGTERM, 128 + signal.SIGTERM)


def test_the_childs_signals_are_as_it_expects_them(env: dict[str, str]) -> None:
    """Nothing is blocked or ignored that was not before; 32 and 33 are the C library's own."""
    look = (
        "import re; masks = re.findall(r'Sig(?:Blk|Ign):\\s*(\\w+)', open('/proc/self/status').read()); "
        "print([int(mask, 16) & ~(3 << 31) for mask in masks])"
    )
    words = [sys.executable, "-S", "-c", look]
    plain = support.run(*words, env=env)
    assert plain.stdout.startswith("[0, ")
    assert support.spawn("exec", "--", *words, env=env).stdout == plain.stdout


def test_a_signal_that_was_ignored_stays_so(env: dict[str, str]) -> None:
    script = f"trap '' HUP; '{support.BIN}/pipeline-trace' exec -- sh -c 'kill -HUP $$; echo alive'"
    assert support.run("sh", "-c", script, env=env).stdout == "alive\n"


def test_who_ignores_the_end_of_children_gets_the_status_all_the_same(env: dict[str, str]) -> None:
    code = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        f"os.execv('{support.BIN}/pipeline-trace', ['pipeline-trace', 'exec', '--', 'sh', '-c', 'exit 9'])"
    )
    assert support.run(sys.executable, "-c", code, env=env).returncode == 9


def test_no_library_is_imported_before_the_command_starts(env: dict[str, str]) -> None:
    words = [sys.executable, "-X", "importtime", str(support.BIN / "pipeline-trace"), "exec", "--", "true"]
    imported = support.run(*words, env={**env, "TRACEPARENT": TRACEPARENT}).stderr
    assert "pipeline_trace.exec.run" in imported
    for heavy in ("click", "opentelemetry", "requests", "urllib.request", "rich", "pipeline_trace.trace.redact", "hashlib"):
        assert f" {heavy}\n" not in imported


def test_a_secret_in_the_name_is_masked(env: dict[str, str]) -> None:
    support.spawn("exec", "--name", "deploy --password hunter2hunter2", "--", "true", env=env)
    (span,) = recorded(env)
    assert "hunter2" not in json.dumps(span)


# In a build


@contextmanager
def controller() -> Iterator[tuple[int, list[str]]]:
    """A controller that notes who asks, and says no."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(403)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


def inside(port: int = 1, **more: str) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}/"
    return {"JENKINS_URL": url, "BUILD_URL": f"{url}job/app/7/", "BUILD_NUMBER": "7", "STAGE_NAME": "Deploy", **more}


def test_below_exec_nobody_asks_the_controller_again(env: dict[str, str]) -> None:
    with controller() as (port, asked):
        words = [
            "exec",
            "--",
            support.BIN / "pipeline-trace",
            "exec",
            "--",
            support.BIN / "pipeline-trace",
            "exec",
            "--",
            "true",
        ]
        assert support.spawn(*words, env={**env, **inside(port)}).returncode == 0
        assert len(asked) == 1
    spans = recorded(env, 3)
    build = Build(f"http://127.0.0.1:{port}", "app", 7)
    assert {span["trace_id"] for span in spans} == {build.trace_id}
    ids = {span["span_id"] for span in spans}
    assert sorted(span["parent_span_id"] in ids for span in spans) == [False, True, True]
    assert all(span["links"] == [] for span in spans)
    assert {span["resource"]["cicd.pipeline.run.id"] for span in spans} == {"7"}


def test_the_plugins_traceparent_wins_and_a_link_names_what_the_poller_emits(env: dict[str, str]) -> None:
    plugin = {"TRACEPARENT": TRACEPARENT, "TRACE_ID": TRACE, "SPAN_ID": SPAN, "TRACESTATE": "", "BAGGAGE": ""}
    assert support.spawn("exec", "--", "true", env={**env, **inside(**plugin)}).returncode == 0
    (span,) = recorded(env)
    assert (span["trace_id"], span["parent_span_id"]) == (TRACE, SPAN)
    build = Build("http://127.0.0.1:1", "app", 7)
    (link,) = span["links"]
    assert (link["trace_id"], link["span_id"]) == (build.trace_id, build.span_id("stage", "Deploy", "0"))


# In scripts


def test_context_for_a_shell_is_quoted(env: dict[str, str]) -> None:
    nasty = "team='x'; touch \"$HOME/ran\"\nsecond `touch ran`"
    script = f'eval "$({support.BIN}/pipeline-trace context)"; printf %s "$BAGGAGE"'
    done = support.run("sh", "-c", script, env={**env, "TRACEPARENT": TRACEPARENT, "BAGGAGE": nasty})
    assert done.stdout == nasty
    assert not (Path(env["HOME"]) / "ran").exists()


def test_context_as_json_has_the_ids_apart(env: dict[str, str]) -> None:
    found = json.loads(support.trace("context", "--format", "json", env={**env, "TRACEPARENT": TRACEPARENT}).stdout)
    assert (found["trace_id"], found["span_id"], found["sampled"]) == (TRACE, SPAN, True)


def test_context_for_groovy_has_no_newline_at_its_end_and_one_variable_a_line(env: dict[str, str]) -> None:
    more = {"TRACEPARENT": TRACEPARENT, "TRACESTATE": "a=b", "BAGGAGE": "one\ntwo"}
    done = support.trace("context", "--format", "groovy", env={**env, **more})
    assert done.stdout == f"TRACEPARENT={TRACEPARENT}\nTRACESTATE=a=b\nPIPELINE_TRACE_ID={TRACE}"


def test_after_context_a_shells_commands_ask_nobody(env: dict[str, str]) -> None:
    with controller() as (port, asked):
        script = (
            f'eval "$({support.BIN}/pipeline-trace context)"; for n in 1 2; do {support.BIN}/pipeline-trace exec true; done'
        )
        assert support.run("sh", "-c", script, env={**env, **inside(port)}).returncode == 0
        assert len(asked) == 1
    stage = Build(f"http://127.0.0.1:{port}", "app", 7).span_id("stage", "Deploy", "0")
    assert {span["parent_span_id"] for span in recorded(env, 2)} == {stage}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "does not begin with http:// or https://; set it to a URL"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuff"},
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuff is not supported; set it to http/protobuf",
        ),
    ],
    ids=["endpoint", "protocol"],
)
def test_a_wrong_endpoint_is_one_line_and_the_command_runs_as_ever(
    env: dict[str, str], wrong: dict[str, str], said: str
) -> None:
    words = ("exec", "--", "sh", "-c", "echo out; exit 3")
    done = support.spawn(*words, env=env | wrong)
    (line,) = done.stderr.splitlines()
    assert line.startswith("pipeline-trace: OTEL_EXPORTER_OTLP_")
    assert said in line
    assert (done.returncode, done.stdout) == (3, "out\n")
    # Recorded all the same, for `ship`.
    assert support.journals(env)
    # What nobody records needs no receiver.
    unsampled = support.spawn(*words, env=env | wrong | {"TRACEPARENT": TRACEPARENT[:-1] + "0"})
    assert (unsampled.returncode, unsampled.stdout, unsampled.stderr) == (3, "out\n", "")


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_as_the_shell_of_a_makefile_each_line_is_a_span(env: dict[str, str], tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "Makefile", tmp_path)
    done = support.run("make", "-C", tmp_path, env={**env, "TRACEPARENT": TRACEPARENT})
    assert done.returncode == 0, done.stderr
    assert "building\n" in done.stdout
    assert {span["name"] for span in recorded(env, 2)} == {"make build", "make test"}
    assert {span["parent_span_id"] for span in recorded(env, 2)} == {SPAN}


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_a_makefiles_failing_line_still_fails_make(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(
        "SHELL := pipeline-trace\n.SHELLFLAGS = exec -- /bin/sh -ec\nall:\n\t@false\n\t@echo not reached\n", encoding="ascii"
    )
    done = support.run("make", "-C", tmp_path, env=env)
    assert done.returncode == 2
    assert "not reached" not in done.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_the_status_is_the_commands_whatever_is_closed(env: dict[str, str], tmp_path: Path, closed: str) -> None:
    """The command has the same open and closed streams as without us, and no journal becomes its stderr."""
    streams = "for n in 0 1 2; do test -e /proc/self/fd/$n && echo $n; done"
    own, ours = tmp_path / "own", tmp_path / "ours"
    for words in (["sh", "-c"], [str(support.BIN / "pipeline-trace"), "exec", "--", "sh", "-c"]):
        there = ours if words[1] == "exec" else own
        line = f"{shlex.join([*words, f'( {streams} ) >{there}; echo; echo said >&2; exit 7'])} {closed}"
        assert subprocess.run(["sh", "-c", line], env=env, timeout=30, capture_output=True).returncode == 7
    assert ours.read_text() == own.read_text()
    missing = shlex.join([str(support.BIN / "pipeline-trace"), "exec", "--", "/nonexistent"])
    assert subprocess.run(["sh", "-c", f"{missing} {closed}"], env=env, timeout=30).returncode == 127
    assert sorted(span["name"] for span in recorded(env, 2)) == ["nonexistent", "sh"]
