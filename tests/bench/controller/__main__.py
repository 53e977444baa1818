"""Serves a generated controller until killed: ``python -m controller JOBS BUILDS [DELAY_MS]``; prints its port.

``GET /counted`` answers with what was asked since the last time, and is not counted itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

from .answers import Answers
from .world import World

_HEAD = "HTTP/1.1 {} {}\r\nX-Jenkins: 2.462.3\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: {}\r\n\r\n"


class Counts:
    """What the controller sees since it was asked last. ``waiting``: requests under way now; ``open``: connections now."""

    def __init__(self) -> None:
        self.waiting = 0
        self.open = 0
        self.cpu = time.process_time()
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.requests = self.bytes = self.missing = 0
        self.at_once, self.connections = self.waiting, self.open
        self.plain = Counter[tuple[str, int]]()

    def take(self) -> dict[str, float]:
        """Return the counts, and begin anew."""
        cpu = time.process_time()
        taken = {name: getattr(self, name) for name in ("requests", "bytes", "missing", "at_once", "connections")}
        asked = self.plain.values()
        taken |= {"plain_builds": len(asked), "plain_requests": sum(asked), "plain_most": max(asked, default=0)}
        taken["cpu_s"] = cpu - self.cpu
        self.cpu = cpu
        self.reset()
        return taken


class Connection(asyncio.Protocol):
    """One kept connection; requests have no body."""

    def __init__(self, answers: Answers, counts: Counts, delay_s: float) -> None:
        self._answers = answers
        self._counts = counts
        self._delay_s = delay_s
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._counts.open += 1
        self._counts.connections = max(self._counts.connections, self._counts.open)

    def connection_lost(self, error: Exception | None) -> None:
        self._counts.open -= 1

    def data_received(self, data: bytes) -> None:
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for request in requests:
            target = request.split(b" ", 2)[1].decode()
            if target == "/counted":
                self._send(json.dumps(self._counts.take()).encode())
                continue
            self._counts.requests += 1
            self._counts.waiting += 1
            self._counts.at_once = max(self._counts.at_once, self._counts.waiting)
            if self._delay_s:
                asyncio.get_running_loop().call_later(self._delay_s, self._answer, target)
            else:
                self._answer(target)

    def _answer(self, target: str) -> None:
        body = self._answers.answer(target)
        build = self._answers.plain_build(target)
        if build:
            self._counts.plain[build] += 1
        self._counts.waiting -= 1
        self._counts.missing += body is None
        self._counts.bytes += self._send(body)

    def _send(self, body: bytes | None) -> int:
        status, reason = (404, "Not Found") if body is None else (200, "OK")
        data = _HEAD.format(status, reason, len(body or b"")).encode() + (body or b"")
        self._transport.write(data)
        return len(data)


async def serve(jobs: int, builds: int, delay_s: float) -> None:
    """Answer until killed."""
    counts = Counts()
    world = World(jobs, builds, time.time_ns() // 1_000_000)
    made: list[Answers] = []
    server = await asyncio.get_running_loop().create_server(lambda: Connection(made[0], counts, delay_s), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.append(Answers(world, f"http://127.0.0.1:{port}"))
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
