"""Bounds how long a whole HTTP answer may take: its first line, its headers and its body.

The time limit of requests is one for each piece that comes, however many there are.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from http.client import HTTPResponse
from types import SimpleNamespace
from typing import Any


class _Bounded(io.RawIOBase):
    """What a socket receives. Reading raises TimeoutError after ``deadline``, a time of the monotonic clock."""

    def __init__(self, socket: Any, deadline: float) -> None:
        self._socket = socket
        self._raw = socket.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("its answer takes too long")
        # Put back after: the next request on this connection has a limit of its own.
        before = self._socket.gettimeout()
        self._socket.settimeout(left)
        try:
            count: int | None = self._raw.readinto(buffer)
        finally:
            self._socket.settimeout(before)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def adapter(deadline: Callable[[], float]) -> Any:
    """Return an adapter for a requests session. ``deadline``: returns until when the answer must be whole, monotonic."""
    from requests.adapters import HTTPAdapter

    class Answer(HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            until = deadline()
            source: Any = SimpleNamespace(makefile=lambda mode: io.BufferedReader(_Bounded(sock, until)))
            super().__init__(source, *args, **kwargs)

    def bounded(pool: Any) -> Any:
        if pool.ConnectionCls.response_class is Answer:
            return pool
        connection = type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), {"response_class": Answer})
        return type(pool.__name__, (pool,), {"ConnectionCls": connection})

    def bound(manager: Any) -> Any:
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: bounded(pool) for scheme, pool in pools.items()}
        return manager

    class Adapter(HTTPAdapter):
        """Makes connections, to proxies too, whose answers are bounded."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            bound(self.poolmanager)

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            return bound(super().proxy_manager_for(*args, **kwargs))

    return Adapter()
