"""Prints a trace as a tree in the terminal: names, durations and errors."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ..lookup import states, tree, wording
from ..lookup.cause import cause
from ..place.ci.jenkins.identity import build_on_page
from ..trace.queries import run_url_of
from ..trace.span import Span

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


def print_tree(spans: Sequence[Span], console: Console, *, utc: bool = False) -> None:
    """Print the spans as trees. If the output is not a terminal, lines are neither wrapped nor cut.

    ``utc``: show times in UTC, not in local time.
    """
    now = time.time_ns()
    roots = tree.build_tree(spans)
    for root in roots:
        console.print(_heading(root, utc), soft_wrap=True)
        todo = [(root, "", "")]
        while todo:
            node, lead, inner = todo.pop()
            console.print(Text(lead, style="dim") + _line(node, now, utc), soft_wrap=True)
            last = len(node.children) - 1
            todo += [
                (child, inner + ("└─ " if i == last else "├─ "), inner + ("   " if i == last else "│  "))
                for i, child in reversed(list(enumerate(node.children)))
            ]


def _heading(root: tree.Node, utc: bool) -> Text:
    heading = Text(f"trace {root.span.trace_id}  {wording.shown_time(root.span.start_ns, utc=utc)}", style="dim")
    if tree.overall_state([root]) == states.INCOMPLETE:
        heading.append(f"  incomplete: {_missing(root.span)}", style="yellow")
    return heading


def _missing(span: Span) -> str:
    """Return what is not here around a span, and what brings it."""
    build = build_on_page(run_url_of(span))
    if build is None:
        return "what is around it is not here, so it may still run; its span comes when it has ended"
    poll = f"pipeline-trace poll --once --jenkins-url {build.controller}"
    return f"{wording.visible(build.name)} is not here; when it has ended, fetch it with: {poll}"


def _line(node: tree.Node, now: int, utc: bool) -> Text:
    span, state, kind = node.span, states.state(node.span), states.span_type(node.span)
    mark, style = _MARKS[state]
    line = Text.assemble((mark, style), " ")
    if not span.name.lower().startswith(f"{kind} "):
        line.append(f"{kind} ", style="dim")
    line.append(wording.visible(span.name), style="italic" if kind in _WAITS else style if state != "success" else "")
    line.append(f"  {_duration(span, now, utc)}", style="cyan")
    remark = states.remark(span)
    if remark:
        line.append(f"  {remark}", style="yellow")
    left_out = states.left_out(span)
    if left_out:
        line.append(f"  {left_out}", style="dim")
    if node.skewed:
        line.append("  clock skewed", style="yellow")
    told = cause(span)
    if told and state in ("failure", "error", "timeout"):
        line.append(f"  {wording.visible(told)}", style="red")
    return line


def _duration(span: Span, now: int, utc: bool) -> str:
    if span.end_ns:
        return wording.human_length(span)
    return f"running since {wording.shown_time(span.start_ns, utc=utc)} ({wording.human_duration(now - span.start_ns)})"
