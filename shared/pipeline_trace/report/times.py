"""Writes times as HTML elements. Does no I/O.

Text and title are in UTC. The script of the page (report-times.js) puts the text into the reader's time zone.
"""

from __future__ import annotations

from datetime import datetime, timezone

from markupsafe import Markup

_ELEMENT = Markup('<time datetime="{}" title="{}">{}</time>')


def time_element(moment: datetime) -> Markup:
    """Return a time as an element, to the second. Without a zone, it is in UTC."""
    utc = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    written = utc.replace(tzinfo=None).isoformat(" ", "seconds")
    said = f"{written} UTC"
    return _ELEMENT.format(f"{written.replace(' ', 'T')}Z", said, said)


def time_element_of(time_ns: int) -> Markup:
    """Return nanoseconds since the epoch as an element; empty for a time beyond the calendar."""
    try:
        return time_element(datetime.fromtimestamp(time_ns // 1_000_000_000, timezone.utc))
    except (ValueError, OverflowError, OSError):
        return Markup("")
