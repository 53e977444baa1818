"""Keeps the list of traces: a table next to the spans, updated from the store's notes of changed traces.

The store writes these notes with the spans, whoever delivers them: this server, a callback's shipping process, the poller.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from ..delivery.destinations.store import Store, open_existing
from ..delivery.remedies import remedy
from ..trace.clock import horizon_ns
from .backlog import Backlog, Change
from .summary import Summary

PAGE = 50
# Their lines are made again, because a parent that they lacked is here.
_AGAIN = """
INSERT INTO changed_traces SELECT trace_id, 1, arrived_s FROM traces WHERE trace_id = ?
ON CONFLICT (trace_id) DO UPDATE SET changes = changes + 1
"""

_TRACES = """
CREATE TABLE traces (
    trace_id TEXT PRIMARY KEY, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, spans INTEGER NOT NULL,
    name TEXT NOT NULL, result TEXT NOT NULL, environments TEXT NOT NULL, commits TEXT NOT NULL, url TEXT NOT NULL,
    search TEXT NOT NULL, arrived_s INTEGER NOT NULL
) WITHOUT ROWID
"""
_BY_START = "CREATE INDEX traces_by_start ON traces (start_ns)"
_BY_ARRIVAL = "CREATE INDEX traces_by_arrival ON traces (arrived_s, start_ns, trace_id)"
# Traces from before the first start count as new. Otherwise the first start could remove traces at once.
_FIRST = "UPDATE changed_traces SET arrived_s = CAST(strftime('%s', 'now') AS INTEGER)"
_COLUMNS = "trace_id, start_ns, end_ns, spans, name, result, environments, commits, url, search"
_BUSY_SECONDS = 5.0


@dataclass(frozen=True)
class Filter:
    """A filter for the list; an empty one matches everything. ``since_ns`` and ``until_ns``: nanoseconds since the epoch."""

    words: tuple[str, ...] = ()
    result: str = ""
    environment: str = ""
    commit: str = ""
    since_ns: int | None = None
    until_ns: int | None = None

    def matches(self, found: Summary) -> bool:
        """Return whether the filter matches a trace."""
        return (
            all(word.casefold() in found.search for word in self.words)
            and self.result in ("", found.result)
            and (not self.environment or self.environment in found.environments)
            and (not self.commit or any(commit.startswith(self.commit) for commit in found.commits))
            and (self.since_ns is None or not found.end_ns or found.end_ns >= self.since_ns)
            and (self.until_ns is None or found.start_ns <= self.until_ns)
        )


@dataclass(frozen=True)
class FoundTraces:
    """A page of the list. ``total``: the number of traces on all pages."""

    traces: Sequence[Summary]
    total: int


class Index:
    """Reads the list. Every thread may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        """Create the tables if they are missing, and the store if it is new. Raises SetupError, sqlite3.Error."""
        store = Store(self._path)
        store.rows("SELECT 1")
        store.close()
        with self._connection() as database:
            database.execute("BEGIN IMMEDIATE")
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'traces'").fetchone():
                database.execute(_TRACES)
                database.execute(_BY_START)
                database.execute(_BY_ARRIVAL)
                database.execute(_FIRST)
            database.execute("COMMIT")

    def backlog(self, without: Collection[str] = ()) -> Backlog:
        """Return a pass over the changed traces. ``without``: ids of traces to leave out."""
        return Backlog(self._path, without)

    def waiting(self) -> int:
        """Return how many changed traces have no new line yet."""
        with self._connection() as database:
            return int(database.execute("SELECT count(*) FROM changed_traces").fetchone()[0])

    def problem(self) -> str:
        """Return what keeps the store from being read; "" if nothing does. It costs a millisecond."""
        try:
            with self._connection() as connection:
                connection.execute("SELECT 1 FROM traces LIMIT 1").fetchone()
                connection.execute("SELECT 1 FROM spans LIMIT 1").fetchone()
        except sqlite3.Error as error:
            return f"the store {self._path} cannot be read ({error}); {remedy(error)}"
        return ""

    def find(self, wanted: Filter, page: int, *, without: Sequence[str] = ()) -> FoundTraces:
        """Return a page of the list, newest first. ``page``: from 1. ``without``: ids of traces to leave out.

        Traces that begin in the future, by a wrong clock, come last. Else they would be the first ones for years.
        """
        where, values = _where(wanted, without)
        count = f"SELECT count(*) FROM traces WHERE {where}"
        newest = "ORDER BY start_ns DESC, trace_id LIMIT ? OFFSET ?"
        query = f"SELECT {_COLUMNS} FROM traces WHERE {where} AND start_ns {{}} ? {newest}"
        first, horizon = (page - 1) * PAGE, horizon_ns()
        with self._connection() as database:
            total = database.execute(count, values).fetchone()[0]
            past = total - database.execute(f"{count} AND start_ns > ?", [*values, horizon]).fetchone()[0]
            rows = database.execute(query.format("<="), [*values, horizon, PAGE, first]).fetchall()
            more = [*values, horizon, PAGE - len(rows), max(first - past, 0)]
            rows += database.execute(query.format(">"), more).fetchall() if len(rows) < PAGE else []
        return FoundTraces([_summary(row) for row in rows], int(total))

    def environments(self) -> list[str]:
        """Return the names of all environments, sorted."""
        with self._connection() as database:
            rows = database.execute("SELECT DISTINCT environments FROM traces WHERE environments != '[]'").fetchall()
        return sorted({name for (row,) in rows for name in json.loads(row)})

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(open_existing(self._path, _BUSY_SECONDS)) as connection:
            yield connection


def save(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Write new lines. A trace that received more spans since then remains marked as changed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for change in changes:
            if change.summary:
                row = (*map(_stored, astuple(change.summary)), change.arrived_s)
                connection.execute(f"INSERT OR REPLACE INTO traces VALUES ({','.join('?' * 11)})", row)
            noted = (change.trace_id, change.changes)
            connection.execute("DELETE FROM changed_traces WHERE trace_id = ? AND changes = ?", noted)
            connection.executemany(_AGAIN, [(trace_id,) for trace_id in change.below])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _where(wanted: Filter, without: Sequence[str]) -> tuple[str, list[object]]:
    """Return the condition of Filter.matches as SQL, with its values."""
    conditions, values = ["1"], list[object]()
    for word in wanted.words:
        conditions.append("instr(search, ?)")
        values.append(word.casefold())
    if wanted.result:
        conditions.append("result = ?")
        values.append(wanted.result)
    if wanted.environment:
        conditions.append("EXISTS (SELECT 1 FROM json_each(environments) WHERE value = ?)")
        values.append(wanted.environment)
    if wanted.commit:
        conditions.append("EXISTS (SELECT 1 FROM json_each(commits) WHERE substr(value, 1, ?) = ?)")
        values += [len(wanted.commit), wanted.commit]
    if wanted.since_ns is not None:
        conditions.append("end_ns >= ?")
        values.append(wanted.since_ns)
    if wanted.until_ns is not None:
        conditions.append("start_ns <= ?")
        values.append(wanted.until_ns)
    if without:
        conditions.append(f"trace_id NOT IN ({','.join('?' * len(without))})")
        values += without
    return " AND ".join(conditions), values


def _stored(value: object) -> object:
    if isinstance(value, str):
        # A span can contain half a character, from a file name that is not UTF-8. SQLite accepts only whole characters.
        return value.encode("utf-8", "replace").decode()
    return json.dumps(value) if isinstance(value, tuple) else value


def _summary(row: Sequence[object]) -> Summary:
    trace_id, start_ns, end_ns, spans, name, result, environments, commits, url, search = row
    return Summary(
        str(trace_id),
        int(str(start_ns)),
        int(str(end_ns)),
        int(str(spans)),
        str(name),
        str(result),
        tuple(json.loads(str(environments))),
        tuple(json.loads(str(commits))),
        str(url),
        str(search),
    )
