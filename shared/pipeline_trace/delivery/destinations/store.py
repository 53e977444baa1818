"""Keeps spans in the store, an SQLite file on the local disk.

Several processes can write at the same time. Do not put the file on NFS.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ...trace import conventions as c
from ...trace.clock import horizon_ns
from ...trace.others import understood
from ...trace.queries import attribute_text
from ...trace.span import Span, encode
from ..migrations import NewerVersionError, Step, check, upgrade
from ..remedies import remedy
from . import Accepted, DeliveryError, SetupError

# The few spans from which a change's path is found: runs, playbooks, deploys, and root spans that name a commit.
_NOTED = f"""(
    instr(body, '"{c.PIPELINE_RESULT}":') OR instr(body, '"{c.ANSIBLE_TYPE}":"{c.TYPE_PLAYBOOK}"')
    OR instr(body, '"{c.TASK_TYPE}":"{c.DEPLOY}"') OR parent_id IS NULL AND instr(body, '"{c.VCS_HEAD_REVISION}":')
)"""
# Spans inside a playbook, and steps that neither failed nor started a build.
_DETAIL = f"""(
    instr(body, '"{c.ANSIBLE_TYPE}":') AND NOT instr(body, '"{c.ANSIBLE_TYPE}":"{c.TYPE_PLAYBOOK}"')
    AND NOT instr(body, '"{c.ANSIBLE_TYPE}":"{c.TYPE_COMMAND}"')
    OR instr(body, '"{c.JENKINS_TYPE}":"{c.TYPE_STEP}"') AND instr(body, '"links":[]') AND NOT instr(body, '"code":"ERROR"')
)"""
# Hosts on which a task did not fail: most of a playbook's spans.
_FINE_HOST = f"""(
    instr(body, '"{c.ANSIBLE_TYPE}":"{c.TYPE_HOST}"') AND NOT instr(body, '"code":"ERROR"')
    AND NOT instr(body, '"{c.ANSIBLE_RESULT}":"failed"') AND NOT instr(body, '"{c.ANSIBLE_RESULT}":"unreachable"')
)"""
# Few spans, but enough to know the usual durations of builds.
_STAGES = " OR ".join(
    f"""instr(body, '"{c.JENKINS_TYPE}":"{kind}"')""" for kind in (c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH)
)
_MOST_STAGES = 2500
_TABLES = (
    """CREATE TABLE IF NOT EXISTS spans (
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        parent_id TEXT,
        end_ns INTEGER NOT NULL,
        pipeline TEXT,
        run TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (trace_id, span_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS spans_by_id ON spans (span_id)",
    "CREATE INDEX IF NOT EXISTS spans_by_parent ON spans (parent_id)",
    "CREATE INDEX IF NOT EXISTS spans_by_end ON spans (end_ns)",
    "CREATE INDEX IF NOT EXISTS spans_by_run ON spans (pipeline, run) WHERE pipeline IS NOT NULL",
    """CREATE TABLE IF NOT EXISTS changed_traces (
        trace_id TEXT PRIMARY KEY,
        changes INTEGER NOT NULL,
        arrived_s INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """INSERT OR IGNORE INTO changed_traces
        SELECT DISTINCT trace_id, 1, CAST(strftime('%s', 'now') AS INTEGER) FROM spans""",
    f"CREATE INDEX IF NOT EXISTS spans_noted ON spans (end_ns) WHERE {_NOTED}",
    f"CREATE INDEX IF NOT EXISTS spans_of_stages ON spans (pipeline, end_ns) WHERE {_STAGES}",
)
# When the last span of each trace arrived: the old ones are found by these, not by looking at all.
_BY_ARRIVAL = (
    "CREATE INDEX IF NOT EXISTS changed_traces_by_arrival ON changed_traces (arrived_s)",
    "CREATE INDEX IF NOT EXISTS traces_by_arrival ON traces (arrived_s, start_ns, trace_id)",
)


def _index_arrivals(connection: sqlite3.Connection) -> bool:
    connection.execute(_BY_ARRIVAL[0])
    # `serve` makes this table at its first start, with the index.
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'traces'").fetchone():
        connection.execute(_BY_ARRIVAL[1])
    return False


# Older programs write into newer stores: the table spans keeps its columns, and what comes beside it has a default.
STEPS: Mapping[int, Step] = {
    # Versions before 4 lack some of these tables and indexes.
    4: _TABLES,
    5: _index_arrivals,
}
_NOTE = """
INSERT INTO changed_traces VALUES (?, 1, ?)
ON CONFLICT (trace_id) DO UPDATE SET changes = changes + 1, arrived_s = excluded.arrived_s
"""
_INSERT = "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id, span_id) DO NOTHING"
# Span ids of other tools may repeat, so a parent in another trace counts only if the span's own trace has no such parent.
_ORPHAN = "NOT EXISTS (SELECT 1 FROM spans p WHERE p.trace_id = spans.trace_id AND p.span_id = spans.parent_id)"
# SQLite limits the number of values in a query.
_VALUES = 500
MOST_RUNS = 2000
T = TypeVar("T")


class Store:
    """Adds spans to an SQLite file, and finds traces in it. Reading raises SetupError if the file cannot be read."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        """Set the file. The first use opens it, and creates it if needed. ``busy_seconds``: how long to wait for a lock."""
        self.path = path
        self.name = f"the local store {path}"
        self._busy_seconds = busy_seconds
        self._connection: sqlite3.Connection | None = None

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        """See Destination.deliver. If the store has a span already, it keeps the first one."""
        try:
            database = self._open(timeout)
            with database:
                before = database.total_changes
                database.executemany(_INSERT, map(_row, spans))
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
            self._connection.close()
            self._connection = None

    def trace(self, trace_id: str) -> list[Span]:
        """Return the spans of a trace; empty if the trace is unknown."""
        return self._spans("trace_id = ?", trace_id)

    def span_ids(self, trace_id: str) -> list[str]:
        """Return the ids of a trace's spans."""
        return [str(row[0]) for row in self._rows("SELECT span_id FROM spans WHERE trace_id = ?", trace_id)]

    def some_spans(self, trace_id: str, span_ids: Sequence[str]) -> list[Span]:
        """Return the spans of a trace that have one of these ids."""
        found: list[Span] = []
        for start in range(0, len(span_ids), _VALUES):
            some = span_ids[start : start + _VALUES]
            found += self._spans(f"trace_id = ? AND span_id IN ({','.join('?' * len(some))})", trace_id, *some)
        return found

    def change_of(self, trace_id: str) -> tuple[int, int] | None:
        """Return the note of a trace's last change: a number, and when its last span arrived (s since the epoch).

        None if the list of `serve` has the change already, or if there is no such trace.
        """
        rows = self._rows("SELECT changes, arrived_s FROM changed_traces WHERE trace_id = ?", trace_id)
        return (int(rows[0][0]), int(rows[0][1])) if rows else None

    def traces_with_spans(self, span_ids: Iterable[str]) -> set[str]:
        """Return the ids of the traces that have a span with one of these ids."""
        return self._traces("span_id", span_ids)

    def traces_with_parents(self, span_ids: Iterable[str]) -> set[str]:
        """Return the ids of the traces with a span whose parent has one of these ids and is not in the same trace."""
        return self._traces("parent_id", span_ids, _ORPHAN)

    def spans_of_build(self, pipeline: str, run: str, *, fine_hosts: bool = True) -> list[Span]:
        """Return the spans of a run. For Jenkins: ``pipeline`` is the full job name, ``run`` the build number.

        ``fine_hosts``: False leaves out the hosts on which an Ansible task did not fail.
        """
        return self._spans(f"pipeline = ? AND run = ?{'' if fine_hosts else f' AND NOT {_FINE_HOST}'}", pipeline, run)

    def runs_between(self, from_ns: int, to_ns: int) -> list[Span]:
        """Return the run spans that ended between two times (ns since the epoch), newest first, at most MOST_RUNS."""
        run = f"""instr(body, '"{c.JENKINS_TYPE}":"{c.TYPE_RUN}"')"""
        where = f"end_ns BETWEEN ? AND ? AND {_NOTED} AND {run} ORDER BY end_ns DESC LIMIT {MOST_RUNS}"
        return self._spans(where, from_ns, to_ns)

    def stages_between(self, pipeline: str, from_ns: int, to_ns: int, *, more: int = 0) -> list[Span]:
        """Return the runs, stages and branches of a job that ended between two times (ns since the epoch), newest first.

        At most _MOST_STAGES, and ``more``.
        """
        where = f"pipeline = ? AND end_ns BETWEEN ? AND ? AND ({_STAGES}) ORDER BY end_ns DESC LIMIT {_MOST_STAGES + more}"
        return self._spans(where, pipeline, from_ns, to_ns)

    def latest(self) -> tuple[str, int] | None:
        """Return the id of the trace whose span ended last, and that end in nanoseconds since the epoch; None if empty.

        An end in the future, from a wrong clock, counts only if there is no other.
        """
        query = "SELECT trace_id, end_ns FROM spans WHERE end_ns {} ? ORDER BY end_ns DESC LIMIT 1"
        horizon = horizon_ns()
        rows = self._rows(query.format("<="), horizon) or self._rows(query.format(">"), horizon)
        return (str(rows[0][0]), int(rows[0][1])) if rows else None

    def change_spans(self, texts: Sequence[str], most: int) -> list[Span]:
        """Return the newest runs, playbooks, deploys and root spans with a commit that match.

        A span matches if its JSON form contains one of ``texts``. ``most``: the highest number of spans. Spans that end in
        the future come last.
        """
        said = " OR ".join(["instr(body, ?)"] * len(texts))
        query = f"SELECT body FROM spans INDEXED BY spans_noted WHERE {_NOTED} AND ({said}) AND end_ns {{}} ?"
        horizon = horizon_ns()
        rows: list[tuple[Any, ...]] = []
        for side in ("<=", ">"):
            rows += self._rows(f"{query.format(side)} ORDER BY end_ns DESC LIMIT ?", *texts, horizon, most - len(rows))
        return [understood(Span.from_dict(json.loads(row[0]))) for row in rows]

    def outline(self, trace_id: str, most: int) -> list[Span]:
        """Return at most ``most`` spans of a trace, without plays, tasks, hosts and plain steps."""
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
        rows = self._rows(f"SELECT body FROM spans WHERE {where}", *values)
        return [understood(Span.from_dict(json.loads(row[0]))) for row in rows]

    def _rows(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises SetupError if the file cannot be read."""
        try:
            return self._open().execute(query, values).fetchall()
        except NewerVersionError as error:
            raise SetupError(str(error)) from None
        except sqlite3.Error as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: sqlite3.Error) -> SetupError:
        return SetupError(f"{self.name} cannot be read ({error}); {remedy(error)}")

    def _open(self, timeout: float | None = None) -> sqlite3.Connection:
        seconds = self._busy_seconds if timeout is None else max(min(timeout, self._busy_seconds), 0.05)
        if self._connection is None:
            self._connection = self._connect(seconds)
        self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        return self._connection

    def _connect(self, seconds: float) -> sqlite3.Connection:
        """Open the file. Retry while another process creates it: SQLite does not wait for the change to WAL mode."""
        deadline = time.monotonic() + seconds
        while True:
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


def _row(span: Span) -> tuple[object, ...]:
    span = understood(span)
    pipeline, run = (_text(attribute_text(span, name) or None) for name in (c.PIPELINE_NAME, c.PIPELINE_RUN_ID))
    return (span.trace_id, span.span_id, span.parent_id, span.end_ns, pipeline, run, encode(span.to_dict()))


def _text(value: object) -> str | None:
    """Return the value as text to search for, or None. Spans of other tools can have values of any type."""
    return str(value).encode("utf-8", "replace").decode() if isinstance(value, (str, int, float)) else None
