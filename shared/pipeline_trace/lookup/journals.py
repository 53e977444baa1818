"""Reads the spans that wait in journals, and parses only those that are asked for.

The newest journals are read whole, up to a limit. Of a journal beyond it, the open spans and the newest end are read.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ..delivery.closing import close
from ..delivery.journal import find_journals
from ..delivery.reader import Line, Reader, parsed
from ..trace import conventions as c
from ..trace.clock import horizon_ns
from ..trace.others import readable
from ..trace.span import Span, encode
from ..trace.traits import NOTED, traits_of
from ..trace.words import PARAMETERS
from .source import Wanted, fits_one
from .wording import visible

_ID = rb'"([0-9a-f]{32})"'
_SPAN = rb'"([0-9a-f]{16})"'
# The ids of a line, in the two orders in which Span.to_dict and trace/lines.py write them.
_HEAD = re.compile(
    rb'\{"type":"(?:open|span)","trace_id":'
    + _ID
    + rb',"span_id":'
    + _SPAN
    + rb',"parent_span_id":(?:null|'
    + _SPAN
    + rb")[,}]"
)
_PARENT_FIRST = re.compile(rb'\{"type":"(?:open|span)","trace_id":' + _ID + rb',"parent_span_id":' + _SPAN + rb",")
_SPAN_ID = re.compile(rb'"span_id":' + _SPAN)
_OPEN = b'{"type":"open",'
_END_NS = re.compile(rb'"end_unix_nano":([0-9]{1,19})[,}]')
_MB = 1_000_000
# What stands in the line of a noted span: of one that names a commit, and of any.
_REVISIONS = (c.VCS_HEAD_REVISION, *(c.JENKINS_PARAMETER_PREFIX + name for name in PARAMETERS[c.VCS_HEAD_REVISION]))
_NOTED = (c.PIPELINE_RESULT, c.ANSIBLE_PLAYBOOK_NAME, c.TASK_TYPE, c.TASK_ENVIRONMENT, *_REVISIONS)
# A line may say these in another way: `prod` means production, and a status may mean a failure.
_IN_OTHER_WORDS = frozenset({"environment", "result"})


class Limits(NamedTuple):
    """Limits of what is read, in bytes.

    ``whole``: of the journals that are read whole. ``end``: of the newest end of each other journal, and of its open spans.
    ``ends``: of all these ends.
    """

    whole: int = 128 << 20
    end: int = 16 << 20
    ends: int = 64 << 20


class Entry(NamedTuple):
    """A line of a journal with a span that has begun (``opened``) or ended, as it was written."""

    trace_id: str
    span_id: str
    parent_id: str | None
    opened: bool
    raw: bytes

    def span(self) -> Span | None:
        """Return the span; None if the line is not valid."""
        span = _span_in(parsed(self.raw))
        return span and readable(span)

    @property
    def end_ns(self) -> int:
        """Return when the span ended, in nanoseconds since the epoch; 0 if it is open."""
        found = None if self.opened else _END_NS.search(self.raw)
        return int(found[1]) if found else 0


class _Gone(NamedTuple):
    """What is known of the end of a process: the last line of its journal, None if it has none, and its last write."""

    end: Line | None
    modified_ns: int


@dataclass(frozen=True)
class Part:
    """What is read of a journal of ``size`` bytes.

    That is all of it; or at most ``opened`` bytes of open spans, and the last ``end`` bytes of spans that have ended.
    """

    path: Path
    size: int
    whole: bool
    opened: int = 0
    end: int = 0


def entry_of(raw: bytes) -> Entry | None:
    """Return a line's content with its ids; None if it is not valid or has no span. Does not parse the rest of it."""
    head = _HEAD.match(raw)
    if head and raw.endswith(b"}"):
        trace_id, span_id, parent_id = head.groups()
        return Entry(
            trace_id.decode(), span_id.decode(), parent_id.decode() if parent_id else None, raw.startswith(_OPEN), raw
        )
    head = _PARENT_FIRST.match(raw)
    # A link or an attribute may be called span_id too.
    ids = _SPAN_ID.findall(raw) if head and raw.endswith(b"}") else []
    if head and len(ids) == 1:
        return Entry(head[1].decode(), ids[0].decode(), head[2].decode(), raw.startswith(_OPEN), raw)
    line = parsed(raw)
    span = _span_in(line)
    return Entry(span.trace_id, span.span_id, span.parent_id, span is not line.span, raw) if line and span else None


def parts(folder: Path, limits: Limits) -> list[Part]:
    """Return what is read of each journal in a folder, newest first."""
    found: list[Part] = []
    whole, ends = limits.whole, limits.ends
    for path in reversed(find_journals(folder)):
        try:
            size = path.stat().st_size
        except OSError:
            # Deleted after its delivery.
            continue
        if size <= whole:
            found.append(Part(path, size, whole=True))
            whole -= size
        else:
            end = min(limits.end, ends)
            found.append(Part(path, size, whole=False, opened=limits.end, end=end))
            ends -= end
    return found


def said_of_parts(found: Iterable[Part]) -> str:
    """Return one line about the journals that are not read whole, and what to do; "" if all are."""
    large = [part for part in found if not part.whole]
    if not large:
        return ""
    names = ", ".join(f"{visible(str(part.path))} ({part.size / _MB:,.0f} MB)" for part in large[:3])
    more = f" and {len(large) - 3:,} more" if len(large) > 3 else ""
    return (
        f"too large to be read whole: {names}{more}; of such a journal only the open spans and the newest end are shown; "
        "to deliver it and see all of it, run: pipeline-trace ship"
    )


class Journals:
    """The spans in the journals of a folder, as they are when this is made. Spans have no duplicates; ended ones win."""

    def __init__(self, folder: Path | None, limits: Limits | None = None) -> None:
        """Read the journals. ``folder``: None for none at all. ``limits``: instead of the usual ones."""
        self.parts: Sequence[Part] = parts(folder, limits or Limits()) if folder else ()
        self._by_trace: dict[str, dict[str, Entry]] = defaultdict(dict)
        # Many lines have the same ids of traces and parents.
        self._texts: dict[str | None, str | None] = {}
        self._live: set[tuple[str, str]] = set()
        # Spans that a process left open which is gone.
        self._left: dict[tuple[str, str], _Gone] = {}
        self._latest: dict[str, int] = {}
        for part in self.parts:
            self._read(part)

    def trace(self, trace_id: str, but: Collection[str] = ()) -> list[Span]:
        """Return the spans of a trace. ``but``: ids of spans that are not asked for."""
        return self._spans(entry for span_id, entry in self._by_trace.get(trace_id, {}).items() if span_id not in but)

    def open_spans(self) -> list[Span]:
        """Return the open spans of processes that run now."""
        found = (self._by_trace[trace_id][span_id] for trace_id, span_id in sorted(self._live))
        return self._spans(entry for entry in found if entry.opened)

    def traces_of(self, span_ids: Iterable[str]) -> set[str]:
        """Return the ids of the traces that have a span with one of these ids."""
        return {trace_id for span_id in span_ids for trace_id in self._with_span.get(span_id, ())}

    def traces_below(self, span_ids: Iterable[str]) -> set[str]:
        """Return the ids of the traces that have a span whose parent has one of these ids."""
        return {trace_id for span_id in span_ids for trace_id in self._with_parent.get(span_id, ())}

    def naming(self, pipeline: str) -> list[Span]:
        """Return the spans that name a pipeline, perhaps among others that only contain its name."""
        return self._saying([_inner(pipeline)])

    def noted(self, wanted: Sequence[Sequence[Wanted]]) -> list[Span]:
        """Return the runs, playbooks, deploys and root spans with a commit that have all traits of a group."""
        # Only lines with the text are parsed: most have none.
        found = ((span, traits_of(span)) for span in self._saying([text for group in wanted for text in _said_by(group)]))
        return [span for span, traits in found if traits.level == NOTED and fits_one(traits, wanted)]

    def on_host(self, host: str) -> list[Span]:
        """Return the spans of a host in tasks. ``host``: its name in inventories."""
        return [span for span in self._saying([_inner(host)]) if host and traits_of(span).host == host]

    def _saying(self, texts: Sequence[bytes]) -> list[Span]:
        """Return the spans whose line contains one of these texts."""
        return self._spans(entry for entry in self._entries() if any(text in entry.raw for text in texts))

    def newest(self) -> tuple[str, int] | None:
        """Return the id of the trace whose span ended last, and that end in ns; None if there are no spans."""
        found = max(self._entries(), key=lambda entry: rank(entry.end_ns), default=None)
        return (found.trace_id, found.end_ns) if found else None

    def _entries(self) -> Iterator[Entry]:
        return (entry for entries in self._by_trace.values() for entry in entries.values())

    @cached_property
    def _with_span(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for entry in self._entries():
            found[entry.span_id].add(entry.trace_id)
        return found

    @cached_property
    def _with_parent(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for entry in self._entries():
            if entry.parent_id:
                found[entry.parent_id].add(entry.trace_id)
        return found

    def _read(self, part: Part) -> None:
        try:
            reader = Reader(part.path)
        except OSError:
            # Deleted after its delivery, or a file of another user.
            return
        try:
            written, opened = reader.written(), set[tuple[str, str]]()
            for entry in entries(reader) if part.whole else newest_entries(reader, part.opened, part.end):
                self._keep(entry)
                (opened.add if entry.opened else opened.discard)((entry.trace_id, entry.span_id))
            if written:
                self._live |= opened
            elif opened:
                self._left.update(dict.fromkeys(opened, _Gone(reader.end(), reader.modified_ns())))
        finally:
            reader.close()

    def _spans(self, found: Iterable[Entry]) -> list[Span]:
        return [span for entry in found if (span := self._span(entry))]

    def _span(self, entry: Entry) -> Span | None:
        """Return the span of an entry; one that a process left open as it will be delivered."""
        span = entry.span()
        gone = self._left.get((entry.trace_id, entry.span_id)) if span and entry.opened else None
        return close(span, gone.end, max(gone.modified_ns, self._latest_ns(entry.trace_id))) if span and gone else span

    def _latest_ns(self, trace_id: str) -> int:
        """Return when the last span of a trace ended: none ends before those in it."""
        if trace_id not in self._latest:
            self._latest[trace_id] = max(entry.end_ns for entry in self._by_trace[trace_id].values())
        return self._latest[trace_id]

    def _keep(self, entry: Entry) -> None:
        trace_id, parent_id = (self._texts.setdefault(text, text) for text in (entry.trace_id, entry.parent_id))
        kept = self._by_trace[str(trace_id)]
        if not entry.opened or entry.span_id not in kept:
            kept[entry.span_id] = entry._replace(trace_id=str(trace_id), parent_id=parent_id)


def _inner(value: str) -> bytes:
    """Return a text as it stands in a line, without quotes."""
    return encode(value)[1:-1].encode()


def rank(time_ns: int) -> tuple[bool, int]:
    """Return a key that sorts times: those in the future, from a wrong clock, before all others."""
    return time_ns <= horizon_ns(), time_ns


def entries(reader: Reader) -> Iterator[Entry]:
    """Yield the lines with spans that are new since the last call."""
    return (entry for raw in reader.raw_lines() if (entry := entry_of(raw)))


def newest_entries(reader: Reader, most_opened: int, most_ended: int) -> Iterator[Entry]:
    """Yield the open spans of a journal, then its newest lines with ended spans; of each at most so many bytes."""
    opened: dict[str, Entry] = {}
    ended: deque[Entry] = deque()
    open_size = ended_size = 0
    for entry in entries(reader):
        if entry.opened:
            if open_size < most_opened:
                opened[entry.span_id] = entry
                open_size += len(entry.raw)
            continue
        begun = opened.pop(entry.span_id, None)
        open_size -= len(begun.raw) if begun else 0
        ended.append(entry)
        ended_size += len(entry.raw)
        while ended_size > most_ended:
            ended_size -= len(ended.popleft().raw)
    yield from opened.values()
    yield from ended


def _span_in(line: Line | None) -> Span | None:
    if line is None:
        return None
    return line.opened.span() if line.opened else line.span


def _said_by(group: Sequence[Wanted]) -> list[bytes]:
    """Return texts of which one stands in the line of a noted span with all traits of a group."""
    if group and group[0].value and group[0].trait not in _IN_OTHER_WORDS:
        return [_inner(group[0].value)]
    names = _REVISIONS if group and group[0].trait == "revision" else _NOTED
    return [name.encode() for name in names]
