"""What a terminal shows: in each encoding, on a narrow one, in local time or UTC."""

from __future__ import annotations

import json
import subprocess

import pytest
import support

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
