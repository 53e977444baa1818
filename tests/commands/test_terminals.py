"""What a terminal shows: in each encoding, on a narrow one, in local time or UTC."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import support

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.replay import Replay

Env = dict[str, str]


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Env:
    env = support.environ(tmp_path_factory.mktemp("incident"))
    with Replay(support.recording("incident-host-down")) as jenkins:
        assert support.poll(jenkins.url, env=env).returncode == 0
    return env


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
@pytest.mark.parametrize("command", ["show", "path", "why"])
def test_no_encoding_is_a_traceback(polled: Env, command: str, encoding: str) -> None:
    words = [str(support.BIN / "pipeline-trace"), command]
    done = subprocess.run(words, env={**polled, "PYTHONIOENCODING": encoding}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding).strip()


@pytest.mark.process
def test_what_ascii_lacks_is_written_with_similar_characters(polled: Env) -> None:
    done = support.run(support.BIN / "pipeline-trace", "show", env={**polled, "PYTHONIOENCODING": "ascii"})
    assert done.stdout.isascii()
    assert "|-" in done.stdout
    assert "\nok RUN orders/deploy" in done.stdout
    assert "\\u" not in done.stdout


@pytest.mark.process
def test_a_time_has_its_zone_in_local_time_or_in_utc(polled: Env) -> None:
    env = {**polled, "TZ": "America/New_York"}
    local, utc = (support.run(support.BIN / "pipeline-trace", "path", *more, env=env) for more in ((), ("--utc",)))
    assert " EDT" in local.stdout or " EST" in local.stdout
    assert " UTC" in utc.stdout
    assert local.stdout != utc.stdout


def test_json_has_times_in_utc_whatever_the_zone(polled: Env) -> None:
    done = support.trace("show", "--format", "json", env={**polled, "TZ": "America/New_York"})
    for span in json.loads(done.stdout):
        assert span["start"].endswith("+00:00")


def shown(folder: Path, **resource: str) -> str:
    """Return what `show` prints of a playbook whose parent is not here."""
    env = support.environ(folder)
    book = Span("1" * 32, "2" * 16, "3" * 16, "playbook site.yml", 10**18, 10**18 + 10**9)
    book.attributes, book.resource = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_RUN_RESULT: c.SUCCESS}, dict(resource)
    support.store_spans(env, [book])
    done = support.trace("show", env=env)
    assert done.returncode == 0
    return done.stdout


def test_a_trace_that_is_half_here_says_what_brings_the_rest(tmp_path: Path) -> None:
    assert "incomplete: what is around it is not here, so it may still run" in shown(tmp_path)


def test_a_build_that_is_not_here_is_named_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    url = "https://ci.example.com/job/app/7/"
    said = shown(tmp_path, **{c.PIPELINE_RUN_URL: url, c.PIPELINE_NAME: "app", c.PIPELINE_RUN_ID: "7"})
    assert (
        "incomplete: app#7 is not here; when it has ended, fetch it with: pipeline-trace poll --once --jenkins-url " in said
    )
    assert "https://ci.example.com\n" in said


@pytest.mark.process
@pytest.mark.parametrize("width", [60, 120])
def test_why_fits_the_terminal_in_whole_words(polled: Env, width: int) -> None:
    env = {**polled, "FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": str(width)}
    done = support.run(support.BIN / "pipeline-trace", "why", "shop/build#47", "--utc", env=env)
    lines = [re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;.*?\x1b\\", "", line).rstrip() for line in done.stdout.splitlines()]
    assert max(map(len, lines)) <= width
    plain = support.run(support.BIN / "pipeline-trace", "why", "shop/build#47", "--utc", env=polled)
    assert " ".join(" ".join(lines).split()) == " ".join(plain.stdout.split())
