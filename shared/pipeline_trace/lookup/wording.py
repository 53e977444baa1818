"""Formats texts for users: durations, times, and names with invisible characters.

A text that is kept or sent has its times in UTC, such as 2026-11-30 16:30:00Z. What a terminal shows is in local time.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

from ..trace.queries import has_times
from ..trace.span import Span

# Of utc_time.
_UTC_TIME = re.compile(r"\b(2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d)Z")
# What stands for a duration that is not known.
UNKNOWN = "\N{EN DASH}"


def human_duration(duration_ns: int) -> str:
    """Return a duration in nanoseconds as text, such as 171 ms, 4.6 s, 2 min 03 s, 1 h 02 min or 3 d 04 h."""
    micros = abs(duration_ns) // 1000
    sign = "\N{MINUS SIGN}" if duration_ns < 0 and micros else ""
    return sign + _duration(micros)


def human_length(span: Span) -> str:
    """Return how long a span took that has ended; a dash if that is not known."""
    return human_duration(span.end_ns - span.start_ns) if has_times(span) else UNKNOWN


def human_ms(duration_ms: float) -> str:
    """Return a duration in milliseconds as people say it; see human_duration."""
    return human_duration(round(duration_ms * 1_000_000))


def iso_time(time_ns: int) -> str:
    """Return a time in nanoseconds since the epoch in UTC, as JSON has it: ISO 8601 with milliseconds; "" if it is none."""
    found = _moment(time_ns)
    return found.isoformat(timespec="milliseconds") if found else ""


def utc_time(time_ns: int) -> str:
    """Return a time in nanoseconds since the epoch, in UTC, for a text that is kept or sent; "" if it is none."""
    found = _moment(time_ns)
    return f"{found:%Y-%m-%d %H:%M:%S}Z" if found else ""


def shown_time(time_ns: int, *, utc: bool = False) -> str:
    """Return a time in nanoseconds since the epoch as a terminal shows it, with its zone; "" if it is none."""
    found = _moment(time_ns)
    return _shown(found, utc) if found else ""


def with_shown_times(text: str, *, utc: bool = False) -> str:
    """Return a text in which the times of ``utc_time`` are those that a terminal shows."""

    def shown(match: re.Match[str]) -> str:
        try:
            return _shown(datetime.fromisoformat(f"{match[1]}+00:00"), utc)
        except ValueError:
            # The 30th of February, in somebody's text.
            return match[0]

    return _UTC_TIME.sub(shown, text)


def _shown(moment: datetime, utc: bool) -> str:
    return f"{moment.astimezone(timezone.utc if utc else None):%Y-%m-%d %H:%M:%S %Z}"


def _moment(time_ns: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(time_ns / 1e9, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _duration(micros: int) -> str:
    # Round first, then choose the unit: 59.96 s is "1 min 00 s", never "60.0 s". report-model.js does the same.
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


# Control characters, characters that change the direction or the lines of a text, characters without width (but not the
# joiners, which emoji and some scripts need), and halves of surrogate pairs, which UTF-8 cannot encode.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f"
)
_UNSEEN_IN_NAMES = re.compile(f"[{_UNSEEN}]")
_UNSEEN_IN_TEXTS = re.compile(f"(?![\\n\\t])[{_UNSEEN}]")


def visible(text: str, *, lines: bool = False) -> str:
    """Return the text with invisible and reordering characters replaced by their code, such as U+202E, in quotes.

    ``lines``: keep line ends and tabs. The result can always be encoded as UTF-8.
    """
    if lines:
        return _UNSEEN_IN_TEXTS.sub(_written_out, text.replace("\r\n", "\n"))
    return _UNSEEN_IN_NAMES.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    return f"\u2039U+{ord(match[0]):04X}\u203a"
