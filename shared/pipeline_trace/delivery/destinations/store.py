"""The local store: spans in an SQLite file, for one machine. Several may write; not for NFS."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...trace import conventions as c
from ...trace.span import Span, encode
from . import Accepted, DeliveryError, SetupError

# A change's way is found by these few, whatever else there is: runs, playbooks, deploys, and roots that name a commit.
_NOTED = f"""(
    instr(body, '"{c.PIPELINE_RESULT}":') OR instr(body, '"{c.ANSIBLE_TYPE}":"{c.TYPE_PLAYBOOK}"')
    OR instr(body, '"{c.TASK_TYPE}":"{c.DEPLOY}"') OR parent_id IS NULL AND instr(body, '"{c.VCS_HEAD_REVISION}":')
)"""
# What happened inside a play, and steps that neither failed nor started a build.
_DETAIL = f"""(
    instr(body, '"{c.ANSIBLE_TYPE}":') AND NOT instr(body, '"{c.ANSIBLE_TYPE}":"{c.TYPE_PLAYBOOK}"')
    AND NOT instr(body, '"{c.ANSIBLE_TYPE}":"{c.TYPE_COMMAND}"')
    OR instr(body, '"{c.JENKINS_TYPE}":"{c.TYPE_STEP}"') AND instr(body, '"links":[]') AND NOT instr(body, '"code":"ERROR"')
)"""
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
CREATE TABLE IF NOT EXISTS changed_traces (
    trace_id TEXT PRIMARY KEY,
    changes INTEGER NOT NULL,
    arrived_s INTEGER NOT NULL
) WITHOUT ROWID;
INSERT OR IGNORE INTO changed_traces SELECT DISTINCT trace_id, 1, CAST(strftime('%s', 'now') AS INTEGER) FROM spans;
CREATE INDEX IF NOT EXISTS spans_noted ON spans (end_ns) WHERE {_NOTED};
CREATE INDEX IF NOT EXISTS spans_of_stages ON spans (pipeline, end_ns) WHERE {_STAGES};
"""
# 3: with changed_traces, from which `serve` learns which lines of its list to write anew. 4: with spans_of_stages.
_VERSION = 4
_NOTE = """
INSERT INTO changed_traces VALUES (?, 1, ?)
ON CONFLICT (trace_id) DO UPDATE SET changes = changes + 1, arrived_s = excluded.arrived_s
"""
_INSERT = "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id, span_id) DO NOTHING"
# Other people's span ids may be anything: only a span without a parent of its own trace hangs under another one.
_ORPHAN = "NOT EXISTS (SELECT 1 FROM spans p WHERE p.trace_id = spans.trace_id AND p.span_id = spans.parent_id)"
# SQLite takes a bounded number of values in a query.
_VALUES = 500
MOST_RUNS = 2000


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
                before = database.total_changes
                database.executemany(_INSERT, map(_row, spans))
                if database.total_changes > before:
                    database.executemany(_NOTE, [(trace_id, int(time.time())) for trace_id in {s.trace_id for s in spans}])
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
        """Return the traces that have a span whose parent has one of these ids and is not in that trace."""
        return self._traces("parent_id", span_ids, _ORPHAN)

    def spans_of_run(self, pipeline: str, run: str) -> list[Span]:
        """Return the spans of a pipeline's run, of whichever system: full job name and build number for Jenkins."""
        return self._spans("pipeline = ? AND run = ?", pipeline, run)

    def runs_between(self, from_ns: int, to_ns: int) -> list[Span]:
        """Return the run spans that ended between two times, nanoseconds since the epoch: the newest MOST_RUNS."""
        run = f"""instr(body, '"{c.JENKINS_TYPE}":"{c.TYPE_RUN}"')"""
        where = f"end_ns BETWEEN ? AND ? AND {_NOTED} AND {run} ORDER BY end_ns DESC LIMIT {MOST_RUNS}"
        return self._spans(where, from_ns, to_ns)

    def stages_between(self, pipeline: str, from_ns: int, to_ns: int) -> list[Span]:
        """Return the newest runs, stages and branches of a job that ended between two times, a bounded number of them."""
        where = f"pipeline = ? AND end_ns BETWEEN ? AND ? AND ({_STAGES}) ORDER BY end_ns DESC LIMIT {_MOST_STAGES}"
        return self._spans(where, pipeline, from_ns, to_ns)

    def latest(self) -> tuple[str, int] | None:
        """Return the trace in which something ended last, and when: nanoseconds since the epoch."""
        rows = self._rows("SELECT trace_id, end_ns FROM spans ORDER BY end_ns DESC LIMIT 1")
        return (str(rows[0][0]), int(rows[0][1])) if rows else None

    def change_spans(self, texts: Sequence[str], most: int) -> list[Span]:
        """Return the newest runs, playbooks, deploys and roots with a commit whose JSON form has one of these texts."""
        found = " OR ".join(["instr(body, ?)"] * len(texts))
        newest = f"ORDER BY end_ns DESC LIMIT {most}"
        rows = self._rows(f"SELECT body FROM spans INDEXED BY spans_noted WHERE {_NOTED} AND ({found}) {newest}", *texts)
        return [Span.from_dict(json.loads(row[0])) for row in rows]

    def outline(self, trace_id: str, most: int) -> list[Span]:
        """Return a trace's spans without plays, tasks, hosts and plain steps; no more than asked for."""
        return self._spans(f"trace_id = ? AND NOT {_DETAIL} LIMIT {most}", trace_id)

    def _traces(self, column: str, span_ids: Iterable[str], condition: str = "1") -> set[str]:
        ids = list(span_ids)
        found: set[str] = set()
        for start in range(0, len(ids), _VALUES):
            some = ids[start : start + _VALUES]
            marks = ",".join("?" * len(some))
            rows = self._rows(f"SELECT DISTINCT trace_id FROM spans WHERE {column} IN ({marks}) AND {condition}", *some)
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
    pipeline, run = _text(span.resource.get(c.PIPELINE_NAME)), _text(span.resource.get(c.PIPELINE_RUN_ID))
    return (span.trace_id, span.span_id, span.parent_id, span.end_ns, pipeline, run, encode(span.to_dict()))


def _text(value: object) -> str | None:
    """Return what can be looked for: other people's spans may have anything there."""
    return str(value).encode("utf-8", "replace").decode() if isinstance(value, (str, int, float)) else None
