"""Spans -> the rows of a tree, and the words for them: what the terminal view and the HTML report share. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..trace import conventions as names
from ..trace.span import ERROR, OK, Span

OTHER = "other"
EXEC = "exec"
SPAN_TYPES = (
    names.TYPE_RUN,
    names.TYPE_QUEUE,
    names.TYPE_AGENT,
    names.TYPE_STAGE,
    names.TYPE_BRANCH,
    names.TYPE_STEP,
    names.TYPE_INPUT,
    names.TYPE_CLEANUP,
    names.TYPE_COMMAND,
    names.TYPE_PLAYBOOK,
    names.TYPE_PLAY,
    "role",
    "block",
    names.TYPE_TASK,
    names.TYPE_HOST,
    EXEC,
    OTHER,
)

RUNNING = "running"
NO_STATE = "unset"
# Worst first: the order in which the roots' states decide about the whole.
STATES = (
    names.ERROR,
    names.FAILURE,
    names.TIMEOUT,
    names.CANCELLATION,
    RUNNING,
    names.SUCCESS,
    names.SKIP,
    NO_STATE,
)

# A child may lie outside its parent by this much before it is called skewed: stamps are rounded differently.
SKEW_TOLERANCE_NS = 50_000_000

_KNOWN_TYPES = frozenset(SPAN_TYPES)
_RESULT_WORDS = frozenset(STATES) - {RUNNING, NO_STATE}
# Ansible's own words come first: a failure that was ignored or rescued is none, whatever the general word says.
_ANSIBLE_RESULTS = ("ansible.host.result", "ansible.task.result", "ansible.result")
_ANSIBLE_STATES = {
    "ok": names.SUCCESS,
    "changed": names.SUCCESS,
    "ignored": names.SUCCESS,
    "rescued": names.SUCCESS,
    "failed": names.FAILURE,
    "unreachable": names.ERROR,
    "skipped": names.SKIP,
}
_REMARKS = frozenset({"changed", "ignored", "rescued", "unreachable"})


@dataclass(eq=False)
class Node:
    """A span in its place. ``depth``: 0 for a root. ``skewed``: outside its parent's time by more than 50 ms."""

    span: Span
    # Not in the repr: a chain of 5,000 nodes would exceed the recursion limit.
    children: list[Node] = field(default_factory=list, repr=False)
    depth: int = 0
    skewed: bool = False


def build_tree(spans: Sequence[Span]) -> list[Node]:
    """Return the roots, in order of start, then name; each node's children in the same order.

    A span hangs under the span that has its parent's id: the one of its own trace, else the first of any trace. One
    whose parent is not there is a root. Every span given is in the tree exactly once: of spans that are each other's
    ancestors the earliest becomes a root; where an id occurs twice the first one has the children.
    """
    parents = _parents(spans)
    _break_cycles(spans, parents)
    nodes = [Node(span) for span in spans]
    roots: list[Node] = []
    # Sorted once, before they are handed out: every list of children is then in order.
    for index in sorted(range(len(spans)), key=lambda i: _order(spans[i])):
        parent = parents[index]
        (roots if parent is None else nodes[parent].children).append(nodes[index])
    for node in walk(roots):
        for child in node.children:
            child.depth = node.depth + 1
            child.skewed = _is_skewed(child.span, node.span)
    return roots


def walk(roots: Iterable[Node]) -> Iterator[Node]:
    """Yield the nodes as rows: each before its children, in order, at any depth."""
    stack = list(roots)[::-1]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def span_type(span: Span) -> str:
    """Return one of SPAN_TYPES."""
    for key in (names.JENKINS_TYPE, names.ANSIBLE_TYPE):
        value = span.attributes.get(key)
        if isinstance(value, str) and value in _KNOWN_TYPES:
            return value
    return OTHER


def state(span: Span) -> str:
    """Return one of STATES.

    A span that is open and has not failed yet is running. ERROR without a known result word is a failure.
    """
    known = _known_state(span)
    if span.end_ns == 0 and known not in names.FAILED_RESULTS:
        return RUNNING
    return known


def remark(span: Span) -> str:
    """Return what Ansible said beyond the state: changed, ignored, rescued or unreachable; else an empty string."""
    word = _ansible_word(span)
    return word if word in _REMARKS else ""


def overall_state(roots: Iterable[Node]) -> str:
    """Return the worst of the roots' states; ``unset`` without any root."""
    return min((state(root.span) for root in roots), key=STATES.index, default=NO_STATE)


def leaf_most(roots: Iterable[Node], wanted: frozenset[str]) -> list[Node]:
    """Return, in row order, the nodes in one of the wanted states that have no such node below them."""
    found: list[Node] = []
    hit_at_or_below: set[int] = set()
    # Backwards, children come before their parents: one pass tells whether there is such a node below.
    for node in reversed(list(walk(roots))):
        below = any(id(child) in hit_at_or_below for child in node.children)
        hit = state(node.span) in wanted
        if hit and not below:
            found.append(node)
        if hit or below:
            hit_at_or_below.add(id(node))
    return found[::-1]


def message(span: Span) -> str:
    """Return what went wrong in a span's own words: the status message, else its exception's, else an empty string."""
    if span.status_message:
        return span.status_message
    for event in reversed(span.events):
        text = event.attributes.get("exception.message")
        if isinstance(text, str) and text:
            return text
    kind = span.attributes.get(names.ERROR_TYPE)
    return kind if isinstance(kind, str) else ""


def human_duration(duration_ns: int) -> str:
    """Return a duration in nanoseconds as people say it: 171 ms, 4.6 s, 2 min 03 s, 1 h 02 min, 3 d 04 h."""
    micros = abs(duration_ns) // 1000
    sign = "\N{MINUS SIGN}" if duration_ns < 0 and micros else ""
    return sign + _duration(micros)


def _duration(micros: int) -> str:
    # Each unit is rounded before it is chosen: 59.96 s is "1 min 00 s", never "60.0 s". report-model.js has the same.
    if 0 < micros < 1000:
        return "<1 ms"
    millis = (micros + 500) // 1000
    if millis < 1000:
        return f"{millis} ms"
    tenths = (micros + 50_000) // 100_000
    if tenths < 600:
        return f"{tenths // 10}.{tenths % 10} s"
    seconds = (micros + 500_000) // 1_000_000
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    minutes = (micros + 30_000_000) // 60_000_000
    if minutes < 1440:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = (micros + 1_800_000_000) // 3_600_000_000
    return f"{hours // 24} d {hours % 24:02} h"


# Controls, what changes the direction or the lines of a text, what has no width (but not the joiners, which emoji and
# several scripts need), and halves of surrogate pairs, which no UTF-8 file can hold.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f"
)
_UNSEEN_IN_NAMES = re.compile(f"[{_UNSEEN}]")
_UNSEEN_IN_TEXTS = re.compile(f"(?![\\n\\t])[{_UNSEEN}]")


def visible(text: str, *, lines: bool = False) -> str:
    """Return the text with characters that are not seen, or that reorder others, written out as U+202E in quotes.

    With ``lines`` line ends and tabs stay. The result can always be written as UTF-8.
    """
    if lines:
        return _UNSEEN_IN_TEXTS.sub(_written_out, text.replace("\r\n", "\n"))
    return _UNSEEN_IN_NAMES.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    return f"\u2039U+{ord(match[0]):04X}\u203a"


def _order(span: Span) -> tuple[int, str, str]:
    return span.start_ns, span.name, span.span_id


def _parents(spans: Sequence[Span]) -> list[int | None]:
    """Return for every span the position of the one that it hangs under."""
    of_any_trace: dict[str, int] = {}
    of_its_trace: dict[tuple[str, str], int] = {}
    for index, span in enumerate(spans):
        of_any_trace.setdefault(span.span_id, index)
        of_its_trace.setdefault((span.trace_id, span.span_id), index)
    found: list[int | None] = []
    for span in spans:
        parent = span.parent_id
        if parent is None:
            found.append(None)
        else:
            found.append(of_its_trace.get((span.trace_id, parent), of_any_trace.get(parent)))
    return found


def _break_cycles(spans: Sequence[Span], parents: list[int | None]) -> None:
    """Make the earliest span of each cycle a root, in place."""
    walked_by = [-1] * len(spans)
    for start in range(len(spans)):
        at: int | None = start
        while at is not None and walked_by[at] < 0:
            walked_by[at] = start
            at = parents[at]
        if at is None or walked_by[at] != start:
            continue
        ring = [at]
        step = parents[at]
        while step is not None and step != at:
            ring.append(step)
            step = parents[step]
        parents[min(ring, key=lambda i: _order(spans[i]))] = None


def _is_skewed(child: Span, parent: Span) -> bool:
    if child.attributes.get(names.JENKINS_TYPE) in (names.TYPE_QUEUE, names.TYPE_RUN):
        # The wait begins before the run does; a build may outlive the one that started it.
        return False
    if child.start_ns < parent.start_ns - SKEW_TOLERANCE_NS:
        return True
    return parent.end_ns != 0 and max(child.start_ns, child.end_ns) > parent.end_ns + SKEW_TOLERANCE_NS


def _ansible_word(span: Span) -> str:
    for key in _ANSIBLE_RESULTS:
        value = span.attributes.get(key)
        if isinstance(value, str) and value in _ANSIBLE_STATES:
            return value
    return ""


def _known_state(span: Span) -> str:
    word = _ansible_word(span)
    if word:
        return _ANSIBLE_STATES[word]
    for key in (names.PIPELINE_RESULT, names.TASK_RUN_RESULT):
        value = span.attributes.get(key)
        if isinstance(value, str) and value in _RESULT_WORDS:
            return value
    if span.status_code == ERROR:
        return names.FAILURE
    return names.SUCCESS if span.status_code == OK else NO_STATE
