"""What the pages read, and how they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import HTMLResponse, Response

from ..lookup.lookup import Lookup
from ..lookup.standing import Opened
from . import pages
from .index import Filter
from .listing import Page

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not "no-referrer": the Origin of the login form would be "null".
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Listing(Protocol):
    """Gives pages of the list of traces."""

    async def page(self, wanted: Filter, number: int) -> Page:
        """Return a page of the list, by its number from 1. Raises SetupError, sqlite3.Error."""


@dataclass(frozen=True)
class Reading:
    """Where answers come from. ``open_lookup``: opens a Lookup for one answer. ``open_spans``: returns what runs now.

    ``kept_in``: what people call that place. ``source``: the same, as --from takes it; "" for this machine's store.
    """

    listing: Listing
    open_lookup: Callable[[], AbstractContextManager[Lookup]]
    open_spans: Callable[[], Sequence[Opened]]
    kept_in: str
    source: str = ""


def page(text: str, status: int = 200, more: Mapping[str, str] | None = None) -> Response:
    """Return the answer with a page. ``more``: other headers."""
    return HTMLResponse(text, status, {**HEADERS, "Content-Security-Policy": pages.content_policy(), **(more or {})})
