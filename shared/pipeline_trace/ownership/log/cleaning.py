"""Takes from the lines of a log what CI systems, runners and loggers write around them. Does no I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

_ANSI_LEFT = re.compile(r"\[(?:\d{1,3}(?:;\d{1,3}){0,4})?m|\[0?K")
_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# Fetched logs have a limit already; a log from `why --log` may not.
_MOST_LINES = 600
_MOST_LETTERS = 32_000
# The beginning and the end of a longer line, unless it is a result of Ansible.
_HEAD, _TAIL = 1000, 500
# Of a part of a log, its end: so many characters.
_MOST_JUDGED = 64_000
_RESULT = ("fatal: [", "failed: [")
# A line has at most so many marks before its text.
_MOST_MARKS = 5
_DAY = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d| UTC)?"
_MARK = re.compile(
    "|".join(
        (
            # Timestamps: Jenkins' Timestamper, GitHub, GitLab (with its stream), TeamCity, syslog, loggers.
            rf" {{0,2}}\[?{_DAY}\]?:?(?: \d\d[OE](?=[ +])\+?)?(?: |$)",
            r"\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?(?:[WEi]?:)?(?: |$)",
            r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]+ (?:[\w./@-]+\[\d+\]: )?",
            # klog.
            r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+(?: +\d+ [\w.-]+:\d+)?\] ",
            # `gh run view`: the job, the step and the time.
            rf"[^\t]{{1,80}}\t[^\t]{{1,120}}\t(?=\ufeff?{_DAY})",
            # BuildKit: the step and the seconds. Its summary has only the seconds.
            r"#\d+ (?:\d+\.\d+ )?(?=\S)|\d+\.\d{2,3} (?=\S)",
            # Terraform's frame, Compose's and Turborepo's source of a line.
            r"[│╷╵](?: |$)|[a-z][\w.-]*[-_]\d+ +\| |@?[\w./-]+:(?:build|test|lint|check)[\w-]*: ",
            r"\ufeff|##\[(?:error|section)\]|::error(?: [^:]*)?::",
        )
    )
)
_WARNING = re.compile(r"##\[warning\]|::(?:warning|notice)(?: [^:]*)?::")
# The name of a parallel branch or a task. A level and what rules look for are no such names.
_TAG = re.compile(
    r"\[(?!(?:INFO|ERROR|WARN|WARNING|DEBUG|TRACE|FATAL|Pipeline|emerg|cause|vite)\])"
    r"(?:[A-Za-z][\w ./:@-]{0,40}|\d{1,2})\] ",
    re.IGNORECASE,
)
_LEVEL = re.compile(r"\[(?:INFO|ERROR|FATAL|SEVERE)\] +", re.IGNORECASE)
# A tag on fewer lines belongs to the text.
_FEWEST_TAGGED = 3


def lines_of(log: str) -> list[str]:
    """Return the last lines of a log as their programs wrote them: no colours, times or branches, no redrawn lines."""
    if "\0" in log:
        # UTF-16 that was read as UTF-8.
        log = log.replace("\0", "")
    # Not at a carriage return: only the last of what it redraws is seen.
    found = [_written(line) for line in log.split("\n")[-_MOST_LINES:]]
    tags = _branches(found)
    if tags:
        found = [_unmarked(line[match.end() :]) if (match := _tag(line, tags)) else line for line in found]
    return found


def without_level(line: str) -> str:
    """Return a line without the level that a logger or Maven writes before it."""
    return _LEVEL.sub("", line, count=1) if line.startswith("[") else line


def _written(line: str) -> str:
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    elif "[" in line:
        # Some viewers take the escape character away, but not the rest.
        line = _ANSI_LEFT.sub("", line)
    if "\r" in line:
        line = line.rstrip("\r").rpartition("\r")[2]
    line = _unmarked(line[:_MOST_LETTERS].rstrip())
    return line if line.startswith(_RESULT) else _cut(line)


def _unmarked(line: str) -> str:
    for _ in range(_MOST_MARKS):
        match = _MARK.match(line)
        if not match or match.end() == 0:
            break
        line = line[match.end() :]
    return _WARNING.sub("warning: ", line, count=1) if line.startswith(("##[", "::")) else line


def _branches(lines: Iterable[str]) -> frozenset[str]:
    """Return the tags in front of several lines, or of a command: names of parallel branches."""
    counted: Counter[str] = Counter()
    for line in lines:
        match = _TAG.match(line) if line.startswith("[") else None
        if match:
            counted[match[0]] += _FEWEST_TAGGED if line.startswith("+ ", match.end()) else 1
    return frozenset(tag for tag, times in counted.items() if times >= _FEWEST_TAGGED)


def _tag(line: str, tags: frozenset[str]) -> re.Match[str] | None:
    match = _TAG.match(line) if line.startswith("[") else None
    return match if match and match[0] in tags else None


def _cut(line: str) -> str:
    return line if len(line) <= _HEAD + _TAIL else f"{line[:_HEAD]} … {line[-_TAIL:]}"


def shortened(lines: Sequence[str]) -> list[str]:
    """Return the lines with long ones cut in the middle, and only the last ones if all together are too long."""
    found = [_cut(line) for line in lines]
    left = _MOST_JUDGED
    for number in range(len(found) - 1, -1, -1):
        left -= len(found[number]) + 1
        if left < 0:
            return found[number + 1 :]
    return found
