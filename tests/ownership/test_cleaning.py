"""What CI systems write around a line does not hide the line."""

from __future__ import annotations

import pytest

from pipeline_trace.ownership.log import blocks, cleaning
from pipeline_trace.ownership.log.judge import verdict_of_log

ERROR = "src/a.c:3:1: error: expected ';'"


@pytest.mark.parametrize(
    "wrapped",
    [
        "2026-11-23T16:23:45.123Z {}",
        "[2026-11-23T16:23:45.123Z] {}",
        "2026-11-23 16:23:45,123 {}",
        "16:23:45 {}",
        "[16:23:45] {}",
        "[16:23:45]E: {}",
        "Nov 23 16:23:45 ci-1 build[312]: {}",
        "2026-11-23T16:23:45.123456Z 01E {}",
        "build\tRun make\t2026-11-23T16:23:45.1Z {}",
        "#12 3.456 {}",
        "0.512 {}",
        "│ {}",
        "web-1  | {}",
        "shop:build: {}",
        "##[error]{}",
        "::error file=src/a.c,line=3::{}",
        "\x1b[31m{}\x1b[0m",
        "[31;1m{}[0m",
        "[=>    ] 10%\r[====> ] 80%\r{}",
        "\ufeff{}",
        "2026-11-23T16:23:45.123Z \x1b[36m#12 3.456 {}",
    ],
)
def test_what_is_around_a_line_is_taken_away(wrapped: str) -> None:
    assert cleaning.lines_of(wrapped.format(ERROR)) == [ERROR]


def test_a_frame_keeps_its_indent() -> None:
    assert cleaning.lines_of('2026-11-23T16:23:45.123Z   File "a.py", line 3') == ['  File "a.py", line 3']


def test_the_name_of_a_parallel_branch_is_taken_away_and_a_level_is_not() -> None:
    log = "[linux] + make\n[linux] cc a.c\n[linux] a.c:1:1: error: x\n[INFO] one\n[INFO] two\n[INFO] three"
    assert cleaning.lines_of(log) == ["+ make", "cc a.c", "a.c:1:1: error: x", "[INFO] one", "[INFO] two", "[INFO] three"]


def test_a_tag_on_one_line_belongs_to_the_text() -> None:
    assert cleaning.lines_of("[eslint] 3 problems\nother") == ["[eslint] 3 problems", "other"]


def test_utf_16_that_was_read_as_utf_8_is_readable() -> None:
    assert cleaning.lines_of("".join(f"{letter}\0" for letter in ERROR)) == [ERROR]


@pytest.mark.parametrize(
    ("log", "commands"),
    [
        ("+ make\nx", ["+ make"]),
        ("$ npm ci\nx", ["+ npm ci"]),
        ("##[group]Run npm ci\nx", ["+ npm ci"]),
        ("[command]/usr/bin/git version\nx", ["+ /usr/bin/git version"]),
        ("Step 4/6 : RUN npm ci\nx", ["+ npm ci"]),
        ("[build 4/6] RUN npm ci\nx", ["+ npm ci"]),
        (" > [4/6] RUN npm ci:".strip() + "\nx", ["+ npm ci"]),
        ("> shop@1.0.0 lint\nx", ["+ npm run lint"]),
        (r"C:\work>npm ci" + "\nx", ["+ npm ci"]),
    ],
)
def test_commands_are_seen_as_each_ci_system_shows_them(log: str, commands: list[str]) -> None:
    assert [part.command for part in blocks.sections(log.splitlines()) if part.command] == commands


@pytest.mark.parametrize(
    "after",
    [
        "ERROR: Job failed: exit code 1",
        "##[error]Process completed with exit code 1.",
        "Build step 'Execute shell' marked build as failure\nFinished: FAILURE",
        "[Pipeline] }\nERROR: script returned exit code 2\nFinished: FAILURE",
        "make: *** [Makefile:3: all] Error 1",
        "[INFO] BUILD FAILURE\n[INFO] Total time:  3.2 s",
        "npm ERR! code ELIFECYCLE\nnpm ERR! errno 1",
        "Post job cleanup.\n[command]/usr/bin/git version\nfatal: not a git repository",
        'Stage "Deploy" skipped due to earlier failure(s)\n+ docker rm -f shop\nno such container: shop',
        "Running after_script\n$ cat missing.txt\ncat: missing.txt: No such file or directory",
        "exit status 1",
    ],
)
def test_the_evidence_is_the_cause_and_not_what_every_failure_prints(after: str) -> None:
    verdict = verdict_of_log("", None, f"+ make\ncc a.c\none\ntwo\n{ERROR}\n{after}")
    assert (verdict.owner, verdict.evidence[0]) == ("dev", ERROR)
