"""Prints a path document in the terminal: about fifteen lines for each service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..lookup.wording import human_ms, visible
from .steps import BEFORE, NOT_KNOWN, NOT_REACHED

STATES = {
    "success": ("✓ passed", "green"),
    "failure": ("✗ failed", "bold red"),
    "error": ("✗ error", "bold magenta"),
    "timeout": ("✗ timed out", "bold red"),
    "cancellation": ("⊘ cancelled", "yellow"),
    "running": ("▶ running", "bold cyan"),
    NOT_REACHED: ("· not reached", ""),
    NOT_KNOWN: ("? not known", "dim"),
}
_WAITS = {"queue": "in the queue", "agent": "for an agent", "input": "for a person"}
_SHORTEST_WAIT_MS = 1000
# A narrower terminal has no room for a table.
_NARROW = 100
# The index of the last column.
_REMARKS = 4
_ANSWERS = {"yes": "bold green", "no": "bold red", "not known": "bold yellow"}

Document = Mapping[str, Any]


def print_path(document: Document, console: Console, *, utc: bool = False) -> None:
    """Print the answer, then the steps. If the output is not a terminal, lines are neither wrapped nor cut.

    ``utc``: show times in UTC, not in local time.
    """
    services = document["services"]
    _print(console, Text(_title(document), style="bold"))
    for note in document["notes"]:
        _print(console, Text(visible(f"note: {note}"), style="dim"))
    for service in services:
        answer = service["answer"]
        of = visible(f" ({service['service']})") if services[1:] else ""
        line = Text.assemble(
            f"Can I deploy{of}? ", (answer["answer"], _ANSWERS[answer["answer"]]), f": {visible(answer['reason'])}"
        )
        _print(console, line)
        if answer["next"]:
            _print(console, Text(visible(f"  who should look first: {answer['next']}")))
    rows = _rows(services, utc)
    if console.is_terminal and console.width < _NARROW:
        for name, state, started, ran, remarks in rows:
            console.print(Text("  ").join(cell for cell in (name, state, ran) if cell))
            below = Text("; ").join(cell for cell in (started, remarks) if cell)
            if below:
                console.print(Padding(below, (0, 0, 0, 4)))
    elif console.is_terminal:
        console.print(_table(rows))
    else:
        widths = [max(len(row[i].plain) for row in rows) for i in range(_REMARKS)]
        for row in rows:
            cells = [cell.plain.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)]
            _print(console, Text("  ".join(cells).rstrip()))


def _print(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True)


def _title(document: Document) -> str:
    parts = [f"commit {document['commit'][:12]}" if document["commit"] else "no commit known"]
    if document["repository"]:
        parts[0] += f" of {document['repository']}"
    if document["change"]:
        parts.append(f"change {document['change']}")
    for service in document["services"]:
        if service["versions"]:
            parts.append(f"{service['service'] or 'version'} {', '.join(service['versions'])}")
    return visible(" · ".join(parts))


def _rows(services: Sequence[Document], utc: bool) -> list[list[Text]]:
    """Return the rows of the table. Steps that all services share appear once."""
    several = len(services) > 1
    rows: list[list[Text]] = []
    common = [step for step in services[0]["steps"] if step["step"] in BEFORE and all(step in s["steps"] for s in services)]
    rows += [_row(step, "", utc) for step in common]
    for service in services:
        own = [step for step in service["steps"] if step not in common]
        rows += [_row(step, service["service"] if several else "", utc) for step in own]
    return rows


def _row(step: Document, service: str, utc: bool) -> list[Text]:
    label, style = STATES[step["state"]]
    last = step["last"]
    name = f"{service} {step['step']}" if service else step["step"]
    cells = [Text(visible(name)), Text(label, style=style)]
    if not last:
        return [*cells, Text(), Text(), Text()]
    started = datetime.fromisoformat(last["started"]).astimezone(timezone.utc if utc else None)
    ran = "" if last["ran_ms"] is None else f"ran {human_ms(last['ran_ms'])}"
    return [
        *cells,
        Text(f"{started:%Y-%m-%d %H:%M %Z}", style="dim"),
        Text(ran, style="cyan"),
        Text(visible("; ".join(_remarks(step)))),
    ]


def _waited(waits: Sequence[Document]) -> list[str]:
    said = []
    for what, words in _WAITS.items():
        those = [wait for wait in waits if wait["what"] == what]
        total = sum(wait["ms"] for wait in those)
        who = ", ".join(dict.fromkeys(wait["who"] for wait in those if wait["who"]))
        if total >= _SHORTEST_WAIT_MS:
            said.append(f"{human_ms(total)} {words}" + (f" ({who})" if who else ""))
    return [f"waited {', '.join(said)}"] if said else []


def _remarks(step: Document) -> list[str]:
    last = step["last"]
    said = [last["run"] or last["name"], *_waited(last["waited"])]
    if step["failures"] > 1:
        said.append(f"failed {step['failures']} times" + (" with the same error" if step["failed_alike"] else ""))
    elif step["state"] == "success" and step["failed_before"]:
        said.append(f"failed {step['failed_before']} of {step['attempts'] - 1} times before")
    elif step["attempts"] > 1:
        said.append(f"{step['attempts']} attempts")
    if step["state"] != "success" and step["green_before"]:
        said.append(f"was green in {step['green_before']['run'] or step['green_before']['name']}")
    if step["passed_by"]:
        said.append(f"{step['passed_by']} later build{'s' if step['passed_by'] > 1 else ''} did not reach this step")
    if step["replaced_by"]:
        other = step["replaced_by"]
        what = other["commit"][:7] if other["commit"] else other["version"]
        said.append(f"replaced by {what} ({other['run'] or other['name']})")
    return said


def _table(rows: Sequence[Sequence[Text]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for i in range(_REMARKS):
        # In a narrow terminal, only the remarks wrap.
        table.add_column(no_wrap=True, min_width=max(row[i].cell_len for row in rows))
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
