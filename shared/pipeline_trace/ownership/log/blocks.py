"""Splits a log into parts, and finds the part that decides. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

# A command in a log: the shell's trace.
_TRACE = re.compile(r"^\++ (?=\S)")
# GitLab's and yarn's prompt, GitHub's and Azure's step, a step of a Dockerfile, Windows' prompt.
_COMMAND = re.compile(
    r"^(?:\$ |##\[group\]Run |##\[command\]|\[command\]|Step \d+/\d+ : RUN |[A-Z]:\\[^>|*?\"]{0,200}>)(?P<shown>\S.*)"
    r"|^(?:> )?\[[\w .:/-]{0,100}\d{1,3}/\d{1,3}\] RUN (?P<run>\S.*?):?$"
    r"|^> \S+@\S+ (?P<script>[\w:.-]+)(?: /\S*)?$"
)
# With fewer lines before it, what failed is told later.
_FEWEST_BEFORE = 3
# From here on, the CI system cleans up.
_AFTER = re.compile(
    r"^Running after_?script|^Running after script|^Uploading artifacts for failed job|^Post job cleanup"
    r"|^Cleaning up (?:project|orphan)"
    r"|^Stage \".*\" skipped due to earlier failure|^\[Pipeline\] { \(Declarative: Post Actions\)"
    r"|^(?:Error: )?Process completed with exit code \d|^ERROR: Job failed: exit"
)
_HUNK = re.compile(r"^@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")
# Commands that only show something or clean up: the failure was before them.
_SHOWS = re.compile(
    r"\++ (?:exit|return|rm|echo|printf|cat|tail|head|true|false|set|\[|\[\[|test|free|df|dmesg|ps|trap|kill|sleep|wait|date"
    r"|tee|ls|journalctl|(?:/\S*/)?docker(?:-compose| compose| network| volume| image| container| system)?"
    r" (?:logs|ps|inspect|rm|rmi|stop|down|prune|kill)"
    r"|kubectl (?:\S+ )*?(?:logs|describe|get|top)"
    r"|systemctl status|ss|netstat|lsof|\w+=)(?: |$)"
)


@dataclass
class Section:
    """A command and what it printed. ``command``: "" if the log shows none."""

    command: str
    lines: list[str] = field(default_factory=list)


def until_the_end(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines before the CI system began to clean up after the failure."""
    end = next((number for number, line in enumerate(lines) if _AFTER.match(line)), 0)
    return lines[: end + 1] if end >= _FEWEST_BEFORE else lines


def sections(lines: Sequence[str]) -> list[Section]:
    """Split a log at the commands that it shows. Lines of a diff are not commands. A command begins with ``+``."""
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
        elif command := _COMMAND.match(line):
            script = command["script"]
            found.append(Section(f"+ npm run {script}" if script else f"+ {command['shown'] or command['run']}"))
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
