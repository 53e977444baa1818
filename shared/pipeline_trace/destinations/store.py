"""The local store: spans in an SQLite file, for one machine. Several may write; not for NFS."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .. import conventions as c
from ..span import Span, encode
from . import Accepted, DeliveryError, SetupError

# Few of all spans, and enough to tell how builds usually go.
_STAGES = " OR ".join(
    f"""instr(body, '"{c.JENKINS_TYPE}":"{kind}"')""" for kind in (c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH)
)
_MOST_STAGES = 2500
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS spans (
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    parent_id TEXT,
    end_ns INTEGER NOT NULL,
    pipeline TEXT,
    run TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spans_by_id ON spans (span_id);
CREATE INDEX IF NOT EXISTS spans_by_parent ON spans (parent_id);
CREATE INDEX IF NOT EXISTS spans_by_end ON spans (end_ns);
CREATE INDEX IF NOT EXISTS spans_by_run ON spans (pipeline, run) WHERE pipeline IS NOT NULL;
CREATE INDEX IF NOT EXISTS spans_of_stages ON spans (pipeline, end_ns) WHERE {_STAGES};
"""
_VERSION = 2
_INSERT = "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id, span_id) DO NOTHING"
# SQLite takes a bounded number of values in a query.
_VALUES = 500


class Store:
    """Takes spans into an SQLite file, and finds traces in it."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        """Name the file; it is opened and made at the first use."""
        self.path = path
        self.name = f"the local store {path}"
        self._busy_seconds = busy_seconds
        self._connection: sqlite3.Connection | None = None

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        """See Destination.deliver. A second delivery of a span changes nothing."""
        try:
            database = self._open(timeout)
            with database:
                database.executemany(_INSERT, map(_row, spans))
        except sqlite3.Error as error:
            self.close()
            raise DeliveryError(f"{self.name}: {error}", refused=True) from None
        return Accepted()

    def close(self) -> None:
        """See Destination.close."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def trace(self, trace_id: str) -> list[Span]:
        """Return a trace's spans."""
        return self._spans("trace_id = ?", trace_id)

    def traces_with_spans(self, span_ids: Iterable[str]) -> set[str]:
        """Return the traces that have a span with one of these ids."""
        return self._traces("span_id", span_ids)

    def traces_with_parents(self, span_ids: Iterable[str]) -> set[str]:
        """Return the traces that have a span whose parent has one of these ids."""
        return self._traces("parent_id", span_ids)

    def of_run(self, pipeline: str, run: str) -> list[Span]:
        """Return the spans of a pipeline's run, of whichever system: full job name and build number for Jenkins."""
        return self._spans("pipeline = ? AND run = ?", pipeline, run)

    def stages(self, pipeline: str, from_ns: int, to_ns: int) -> list[Span]:
        """Return the newest runs, stages and branches of a job that ended between two times, a bounded number of them."""
        where = f"pipeline = ? AND end_ns BETWEEN ? AND ? AND ({_STAGES}) ORDER BY end_ns DESC LIMIT {_MOST_STAGES}"
        return self._spans(where, pipeline, from_ns, to_ns)

    def latest(self) -> tuple[str, int] | None:
        """Return the trace in which something ended last, and when: nanoseconds since the epoch."""
        rows = self._rows("SELECT trace_id, end_ns FROM spans ORDER BY end_ns DESC LIMIT 1")
        return (str(rows[0][0]), int(rows[0][1])) if rows else None

    def _traces(self, column: str, span_ids: Iterable[str]) -> set[str]:
        ids = list(span_ids)
        found: set[str] = set()
        for start in range(0, len(ids), _VALUES):
            some = ids[start : start + _VALUES]
            marks = ",".join("?" * len(some))
            rows = self._rows(f"SELECT DISTINCT trace_id FROM spans WHERE {column} IN ({marks})", *some)
            found.update(row[0] for row in rows)
        return found

    def _spans(self, where: str, *values: str | int) -> list[Span]:
        return [Span.from_dict(json.loads(row[0])) for row in self._rows(f"SELECT body FROM spans WHERE {where}", *values)]

    def _rows(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        """Return what a query finds. Raises SetupError where the file cannot be read."""
        try:
            return self._open().execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise SetupError(f"{self.name} cannot be read ({error}); move it away, or set PIPELINE_TRACE_HOME") from None

    def _open(self, timeout: float | None = None) -> sqlite3.Connection:
        seconds = self._busy_seconds if timeout is None else max(min(timeout, self._busy_seconds), 0.05)
        if self._connection is None:
            self._connection = self._connect(seconds)
        self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        return self._connection

    def _connect(self, seconds: float) -> sqlite3.Connection:
        """Open the file, trying again while another process makes it: SQLite does not wait for a change to WAL."""
        deadline = time.monotonic() + seconds
        while True:
            connection = sqlite3.connect(self.path, timeout=seconds)
            try:
                self._prepare(connection)
                return connection
            except sqlite3.Error as error:
                connection.close()
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
            self.path.chmod(0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        # FULL: what was accepted is deleted from the journal, so it must outlive a power cut.
        connection.execute("PRAGMA synchronous = FULL")


def _row(span: Span) -> tuple[object, ...]:
    pipeline, run = span.resource.get(c.PIPELINE_NAME), span.resource.get(c.PIPELINE_RUN_ID)
    return (span.trace_id, span.span_id, span.parent_id, span.end_ns, pipeline, run, encode(span.to_dict()))
