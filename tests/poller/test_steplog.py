"""The end of a failed step's log: plain, bounded, masked."""

from __future__ import annotations

from typing import Any

import pytest

from jenkins_poller.fetch import steplog
from pipeline_trace.trace.redact import search


def test_html_becomes_text() -> None:
    answer = "+ curl &lt;url&gt;\n<a href='/computer/a/' class='x'>agent</a> said &quot;no&quot;\nif a<b then\n"
    assert steplog.node_log_text(answer) == '+ curl <url>\nagent said "no"\nif a<b then'


def test_timestamps_go_and_leave_no_space() -> None:
    stamp = '<span class="timestamp"><b>16:25:43</b> </span><span style="display: none">[2026-11-23T16:25:43.539Z]</span> '
    assert steplog.node_log_text(f"{stamp}PLAY [Deploy]\n{stamp}  indented\n") == "PLAY [Deploy]\n  indented"
    assert steplog.log_tail("[2026-11-23T16:25:43.539Z] PLAY [Deploy]\n[no time] kept") == "PLAY [Deploy]\n[no time] kept"


def test_colours_and_invisible_notes_go() -> None:
    assert steplog.log_tail("\x1b[8mha:////4AAA=\x1b[0m\x1b[31mred\x1b[0m\n") == "red"


def test_only_the_last_lines_leave() -> None:
    lines = steplog.log_tail("\n".join(f"line {number}" for number in range(500))).split("\n")
    assert (len(lines), lines[0], lines[-1]) == (steplog.MOST_LINES, "line 380", "line 499")


def test_long_lines_are_bounded_at_a_whole_line() -> None:
    text = steplog.log_tail("\n".join("x" * 1000 for _ in range(50)))
    assert len(text) <= steplog.MOST_LETTERS
    assert {len(line) for line in text.split("\n")} == {1000}


def test_secrets_are_masked_before_the_text_is_cut() -> None:
    secret = "AKIAIOSFODNN7EXAMPLE"
    text = "x" * 90 + f" token={secret}\n" + "y" * (steplog.MOST_LETTERS - len(secret) + 4)
    assert secret[-8:] not in steplog.log_tail(text)
    assert "hunter2" not in steplog.log_tail("curl -u ci:hunter2 https://a\nPASSWORD=hunter2")


def test_what_is_masked_does_not_grow_with_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    real, read = search.find, [0]

    def counting(text: str) -> Any:
        read[0] += len(text)
        return real(text)

    monkeypatch.setattr(search, "find", counting)
    line = "[2026-11-23T16:25:43.539Z] INFO request user=mara key=abc token=def took 12 ms\n"
    end = "\x1b[8mha:////4" + "A" * 400 + "=\x1b[0mERROR: broken\n"
    assert steplog.log_tail(line * 50_000 + end).endswith("took 12 ms\nERROR: broken")
    assert steplog.node_log_text(line * 50_000 + end).endswith("took 12 ms\nERROR: broken")
    assert 0 < read[0] < 4 * steplog.MOST_LETTERS
