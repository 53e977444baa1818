"""`pipeline-trace why --log`: a real process."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import support

LOG = "+ curl -u ci:hunter2 https://mirror.example.net/a\ncurl: (6) Could not resolve host: mirror.example.net\n"


def log(folder: Path, content: str = LOG) -> Path:
    path = folder / "build.log"
    path.write_text(content, encoding="utf-8")
    return path


def test_answer_in_few_lines(tmp_path: Path) -> None:
    done = support.trace("why", "--log", log(tmp_path), "--exit-status", 6, env=support.environ(tmp_path))
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Ops should look at ")
    assert lines[1].endswith("% sure, dns)")
    assert lines[2:4] == ["Where       phase fetch", "Evidence    curl: (6) Could not resolve host: mirror.example.net"]
    assert lines[-1].startswith("Next        Ops looks at ")


def test_json(tmp_path: Path) -> None:
    done = support.trace("why", "--log", log(tmp_path), "--format", "json", env=support.environ(tmp_path))
    found = json.loads(done.stdout)
    assert set(found) == {"owner", "kind", "confidence", "evidence", "next", "says", "line", "phase", "seen"}
    assert (found["owner"], found["kind"]) == ("ops", "dns")
    assert isinstance(found["evidence"], list)


@pytest.mark.parametrize("form", ["text", "json", "markdown", "slack"])
def test_secrets_are_masked(tmp_path: Path, form: str) -> None:
    done = support.trace("why", "--log", log(tmp_path), "--format", form, env=support.environ(tmp_path))
    assert "hunter2" not in done.stdout
    assert ("***" in done.stdout) or (r"\*\*\*" in done.stdout)


@pytest.mark.process
def test_standard_input(tmp_path: Path) -> None:
    command = [str(support.BIN / "pipeline-trace"), "why", "--log", "-", "--command", "make"]
    done = subprocess.run(
        command,
        input="make: *** No rule to make target 'x'.",
        capture_output=True,
        text=True,
        env=support.environ(tmp_path),
        check=True,
    )
    assert done.stdout.startswith("Dev should look ")


def test_unknown_is_an_answer(tmp_path: Path) -> None:
    done = support.trace("why", "--log", log(tmp_path, "+ ./run\n"), "--exit-status", 137, env=support.environ(tmp_path))
    assert done.returncode == 0
    assert done.stdout.startswith("It is not clear whether Dev or Ops should look first: ")


def test_only_the_end_of_a_large_log_is_read(tmp_path: Path) -> None:
    large = log(tmp_path, "No space left on device\n" + "all is well\n" * 500_000 + LOG)
    done = support.trace("why", "--log", large, env=support.environ(tmp_path))
    assert "dns" in done.stdout


UNREACHABLE = (
    "Started by user mara\n[Pipeline] stage\n"
    'fatal: [web1]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect to the host via ssh: ssh: connect to host '
    'web1 port 22: Connection refused", "unreachable": true}\n'
    "ERROR: script returned exit code 4\nFinished: FAILURE\n"
)


ENCODINGS = pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
LONG = "all is wéll ✓\n" * 500_000


@ENCODINGS
@pytest.mark.parametrize("mark", ["\ufeff", ""], ids=["marked", "unmarked"])
@pytest.mark.parametrize("before", ["", LONG], ids=["short", "long"])
@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 0), (3, 0), (0, 1)])
def test_a_log_of_any_encoding_is_read_as_its_text_also_where_a_character_is_cut(
    tmp_path: Path, encoding: str, mark: str, before: str, first: int, last: int
) -> None:
    path = tmp_path / "build.log"
    whole = f"{mark}{before}{UNREACHABLE}".encode(encoding)
    path.write_bytes(whole[first : len(whole) - last])
    env = support.environ(tmp_path)
    done = support.trace("why", "--log", path, env=env)
    assert done.stdout == support.trace("why", "--log", log(tmp_path, UNREACHABLE), env=env).stdout
    assert done.stdout.startswith("Ops should look ")
    assert "UNREACHABLE!" in done.stdout


@pytest.mark.process
@ENCODINGS
@pytest.mark.parametrize("before", ["", "\ufeff", LONG], ids=["unmarked", "marked", "long"])
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_stream_of_any_encoding(tmp_path: Path, encoding: str, before: str, name: str) -> None:
    command = [str(support.BIN / "pipeline-trace"), "why", "--log", name]
    log = f"{before}{UNREACHABLE}".encode(encoding)
    done = subprocess.run(command, input=log, capture_output=True, env=support.environ(tmp_path), check=True)
    assert done.stdout.startswith(b"Ops should look ")
    assert b"UNREACHABLE!" in done.stdout


def test_lines_of_utf_16_in_a_log_of_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "build.log"
    lines = UNREACHABLE.splitlines(keepends=True)
    path.write_bytes(b"".join(line.encode("utf-16-le" if "UNREACHABLE" in line else "utf-8") for line in lines))
    done = support.trace("why", "--log", path, env=support.environ(tmp_path))
    assert "web1 port 22: Connection refused" in done.stdout


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "build.log"
    path.write_bytes(b"\xff\xfe\x00\ncp: No space left on device\n")
    assert "disk_full" in support.trace("why", "--log", path, env=support.environ(tmp_path)).stdout


def test_bad_rules_are_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "rules.yaml"
    bad.write_text("rules: 1", encoding="utf-8")
    for done in (
        support.trace("why", "--log", log(tmp_path), "--rules", bad, env=support.environ(tmp_path)),
        support.trace("why", "--log", log(tmp_path), env=support.environ(tmp_path, PIPELINE_TRACE_RULES=str(bad))),
    ):
        assert done.returncode == 1
        assert done.stderr == f"pipeline-trace: {bad}: `rules` is not a list; write one (docs/ownership.md)\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "No log could be read"),
        ("\n \n[Pipeline] sh\nscript returned exit code 1\n", "No log could be read"),
        ("+ ./deploy\n", "Find out what the script means by its exit status 1"),
        ("deployed half of it\n", "no rule matches this text"),
    ],
)
def test_no_rule_matches_is_said_only_of_a_text(tmp_path: Path, content: str, said: str) -> None:
    done = support.trace("why", "--log", log(tmp_path, content), "--exit-status", 1, env=support.environ(tmp_path))
    assert said[1:] in done.stdout.splitlines()[0]


def test_missing_log_and_no_log(tmp_path: Path) -> None:
    missing = support.trace("why", "--log", tmp_path / "none", env=support.environ(tmp_path))
    assert missing.returncode == 1
    assert len(missing.stderr.splitlines()) == 1
    nothing = support.trace("why", env=support.environ(tmp_path))
    assert (nothing.returncode, len(nothing.stderr.splitlines())) == (1, 1)


def test_an_empty_name_of_a_log_is_not_the_newest_trace(tmp_path: Path) -> None:
    done = support.trace("why", "--log", "", env=support.environ(tmp_path))
    assert done.returncode == 2
    assert "--log" in done.stderr


@pytest.mark.parametrize("option", [("--exit-status", "3"), ("--command", "make")])
def test_what_is_told_of_a_log_needs_the_log(tmp_path: Path, option: tuple[str, str]) -> None:
    done = support.trace("why", *option, env=support.environ(tmp_path))
    assert done.returncode == 2
    assert "name it with --log FILE" in done.stderr
