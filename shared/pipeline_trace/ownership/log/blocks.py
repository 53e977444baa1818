"""A log's structure: which part of it decides, and what stands around that. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# The Timestamper's, GitHub's and BuildKit's marks before a line.
_MARK = re.compile(r"^(?:\[?\d{4}-\d\d-\d\dT[\d:.]+Z?\]? |\d\d:\d\d:\d\d(?:\.\d+)? (?= ?[+\[>A-Z])|#\d+ [\d.]+ (?=\S))")
_JENKINS = re.compile(
    r"^\[Pipeline\] |^(?:ERROR: )?script returned exit code \d+|^Finished: [A-Z]+$|^Running on |^Started by "
)
_TRACE = re.compile(r"^\++ (?=\S)")
_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
# What only shows something, or cleans up: what failed was before it.
_SHOWS = re.compile(
    r"\++ (?:exit|return|rm|echo|printf|cat|tail|head|true|false|set|\[|\[\[|test|free|df|dmesg|ps|trap|kill|sleep|wait|date"
    r"|tee|ls|journalctl|docker(?:-compose| compose)? (?:logs|ps|inspect|rm|stop|down)"
    r"|kubectl (?:\S+ )*?(?:logs|describe|get|top)"
    r"|systemctl status|ss|netstat|lsof|\w+=)(?: |$)"
)
# Logs are bounded by the one who fetches them; what is pasted may not be.
_MOST_LINES = 400
_MOST_LETTERS = 32_000
# Of a line, what is judged; and of a part of a log, its end.
_HEAD, _TAIL = 1000, 500
_MOST_JUDGED = 64_000


@dataclass(frozen=True)
class Section:
    """A command and what it printed. ``command`` is "" where none is shown."""

    command: str
    lines: list[str] = field(default_factory=list)


def lines_of(log: str) -> list[str]:
    """Return a log's last lines as people see them: no colours, no marks of time, of progress bars the end."""
    found = []
    for line in log.splitlines()[-_MOST_LINES:]:
        line = _ANSI.sub("", line) if "\x1b" in line else line
        line = line.rstrip("\r").rpartition("\r")[2] if "\r" in line else line
        line = _MARK.sub("", line)
        if not _JENKINS.match(line):
            found.append(line[:_MOST_LETTERS].rstrip())
    return found


def judged(lines: Sequence[str]) -> list[str]:
    """Return the lines as they are judged: none is endless, nor are all of them together."""
    found = [line if len(line) <= _HEAD + _TAIL else f"{line[:_HEAD]} … {line[-_TAIL:]}" for line in lines]
    left = _MOST_JUDGED
    for number in range(len(found) - 1, -1, -1):
        left -= len(found[number]) + 1
        if left < 0:
            return found[number + 1 :]
    return found


def sections(lines: Sequence[str]) -> list[Section]:
    """Part a log by the commands that the shell shows (``set -x``). Lines of a diff are none."""
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
    """Return where the deciding part begins: the last command that does more than show something."""
    at = len(parts) - 1
    while at > 0 and _SHOWS.match(parts[at].command):
        at -= 1
    return max(at, 0)


def added(lines: Sequence[str]) -> tuple[str, str]:
    """Return the text that diffs shown in a log add, and what they show besides."""
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
