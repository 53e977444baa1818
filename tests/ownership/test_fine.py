"""The kept logs of runs that ended well: enough of them, whole, within the limits, with nothing of a machine."""

from __future__ import annotations

import json
import re

import pytest
import support
from lab import fine, frames, keep, neutral

from pipeline_trace.trace import redact

CASES = [
    json.loads(line) for line in (support.ROOT / "tests/corpus/fine.jsonl").read_text(encoding="utf-8").split("\n") if line
]
FIELDS = ["id", "tool", "what", "handled", "command", "exit_code", "log"]


def test_there_are_logs_of_many_tools_and_most_have_no_failure_on_the_way() -> None:
    assert len(CASES) >= 80
    assert len({case["tool"] for case in CASES}) >= 40
    assert sum(case["handled"] for case in CASES) < len(CASES) * 0.6
    assert len({case["id"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_logs_are_whole_neutral_and_within_the_limits(case: dict[str, object]) -> None:
    log = str(case["log"])
    assert list(case) == FIELDS
    assert case["exit_code"] == 0
    assert 0 < len(log) <= keep.CHARACTERS
    assert log.count("\n") < keep.LINES
    assert redact.masked(log) == log
    assert not keep.MACHINE.search(log)
    assert neutral.neutral(log, {}) == log


def test_every_log_is_of_a_run_that_the_files_have() -> None:
    known = {f"fine-{run.id}" for run in fine.runs()}
    assert {re.sub(r"-[2-9]$", "", case["id"]) for case in CASES} <= known


def test_hosts_and_addresses_of_others_become_neutral() -> None:
    said = "GET https://files.some.io/a\nTrying 93.184.216.34:443...\nhost cdn.some.io, mail a@some.io\n"
    assert neutral.neutral(said, {}) == (
        "GET https://registry.example/a\nTrying 192.0.2.10:443...\nhost registry.example, mail someone@mail.example\n"
    )


def test_names_for_examples_and_packages_stay() -> None:
    said = "GET http://127.0.0.1:8081/a from mirror.internal\nat org.acme.shop.Main.main(Main.java:4)\n"
    assert neutral.neutral(said, {}) == said


def test_a_long_log_is_kept_in_pieces_and_its_end_comes_first() -> None:
    lines = [f"line {number}" for number in range(1000)]
    found = list(fine.pieces(lines, 3))
    assert [piece.split("\n")[0] for piece in found] == ["line 880", "line 0", "line 293"]


@pytest.mark.parametrize("frame", frames.FRAMES)
def test_a_frame_keeps_every_line_of_the_tool(frame: str) -> None:
    framed = frames.FRAMES[frame]("make", ["compiling", "0 errors"])
    assert [line for line in framed if line.endswith(("compiling", "0 errors"))] == framed[
        (at := next(n for n, line in enumerate(framed) if line.endswith("compiling"))) : at + 2
    ]
