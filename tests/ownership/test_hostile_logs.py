"""Logs that somebody wrote to make the judge slow, to make it fail, or to see a secret; and lines that only quote."""

from __future__ import annotations

from functools import partial

import pytest
from support.growth import assert_linear

from pipeline_trace.ownership.log.judge import verdict_of_log


@pytest.mark.parametrize(
    "line",
    [
        "command (",
        "command 'ab ",
        'script: {"script":{"name":"x"},"task":["a", ',
        "[1/1] 11111/",
        "    at aaaa/aaaa/",
        "make: *** [a:a:a:",
        "2026-11-23T16:23:45Z [main] ",
        "[a] [b] [c] ",
        "fatal: [h]: FAILED! => {",
        "E   assert ",
    ],
)
@pytest.mark.parametrize("lines", [1, 200])
def test_time_grows_with_a_log_and_not_with_its_square(line: str, lines: int) -> None:
    assert_linear(lambda size: partial(verdict_of_log, "make", 1, "\n".join([line * size] * lines)), 400 // lines + 8)


@pytest.mark.parametrize(
    "log",
    [
        f"@@ -1,{'9' * 5000} +1,1 @@\nerror: x",
        f'PLAY [x]\nTASK [y]\nfatal: [h]: FAILED! => {{"msg": {"[" * 7000}',
        "fatal: [h]: FAILED! => {\nPLAY RECAP ***",
        "\0" * 5000,
        "\r" * 5000,
        "\x1b[" * 5000,
        "+ \n" * 2000,
    ],
    ids=range(7),
)
@pytest.mark.parametrize("status", [None, 1])
def test_no_log_is_an_error(log: str, status: int | None) -> None:
    assert verdict_of_log("", status, log).owner in ("dev", "ops", "unknown")


@pytest.mark.parametrize("before", range(150, 250, 7))
def test_a_secret_that_is_cut_in_half_is_not_shown(before: int) -> None:
    line = f"no space left on device {'x' * before} postgres://app:hunter2secretXYZ@db:5432/x {'y' * 300}"
    assert "hunter2" not in "\n".join(verdict_of_log("", 1, f"saving\n{line}").evidence)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("pylint shop", "shop/a.py:3:2: W0511: TODO: handle 503 Service Unavailable from registry (fixme)"),
        ("semgrep scan", "  src/a.py:7: requests.get(url)  # certificate verify failed workaround"),
        ("commitlint --from main", "⧗   input: fix: connection refused to registry.example"),
        ("flake8", "shop/b.py:9:1: E501 no space left on device"),
    ],
)
def test_what_a_check_quotes_is_no_failure_of_ops(command: str, line: str) -> None:
    assert verdict_of_log(command, 1, f"+ {command}\n{line}").owner != "ops"


def test_the_key_of_a_key_error_is_only_quoted() -> None:
    log = "Traceback (most recent call last):\n  File \"/work/shop/a.py\", line 3, in b\nKeyError: 'no space left on device'"
    assert verdict_of_log("python a.py", 1, log).owner == "dev"
