"""What the pages read, and how they answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import HTMLResponse, Response

from ..lookup.lookup import Lookup
from ..lookup.source import Remembered
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


class OpenLookup(Protocol):
    """Opens a Lookup for one answer."""

    def __call__(self, remembered: Remembered | None = None) -> AbstractContextManager[Lookup]:
        """Return it. ``remembered``: keeps spans from one answer to the next, where the source can tell which are new."""


@dataclass(frozen=True)
class Reading:
    """Where answers come from. ``open_spans``: returns what runs now.

    ``kept_in``: what people call that place. ``source``: the same, as --from takes it; "" for this machine's store.
    ``state_of``: returns quickly what differs if traces have other spans than before; None where only reading them tells.
    """

    listing: Listing
    open_lookup: OpenLookup
    open_spans: Callable[[], Sequence[Opened]]
    kept_in: str
    source: str = ""
    state_of: Callable[[Collection[str]], object] | None = None


def page(text: str, status: int = 200, more: Mapping[str, str] | None = None) -> Response:
    """Return the answer with a page. ``more``: other headers."""
    return HTMLResponse(text, status, {**HEADERS, "Content-Security-Policy": pages.content_policy(), **(more or {})})
