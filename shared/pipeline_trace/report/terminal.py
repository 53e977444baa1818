"""A trace as a tree in the terminal: names, times and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from ..span import Span
from . import model

_MARKS = {
    "success": ("✓", "green"),
    "failure": ("✗", "bold red"),
    "error": ("✗", "bold magenta"),
    "timeout": ("✗", "bold red"),
    "cancellation": ("⊘", "yellow"),
    "skip": ("-", "dim"),
    "running": ("▶", "bold cyan"),
    "unset": (" ", ""),
}
_WAITS = {"queue", "agent", "input"}


def render(spans: Sequence[Span], console: Console) -> None:
    """Print the trees of spans; in a pipe the lines are neither wrapped nor cut."""
    now = time.time_ns()
    roots = model.build_tree(spans)
    for root in roots:
        console.print(_heading(root), soft_wrap=True)
        todo = [(root, "", "")]
        while todo:
            node, lead, inner = todo.pop()
            console.print(Text(lead, style="dim") + _line(node, now), soft_wrap=True)
            last = len(node.children) - 1
            todo += [
                (child, inner + ("└─ " if i == last else "├─ "), inner + ("   " if i == last else "│  "))
                for i, child in reversed(list(enumerate(node.children)))
            ]


def _heading(root: model.Node) -> Text:
    started = datetime.fromtimestamp(root.span.start_ns / 1e9).astimezone()
    return Text(f"trace {root.span.trace_id}  {started:%Y-%m-%d %H:%M:%S %Z}", style="dim")


def _line(node: model.Node, now: int) -> Text:
    span, state, kind = node.span, model.state(node.span), model.span_type(node.span)
    mark, style = _MARKS[state]
    line = Text.assemble((mark, style), " ")
    if not span.name.lower().startswith(f"{kind} "):
        line.append(f"{kind} ", style="dim")
    line.append(model.visible(span.name), style="italic" if kind in _WAITS else style if state != "success" else "")
    line.append(f"  {_duration(span, now)}", style="cyan")
    remark = model.remark(span)
    if remark:
        line.append(f"  {remark}", style="yellow")
    if node.skewed:
        line.append("  clock skewed", style="yellow")
    message = model.message(span)
    if message and state in ("failure", "error", "timeout"):
        line.append(f"  {model.visible(message.splitlines()[0])}", style="red")
    return line


def _duration(span: Span, now: int) -> str:
    if span.end_ns:
        return model.human_duration(span.end_ns - span.start_ns)
    started = datetime.fromtimestamp(span.start_ns / 1e9).astimezone()
    return f"running since {started:%H:%M:%S} ({model.human_duration(now - span.start_ns)})"
