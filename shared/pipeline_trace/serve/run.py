"""Runs the server process: sockets, signals and periodic work."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..answers.headline import prepare
from ..delivery import listening
from ..delivery.destinations import SetupError
from ..delivery.destinations.store import Store, hold
from ..delivery.home import Home
from ..delivery.remedies import remedy
from ..figures.cost import NO_PRICES, Prices
from ..lookup.lookup import local_lookup
from ..lookup.standing import Opened
from ..notify.disk import BookError
from ..notify.notifier import Notifier
from ..notify.settings import Settings
from . import guard, over_grpc, retention
from .index import Index
from .intake import Intake
from .limits import Limits
from .listener import GRACE_SECONDS, HttpServer, leave_later, listen, shown, taken
from .listing import TraceList
from .opened import OpenSpans
from .reading import Reading
from .trusted import TrustedHeader
from .web import application
from .writer import StoreWriter

# After the signal to end: for bodies that are being read.
_READING_SECONDS = 4
_LAST_MESSAGES_SECONDS = 2
_SWEEP_SECONDS = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeSettings:
    """The settings. ``address``: to listen on. A port of 0 means any free port. ``names``: other accepted Host headers.

    ``notify``: to tell failures; None to tell none. ``trusted``: the header of a proxy that logs people in; None for none.
    ``prices``: of executors.
    """

    address: str
    port: int
    grpc_port: int
    keep: retention.Keep
    token: str = ""
    names: Sequence[str] = ()
    notify: Settings | None = None
    trusted: TrustedHeader | None = None
    limits: Limits = field(default_factory=Limits)
    prices: Prices = NO_PRICES


@dataclass(frozen=True)
class Listening:
    """The addresses of the server, and its store."""

    url: str
    grpc: str
    store: Path


def run(home: Home, settings: ServeSettings, ready: Callable[[Listening], None]) -> None:
    """Serve until the signal TERM or INT; call ``ready`` when the server listens. Raises SetupError, OSError."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="pipeline-trace: %(message)s")
    # Errors of clients go into the answer, not into this log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    try:
        asyncio.run(_serve(home, settings, ready))
    except sqlite3.Error as error:
        raise SetupError(f"cannot use the store {home.store}: {error}; {remedy(error)}") from None


async def _serve(home: Home, settings: ServeSettings, ready: Callable[[Listening], None]) -> None:
    limits, rules = settings.limits, guard.rules(settings.address, settings.token, settings.names, settings.trusted)
    loop = asyncio.get_running_loop()
    with listen(settings.address, settings.port) as listener:
        index = Index(home.store)
        await asyncio.to_thread(index.prepare)
        hold(home.store)
        writer = StoreWriter(home.store)
        opened = OpenSpans()
        intake, listing = Intake(writer, limits, opened), TraceList(home, index, writer)
        grpc_server, grpc_port = _grpc(settings, over_grpc.Exports(intake, rules))
        reading = Reading(
            listing,
            lambda remembered=None: closing(local_lookup(home, remembered=remembered)),
            lambda: _open_spans(home, listing, opened),
            str(home.store),
            state_of=listing.state_of,
        )
        app = application(reading, limits, rules, index.problem, intake, settings.prices)
        http_server = HttpServer(app, limits)
        signalled = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, signalled.set)
        preparing = asyncio.create_task(asyncio.to_thread(prepare))
        await grpc_server.start()
        notifier = _notifier(settings.notify, home)
        sweeper = asyncio.create_task(_sweep(listing, writer, settings.keep))
        where = shown(settings.address)
        url = f"http://{where}:{listener.getsockname()[1]}"
        listening.note(home, url, f"{where}:{grpc_port}")
        ready(Listening(url, f"{where}:{grpc_port}", home.store))
        serving = asyncio.create_task(http_server.serve(sockets=[listener]))
        await asyncio.wait([serving, asyncio.create_task(signalled.wait())], return_when=asyncio.FIRST_COMPLETED)
        leave_later()
        http_server.stop()
        loop.call_later(_READING_SECONDS, intake.stop)
        await asyncio.gather(serving, preparing, grpc_server.stop(GRACE_SECONDS))
        if notifier:
            await asyncio.to_thread(notifier.close, _LAST_MESSAGES_SECONDS)
        sweeper.cancel()
        await asyncio.wait([sweeper])
        await writer.close()
        listening.forget(home, url)


def _open_spans(home: Home, listing: TraceList, opened: OpenSpans) -> list[Opened]:
    """Return what runs: on this machine as its journals tell it, elsewhere as its senders told it last."""
    here = listing.open_spans()
    runs = opened.runs()
    if runs:
        # A poller on this machine delivers into the store itself.
        with closing(Store(home.store)) as store:
            opened.ended(run for run in runs if store.some_spans(run[0], [run[1]]))
    known = {one.span.span_id for one in here}
    told = (Opened(one.span, one.heard_ns if one.silent else 0, one.ahead_ns) for one in opened.now())
    return [*here, *(one for one in told if one.span.span_id not in known)]


def _notifier(settings: Settings | None, home: Home) -> Notifier | None:
    """Start the notifier, which looks at what arrives in the store. Return None if there is none to start."""
    if settings is None:
        return None
    try:
        found = Notifier(settings, home, os.environ, _log.warning, history=True, watch=True)
    except (BookError, OSError) as error:
        _log.warning("no failures are told: %s", error)
        return None
    found.start()
    return found


def _grpc(settings: ServeSettings, exports: over_grpc.Exports) -> tuple[Any, int]:
    try:
        return over_grpc.server(f"{shown(settings.address)}:{settings.grpc_port}", exports, settings.limits)
    except RuntimeError:
        raise taken(settings.address, settings.grpc_port, "--grpc-port", "the port is in use or not allowed") from None


async def _sweep(listing: TraceList, writer: StoreWriter, keep: retention.Keep) -> None:
    """Update the list and remove old traces, every minute."""
    failures = 0
    while True:
        try:
            # Before that it is not known which traces are the oldest.
            has_old_ones = await listing.refresh(_SWEEP_SECONDS)
            while has_old_ones and any(await writer.call(partial(retention.remove_some, keep=keep))):
                pass
            failures = 0
        except Exception as error:
            failures += 1
            # Another process may hold the store for some seconds. That is worth a line only if it happens again.
            if failures > 1 or "locked" not in str(error):
                _log.warning("cannot update the list or remove old traces: %s; trying again in %d s", error, _SWEEP_SECONDS)
        await asyncio.sleep(_SWEEP_SECONDS)
