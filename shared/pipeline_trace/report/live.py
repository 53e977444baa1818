"""A trace's page that changes while the trace goes on: as HTML, and what of it is new for who has it open. Does no I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from ..lookup.states import INCOMPLETE, RUNNING
from ..lookup.tree import Node
from ..trace.span import Span
from .changes import Changes
from .html import PARTS, Known, Made, made, part_of, written
from .rowdata import Rows


class LivePage:
    """The page of one trace, in its newest state. Not for several threads at once."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        """``now_ns``: the time, in nanoseconds since the epoch."""
        self._now_ns = now_ns
        self._rows = Rows()
        self._changes = Changes()
        self._made: Made | None = None
        self._noted: Made | None = None
        # Whether a span is open, or some of the trace has not arrived.
        self.goes_on = True

    def take(self, spans: Sequence[Span], known: Known, roots: Sequence[Node] | None = None) -> bool:
        """Take the trace as it is now. Return whether the page differs. ``roots``: see page_html."""
        first = self._made is None
        self._made = page = made(spans, known, roots=roots, rows=self._rows, generated_at=self._moment())
        self.goes_on = page.values["result"] in (RUNNING, INCOMPLETE) or any(not span.end_ns for span in spans)
        # Mostly nobody asks what is new in a trace that has ended.
        return self._note() if self.goes_on or not first else True

    def page(self, events: str) -> str:
        """Return the page as HTML. ``events``: where it asks for what is new; "" for a page that does not."""
        assert self._made
        return written(self._made, {"events": events, "mark": self._changes.mark, "now": self.now_us()} if events else None)

    def since(self, mark: str) -> dict[str, Any] | None:
        """Return what is new for a reader: see Changes.since."""
        self._note()
        return self._changes.since(mark)

    def _note(self) -> bool:
        """Note what is new in this state of the page. Return whether anything is."""
        page = self._made
        if page is None or page is self._noted:
            return False
        self._noted = page
        parts = {f"#{name}": part_of(page, name) for name in PARTS}
        parts |= {"title": f"{page.values['word']}: {page.values['title']}", "result": page.values["result"]}
        return self._changes.take(page.data, {**page.data.around, **page.more, **parts})

    def now_us(self) -> int:
        """Return the time, in microseconds since the epoch."""
        return self._now_ns() // 1000

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._now_ns() // 1000 / 1e6, timezone.utc)
