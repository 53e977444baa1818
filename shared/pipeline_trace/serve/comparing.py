"""Compares two runs on a page: GET /compare?trace=ID, with the last green run; with ``&with=ID`` with another one."""

from __future__ import annotations

import asyncio
import shlex
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..compare import wording
from ..compare.find import NoGreenRunError, compare
from ..compare.record import Comparison
from ..lookup.lookup import NotFoundError
from ..lookup.wording import visible
from ..report.pagedata import STATE_WORDS
from ..report.times import time_element_of
from . import pages
from .reading import Reading, page

PATH = "/compare"
# Two traces are read for an answer. This is how many are made at the same time.
_AT_ONCE = 2
# Of each list.
_MOST = 50
_LONGEST_REFERENCE = 2000


class Comparisons:
    """Answers with comparisons."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._busy = asyncio.Semaphore(_AT_ONCE)

    def route(self) -> Route:
        """Return the route."""
        return Route(PATH, self.answer)

    async def answer(self, request: Request) -> Response:
        """Return the page that compares two runs; what to do where there is none to compare with."""
        trace, other = (request.query_params.get(name, "").strip()[:_LONGEST_REFERENCE] for name in ("trace", "with"))
        async with self._busy:
            try:
                found, named = await asyncio.to_thread(self._compared, trace or "latest", other)
            except NoGreenRunError as error:
                return page(page_of(None, trace, other, problem=str(error), source=self._reading.source))
            except NotFoundError as error:
                return page(page_of(None, trace, other, problem=str(error), source=self._reading.source), 404)
        return page(page_of(found, trace, other, named=named, source=self._reading.source))

    def _compared(self, trace: str, other: str) -> tuple[Comparison, str]:
        """Return the comparison, and what commands name the run by."""
        with self._reading.open_lookup() as lookup:
            found = compare(lookup, trace, other)
            return found, found.run.name if lookup.names_one(found.run.name) else trace


def path_of(trace_id: str) -> str:
    """Return the path of the page that compares a trace with the last green run."""
    return f"{PATH}?trace={quote(trace_id)}"


def page_of(
    found: Comparison | None, trace: str, other: str, *, named: str = "", source: str = "", problem: str = ""
) -> str:
    """Return the page with a comparison; without one, what to do.

    ``trace``, ``other``: as they were asked for. ``named``: what commands name the run by, if that is another name.
    """
    words = ["pipeline-trace", "compare", named or trace]
    words += ["--with", other] if other else []
    words += ["--from", source] if source else []
    return pages.render(
        "compare.html.j2",
        title=f"{found.run.name} against {found.base.name}" if found else "Nothing to compare with",
        says=wording.summary(found) if found else "",
        found=found,
        problem=visible(problem),
        trace=visible(trace),
        other=visible(other),
        command=visible(shlex.join(words)),
        most=_MOST,
        words=STATE_WORDS,
        started=time_element_of,
        took=wording.took,
        more=wording.more,
        link=pages.page_of_span,
        script=Markup(pages.SCRIPT),
    )
