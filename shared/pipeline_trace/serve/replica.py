"""Shows the traces of a source, and takes no spans: nothing of this process is kept, so that there may be several."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from ..answers.headline import prepare
from ..delivery.destinations import SetupError
from ..figures.cost import NO_PRICES, Prices
from ..lookup.clickhouse.source import ClickHouseSource
from ..lookup.journals import Journals
from ..lookup.lookup import Lookup
from ..lookup.remote import remote_source
from .guard import AccessRules
from .limits import Limits
from .listener import HttpServer, leave_later, listen, shown
from .reading import Reading
from .remote_list import RemoteList
from .remote_open import RemoteOpen
from .web import application


@dataclass(frozen=True)
class ReplicaSettings:
    """The settings. ``source``: its address. ``address``: to listen on. A port of 0 means any free port.

    ``prices``: of executors.
    """

    source: str
    address: str
    port: int
    rules: AccessRules
    prices: Prices = NO_PRICES


def run(settings: ReplicaSettings, environ: Mapping[str, str], ready: Callable[[str], None]) -> None:
    """Serve until the signal TERM or INT; call ``ready`` with the URL when the server listens.

    A source that does not answer is no error: /readyz says so, and pages do. Raises SetupError, OSError.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="pipeline-trace: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    asyncio.run(_serve(remote_source(settings.source, environ), settings, ready))


async def _serve(source: ClickHouseSource, settings: ReplicaSettings, ready: Callable[[str], None]) -> None:
    loop, limits = asyncio.get_running_loop(), Limits()
    named = settings.source
    reading = Reading(
        RemoteList(source),
        lambda remembered=None: nullcontext(Lookup(source, Journals(None))),
        RemoteOpen(source).now,
        named,
        named,
    )
    with listen(settings.address, settings.port) as listener:
        app = application(reading, limits, settings.rules, partial(_problem, source), prices=settings.prices)
        server = HttpServer(app, limits)
        signalled = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, signalled.set)
        preparing = asyncio.create_task(asyncio.to_thread(prepare))
        ready(f"http://{shown(settings.address)}:{listener.getsockname()[1]}")
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await asyncio.wait([serving, asyncio.create_task(signalled.wait())], return_when=asyncio.FIRST_COMPLETED)
        leave_later()
        server.stop()
        await asyncio.gather(serving, preparing)
        source.close()


def _problem(source: ClickHouseSource) -> str:
    """Return why the source cannot be asked, "" if it can."""
    try:
        source.check()
    except SetupError as error:
        return str(error)
    return ""
