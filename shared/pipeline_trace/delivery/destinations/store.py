"""Keeps spans in the store, an SQLite file on the local disk.

Several processes can write at the same time. Do not put the file on NFS. lookup/local.py asks it questions.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ...trace.span import Span
from ..migrations import NewerVersionError, check, upgrade
from ..remedies import GONE, REPLACED, remedy
from . import Accepted, DeliveryError, SetupError
from .filling import INSERT_TRAITS, fill, is_behind
from .resources import Resources
from .rows import COLUMNS, rows_of, spans_of, whole
from .tables import STEPS

_NOTE = """
INSERT INTO changed_traces VALUES (?, 1, ?)
ON CONFLICT (trace_id) DO UPDATE SET changes = changes + 1, arrived_s = excluded.arrived_s
"""
_INSERT = "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id, span_id) DO NOTHING"
_INSERT_RESOURCE = "INSERT INTO resources VALUES (?, ?, ?) ON CONFLICT (trace_id, id) DO NOTHING"
# SQLite limits the number of values in a query.
VALUES = 500
_MOVED_MS = 1000
T = TypeVar("T")
# What tells a file from another one at the same path.
_FileId = tuple[int, int]
# The stores of which this process opens no other file than the one that it found: SQLite's locks are those of the process,
# and what one file has beside it would be taken for a part of the other. Each is held by a descriptor, so that its number
# stays on file systems that make numbers up. It is never closed: that would end all locks of the process on that file.
_held: dict[Path, int] = {}


def hold(path: Path) -> None:
    """From now on open only the file that is at a path now: if it is moved, removed or replaced, all that is asked fails.

    Raises OSError if there is none.
    """
    _held[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _file_id(path: Path) -> _FileId | None:
    """Return what tells the file at a path from another one there; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_existing(path: Path, seconds: float) -> sqlite3.Connection:
    """Return a connection in autocommit mode to a store that is there: it is not made anew. Raises sqlite3.Error.

    ``seconds``: how long to wait for a lock.
    """
    _check(path)
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=seconds, isolation_level=None)


def _check(path: Path) -> None:
    """Raise sqlite3.OperationalError if another file than the one that is held is at a path, or none."""
    if path not in _held:
        return
    found, own = _file_id(path), os.fstat(_held[path])
    if found != (own.st_dev, own.st_ino):
        raise sqlite3.OperationalError(REPLACED if found else GONE)


class Store:
    """Adds spans to an SQLite file, and reads them. Reading raises SetupError if the file cannot be read."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        """Set the file. The first use opens it, and creates it if needed. ``busy_seconds``: how long to wait for a lock."""
        self.path = path
        self.name = f"the local store {path}"
        self._busy_seconds = busy_seconds
        self._connection: sqlite3.Connection | None = None
        self._file: _FileId | None = None
        self._resources: Resources | None = None

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        """See Destination.deliver. If the store has a span already, it keeps the first one."""
        try:
            database = self._open(timeout)
            rows = [rows_of(span) for span in spans]
            with database:
                database.executemany(INSERT_TRAITS, (row.traits for row in rows))
                database.executemany(_INSERT_RESOURCE, {row.resource[:2]: row.resource for row in rows}.values())
                before = database.total_changes
                database.executemany(_INSERT, (row.span for row in rows))
                if database.total_changes > before:
                    database.executemany(_NOTE, [(trace_id, int(time.time())) for trace_id in {s.trace_id for s in spans}])
        except NewerVersionError as error:
            self.close()
            raise SetupError(str(error)) from None
        except sqlite3.Error as error:
            self.close()
            raise DeliveryError(f"{self.name}: {error}; {remedy(error)}", refused=True) from None
        return Accepted()

    def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job on the file, and return its result. The connection has no open transaction.

        Raises SetupError if the file cannot be read or is from a newer version, DeliveryError if it cannot be written.
        """
        try:
            return job(self._open())
        except NewerVersionError as error:
            raise SetupError(str(error)) from None
        except sqlite3.OperationalError as error:
            raise DeliveryError(f"{self.name}: {error}; {remedy(error)}") from None
        except sqlite3.Error as error:
            raise self._unreadable(error) from None

    def close(self) -> None:
        """See Destination.close."""
        if self._connection:
            if self._is_moved():
                # SQLite itself leaves it where the file was.
                _empty_log(self._connection, _MOVED_MS)
            self._connection.close()
            self._connection = self._resources = None

    def settle(self) -> None:
        """Write what stands beside the file, in the write-ahead log, into it: so the file alone is whole.

        Whoever waits for the next spans does that while none come. If the file was moved, close it.
        """
        if self._connection and self._is_moved():
            self.close()
        elif self._connection and _has_log(self.path):
            _empty_log(self._connection, 0)

    def _is_moved(self) -> bool:
        return self._file != _file_id(self.path)

    def catch_up(self, told: Callable[[float], None]) -> None:
        """Read the spans of older programs into the table of traits, all that are there. Quick where there are none.

        ``told``: called with the part that is done, from 0 to 1, before each piece. Raises SetupError, DeliveryError.
        """

        def job(connection: sqlite3.Connection) -> None:
            if is_behind(connection):
                fill(connection, Resources(connection), told)

        self.run(job)

    def trace(self, trace_id: str) -> list[Span]:
        """Return the spans of a trace; empty if the trace is unknown."""
        return self.spans("FROM spans WHERE trace_id = ?", trace_id)

    def span_ids(self, trace_id: str) -> list[str]:
        """Return the ids of a trace's spans."""
        return [str(row[0]) for row in self.rows("SELECT span_id FROM spans WHERE trace_id = ?", trace_id)]

    def count(self, trace_id: str) -> int:
        """Return how many spans a trace has."""
        return int(self.rows("SELECT count(*) FROM spans WHERE trace_id = ?", trace_id)[0][0])

    def some_spans(self, trace_id: str, span_ids: Sequence[str]) -> list[Span]:
        """Return the spans of a trace that have one of these ids."""
        found: list[Span] = []
        for start in range(0, len(span_ids), VALUES):
            some = span_ids[start : start + VALUES]
            marks = ",".join("?" * len(some))
            found += self.spans(f"FROM spans WHERE trace_id = ? AND span_id IN ({marks})", trace_id, *some)
        return found

    def change_of(self, trace_id: str) -> tuple[int, int] | None:
        """Return the note of a trace's last change: a number, and when its last span arrived (s since the epoch).

        None if the list of `serve` has the change already, or if there is no such trace.
        """
        rows = self.rows("SELECT changes, arrived_s FROM changed_traces WHERE trace_id = ?", trace_id)
        return (int(rows[0][0]), int(rows[0][1])) if rows else None

    def spans(self, where: str, *values: str | int) -> list[Span]:
        """Return spans. ``where``: SQL from FROM on; the table spans is in it. A row that cannot be read is left out."""
        rows = self.rows(f"SELECT {COLUMNS} {where}", *values)
        try:
            return list(spans_of(rows, self._find_resource))
        except sqlite3.Error as error:
            raise self._unreadable(error) from None

    def rows(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises SetupError if the file cannot be read."""
        try:
            return self._open().execute(query, [whole(one) if isinstance(one, str) else one for one in values]).fetchall()
        except NewerVersionError as error:
            raise SetupError(str(error)) from None
        except sqlite3.Error as error:
            raise self._unreadable(error) from None

    def _find_resource(self, trace_id: str, resource_id: int) -> Mapping[str, Any]:
        if self._resources is None:
            self._resources = Resources(self._open())
        return self._resources(trace_id, resource_id)

    def _unreadable(self, error: sqlite3.Error) -> SetupError:
        return SetupError(f"{self.name} cannot be read ({error}); {remedy(error)}")

    def _open(self, timeout: float | None = None) -> sqlite3.Connection:
        seconds = self._busy_seconds if timeout is None else max(min(timeout, self._busy_seconds), 0.05)
        if self._connection and self._is_moved():
            # Nobody would find what is written into it.
            self.close()
        if self._connection is None:
            self._connection = self._connect(seconds)
            self._file = _file_id(self.path)
        self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        return self._connection

    def _connect(self, seconds: float) -> sqlite3.Connection:
        """Open the file. Retry while another process creates it: SQLite does not wait for the change to WAL mode."""
        deadline = time.monotonic() + seconds
        while True:
            _check(self.path)
            connection = sqlite3.connect(self.path, timeout=seconds)
            try:
                self._prepare(connection)
                return connection
            except NewerVersionError:
                connection.close()
                raise
            except sqlite3.Error as error:
                connection.close()
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if not check(connection, STEPS, self.name):
            self.path.chmod(0o600)
            # So that `prune` can give space back to the disk. Possible only before there is a table.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            upgrade(connection, STEPS, self.name)
        # FULL: accepted spans are deleted from the journal, so they must survive a power failure.
        connection.execute("PRAGMA synchronous = FULL")


def _empty_log(connection: sqlite3.Connection, wait_ms: int) -> None:
    """Write what is in the write-ahead log into the file. ``wait_ms``: for others who read it."""
    with suppress(sqlite3.Error):
        connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _has_log(path: Path) -> bool:
    try:
        return Path(f"{path}-wal").stat().st_size > 0
    except OSError:
        return False
