"""Splits a log into parts, and finds the part that decides. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# What the Timestamper plugin, GitHub and BuildKit write before a line.
_MARK = re.compile(r"^(?:\[?\d{4}-\d\d-\d\dT[\d:.]+Z?\]? |\d\d:\d\d:\d\d(?:\.\d+)? (?= ?[+\[>A-Z])|#\d+ [\d.]+ (?=\S))")
_JENKINS = re.compile(
    r"^\[Pipeline\] |^(?:ERROR: )?script returned exit code \d+|^Finished: [A-Z]+$|^Running on |^Started by "
)
_TRACE = re.compile(r"^\++ (?=\S)")
_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
# Commands that only show something or clean up: the failure was before them.
_SHOWS = re.compile(
    r"\++ (?:exit|return|rm|echo|printf|cat|tail|head|true|false|set|\[|\[\[|test|free|df|dmesg|ps|trap|kill|sleep|wait|date"
    r"|tee|ls|journalctl|docker(?:-compose| compose)? (?:logs|ps|inspect|rm|stop|down)"
    r"|kubectl (?:\S+ )*?(?:logs|describe|get|top)"
    r"|systemctl status|ss|netstat|lsof|\w+=)(?: |$)"
)
# Fetched logs have a limit already; a log from `why --log` may not.
_MOST_LINES = 400
_MOST_LETTERS = 32_000
# Limits, in characters: the beginning and the end of a long line, and the end of a part of a log.
_HEAD, _TAIL = 1000, 500
_MOST_JUDGED = 64_000


@dataclass(frozen=True)
class Section:
    """A command and what it printed. ``command``: "" if the log shows none."""

    command: str
    lines: list[str] = field(default_factory=list)


def lines_of(log: str) -> list[str]:
    """Return the last lines of a log as people see them: no colours, no timestamps, only the end of progress bars."""
    found = []
    for line in log.splitlines()[-_MOST_LINES:]:
        line = _ANSI.sub("", line) if "\x1b" in line else line
        line = line.rstrip("\r").rpartition("\r")[2] if "\r" in line else line
        line = _MARK.sub("", line)
        if not _JENKINS.match(line):
            found.append(line[:_MOST_LETTERS].rstrip())
    return found


def judged(lines: Sequence[str]) -> list[str]:
    """Return the lines with long lines shortened, and only the last ones if they are too long together."""
    found = [line if len(line) <= _HEAD + _TAIL else f"{line[:_HEAD]} … {line[-_TAIL:]}" for line in lines]
    left = _MOST_JUDGED
    for number in range(len(found) - 1, -1, -1):
        left -= len(found[number]) + 1
        if left < 0:
            return found[number + 1 :]
    return found


def sections(lines: Sequence[str]) -> list[Section]:
    """Split a log at the commands that the shell prints (``set -x``). Lines of a diff are not commands."""
    found = [Section("")]
    left_old = left_new = 0
    for line in lines:
        hunk = _HUNK.match(line)
        if hunk:
            left_old, left_new = int(hunk[1] or 1), int(hunk[2] or 1)
        elif (left_old > 0 or left_new > 0) and line[:1] in ("+", "-", " ", "\\", ""):
            left_old -= line[:1] in ("-", " ", "")
            left_new -= line[:1] in ("+", " ", "")
        elif _TRACE.match(line):
            found.append(Section(line))
            continue
        found[-1].lines.append(line)
    return found


def deciding(parts: Sequence[Section]) -> int:
    """Return the index of the deciding section: the last command that does more than show something."""
    at = len(parts) - 1
    while at > 0 and _SHOWS.match(parts[at].command):
        at -= 1
    return max(at, 0)


def added(lines: Sequence[str]) -> tuple[str, str]:
    """Return the lines that the diffs in a log add, and the other lines of the diffs, as two texts."""
    new: list[str] = []
    other: list[str] = []
    inside = False
    for line in lines:
        if line.startswith(("diff --git ", "--- ", "+++ ", "@@ ")):
            inside = True
        elif _TRACE.match(line) and not line.startswith("+  "):
            inside = False
        elif inside:
            (new if line.startswith("+") else other).append(line[1:])
    return "\n".join(new), "\n".join(other)
