"""Serves a generated controller until killed: ``python -m controller KIND JOBS BUILDS DELAY_MS``; prints its port.

``GET /counted`` answers with what was asked since the last time; ``/grow/N`` lets each of the next N polls find a new build
of some plain job; ``/run/N`` lets N Pipelines run. These are not counted themselves.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from email.utils import formatdate

from .answers import Answers
from .world import World

_HEAD = (
    "HTTP/1.1 {} {}\r\nDate: {}\r\nX-Jenkins: 2.462.3\r\nX-Jenkins-Session: 0c4b1b5a\r\n"
    "Content-Type: application/json;charset=utf-8\r\nContent-Length: {}\r\n\r\n"
)
# With this the poller asks for all jobs, once a poll.
_ALL_JOBS = "/api/json?tree=jobs"


class Counts:
    """What the controller sees since it was asked last. ``waiting``: requests under way now; ``open``: connections now.

    ``to_grow``: so many polls are still to find a new build.
    """

    def __init__(self) -> None:
        self.to_grow = 0
        self.waiting = 0
        self.open = 0
        self.cpu = time.process_time()
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.requests = self.bytes = self.missing = 0
        self.at_once, self.connections = self.waiting, self.open
        # Of each poll that began: its requests, and whether there was a new build for it.
        self.polls = list[tuple[int, bool]]()

    def count(self, target: str, grown: bool) -> None:
        """Count a request. ``grown``: there is a new build since the poll began with it."""
        self.requests += 1
        self.waiting += 1
        self.at_once = max(self.at_once, self.waiting)
        if target.startswith(_ALL_JOBS):
            self.polls.append((0, grown))
        if self.polls:
            requests, found = self.polls[-1]
            self.polls[-1] = (requests + 1, found)

    def take(self) -> dict[str, object]:
        """Return the counts, and begin anew."""
        cpu = time.process_time()
        taken = {name: getattr(self, name) for name in ("requests", "bytes", "missing", "at_once", "connections")}
        # The last poll may still go on.
        taken |= {"polls": self.polls[:-1], "cpu_s": cpu - self.cpu}
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
            if target.startswith(("/counted", "/grow/", "/run/")):
                self._send(json.dumps(self._told(target)).encode())
                continue
            grown = target.startswith(_ALL_JOBS) and self._counts.to_grow > 0
            if grown:
                self._counts.to_grow -= 1
                self._answers.change(World.grow)
            self._counts.count(target, grown)
            if self._delay_s:
                asyncio.get_running_loop().call_later(self._delay_s, self._answer, target)
            else:
                self._answer(target)

    def _told(self, target: str) -> object:
        _, what, *count = target.split("/")
        if what == "grow":
            self._counts.to_grow = int(count[0])
        elif what == "run":
            self._answers.change(lambda world: world.run(int(count[0])))
        return self._counts.take() if what == "counted" else None

    def _answer(self, target: str) -> None:
        body = self._answers.answer(target)
        self._counts.waiting -= 1
        self._counts.missing += body is None
        self._counts.bytes += self._send(body)

    def _send(self, body: bytes | None) -> int:
        status, reason = (404, "Not Found") if body is None else (200, "OK")
        data = _HEAD.format(status, reason, formatdate(usegmt=True), len(body or b"")).encode() + (body or b"")
        self._transport.write(data)
        return len(data)


async def serve(kind: str, jobs: int, builds: int, delay_s: float) -> None:
    """Answer until killed."""
    counts = Counts()
    world = World(jobs, builds, time.time_ns() // 1_000_000)
    made: list[Answers] = []
    server = await asyncio.get_running_loop().create_server(lambda: Connection(made[0], counts, delay_s), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.append(Answers(world, f"http://127.0.0.1:{port}", kind))
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]) / 1000))
