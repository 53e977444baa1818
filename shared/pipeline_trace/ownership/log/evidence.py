"""Shows the line that decides, and what failed. Does no I/O."""

from __future__ import annotations

from ...trace import redact
from . import cleaning
from .case import Case

_MOST_LETTERS = 240
# Of a long line, so many characters are masked before it is cut.
_READ = 2000


def evidence_of(case: Case, line: str) -> list[str]:
    """Return the deciding line, and the task or the command that failed."""
    evidence = [evidence_line(line)] if line else []
    task = case.task
    if task:
        evidence.append(
            f"task {task.task!r} {'could not reach' if task.unreachable else 'failed on'} {', '.join(task.hosts)}"
        )
    elif case.command:
        evidence.append(f"command: {evidence_line(case.command)}")
    return evidence


def evidence_line(line: str) -> str:
    """Return a line as evidence: stripped, without its level, and cut if it is very long."""
    line = cleaning.without_level(line.strip())
    if len(line) <= _MOST_LETTERS:
        return line
    # A secret that is cut in half is not known as one.
    return f"{redact.masked(line[:_READ])[:_MOST_LETTERS]}…"
