"""The sockets of the server, and uvicorn on them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from ..delivery.destinations import SetupError
from .connection import Client, Connection, Timed
from .limits import Limits

# After the signal to end: for current answers, and for all else.
GRACE_SECONDS = 5
_LAST_SECONDS = 8
_log = logging.getLogger(__name__)


class HttpServer(uvicorn.Server):
    """uvicorn's server, but the signal that stops it does not count as an error."""

    def __init__(self, app: Starlette, limits: Limits) -> None:
        """``app``: see web.application."""
        super().__init__(_config(app, limits))
        self._end_streams: Callable[[], None] = app.state.end_streams

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to those who run this server."""
        yield

    def stop(self) -> None:
        """Stop after the current answers."""
        self._end_streams()
        logging.getLogger("uvicorn.error").addFilter(_in_one_line)
        self.should_exit = True


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises SetupError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=1024)
    except OSError as error:
        raise taken(address, port, "--port", error.strerror or str(error)) from None


def taken(address: str, port: int, option: str, said: str) -> SetupError:
    """Return the error for a port that is not to be had. ``option``: that chooses another one."""
    return SetupError(
        f"cannot listen on {address} port {port}: {said}; "
        f"stop the other pipeline-trace serve or Collector that uses it, or choose another port with {option}"
    )


def shown(address: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address


def leave_later() -> None:
    """End this process after a while, whatever is in hand: a thread that computes cannot be interrupted."""
    last = threading.Timer(_LAST_SECONDS, _leave)
    last.daemon = True
    last.start()


def _leave() -> None:
    """End this process now. Spans that a client was told are accepted are committed; it sends the others again."""
    _log.warning("requests were not read within %d s after the signal; their clients send them again", _LAST_SECONDS)
    # Not sys.exit: Python would wait for its threads.
    os._exit(0)


def _in_one_line(record: logging.LogRecord) -> bool:
    """Say in one line how many answers are cut off at the end, without a traceback of each. Return whether it is said."""
    if record.msg.startswith("Cancel ") and record.args:
        record.msg = f"%s answers were cut off: their clients had not read them {GRACE_SECONDS} s after the signal"
        return record.args != (0,)
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _config(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    class Limited(Connection):
        head_seconds = limits.head_seconds
        answer_seconds = limits.answer_seconds
        by_client: dict[Client, Connection] = {}

    return uvicorn.Config(
        Timed(app, Limited.by_client),
        http=Limited,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=int(limits.answer_seconds),
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
