"""The poller's state for one controller, in SQLite: cursors, builds still to read, places. Only one poller may use it."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline_trace.delivery.migrations import NewerVersionError, Step, upgrade
from pipeline_trace.delivery.remedies import remedy
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.span import Link, encode

_STEPS: Mapping[int, Step] = {
    # Version 0 has these tables too.
    1: (
        """CREATE TABLE IF NOT EXISTS jobs (
            name TEXT PRIMARY KEY, next_number INTEGER NOT NULL, cursor INTEGER NOT NULL, settled INTEGER NOT NULL
        )""",
        """CREATE TABLE IF NOT EXISTS open_builds (
            job TEXT NOT NULL, number INTEGER NOT NULL, unsure INTEGER NOT NULL, PRIMARY KEY (job, number)
        )""",
        """CREATE TABLE IF NOT EXISTS placed (
            job TEXT NOT NULL, number INTEGER NOT NULL, trace_id TEXT NOT NULL, parent_id TEXT,
            links TEXT NOT NULL, sampled INTEGER NOT NULL,
            PRIMARY KEY (job, number)
        )""",
        """CREATE TABLE IF NOT EXISTS revisions (
            revision TEXT NOT NULL, job TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (revision, job, number)
        )""",
    ),
}


_DAMAGED = "move this file away to start again without it"
# A build is linked to at most this many earlier builds of its commit.
_MOST_LINKS = 10


class StateError(Exception):
    """The state is unusable. The message says what to do."""


@dataclass(frozen=True)
class Cursor:
    """How far a job was read. ``next_number``: of the next build, as last seen. ``cursor``: the highest known number.

    ``settled``: all builds below ``next_number`` are known. (Jenkins may assign a number before it lists the build.)
    """

    next_number: int
    cursor: int
    settled: bool


class State:
    """The state of one controller's poller. ``folder``: for the poller's unfinished journals; empty after opening."""

    def __init__(self, folder: Path, controller: str) -> None:
        """Open the state of a controller. Raises StateError if another poller uses it, or if it is not writable."""
        name = sha256(controller.encode()).hexdigest()[:16]
        path = folder / f"{name}.db"
        self.folder = folder / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"cannot write {path} ({error.strerror}); set PIPELINE_TRACE_HOME to another folder") from None
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise StateError(f"another poller of {controller} already uses {path}; stop it first") from None
        self._reading = Lock()
        self._together = False
        self._path = path
        try:
            self._database = _opened(path)
        except StateError:
            os.close(self._lock)
            raise
        try:
            # Only now: a state of a newer version stays as it is, with all that belongs to it.
            _empty(self.folder)
        except StateError:
            self.close()
            raise

    def close(self) -> None:
        """Close the state, so that another poller may use it."""
        self._database.close()
        os.close(self._lock)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write everything inside the context in one transaction, because each transaction waits for the disk.

        Raises StateError. After another exception, the writes before it are kept.
        """
        with self._writing():
            self._together = True
            failed: Exception | None = None
            try:
                yield
            except (StateError, sqlite3.Error):
                raise
            except Exception as error:
                failed = error
            finally:
                self._together = False
        if failed:
            raise failed

    def cursors(self) -> dict[str, Cursor]:
        """Return the cursors, by full job name."""
        rows = self._rows("SELECT name, next_number, cursor, settled FROM jobs")
        return {name: Cursor(number, cursor, bool(settled)) for name, number, cursor, settled in rows}

    def open_builds(self) -> dict[str, set[int]]:
        """Return the numbers of builds that are known but not written yet, by full job name."""
        found: dict[str, set[int]] = {}
        for job, number in self._rows("SELECT job, number FROM open_builds"):
            found.setdefault(job, set()).add(number)
        return found

    def found(self, job: str, cursor: Cursor, numbers: Iterable[int], *, unsure: bool = False) -> None:
        """Store a job's new builds, which are still to be written. Raises StateError.

        ``unsure``: Jenkins has assigned the numbers, but the builds may not be visible yet.
        """
        with self._writing():
            row = (job, cursor.next_number, cursor.cursor, cursor.settled)
            self._database.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?)", row)
            rows = [(job, number, unsure) for number in numbers]
            self._database.executemany("INSERT OR IGNORE INTO open_builds VALUES (?, ?, ?)", rows)

    def decided(self, builds: Iterable[tuple[Build, BuildPlace]]) -> None:
        """Store the places of builds before their spans are written, because spans never change. Raises StateError."""
        with self._writing():
            for build, placed in builds:
                row = (
                    build.job,
                    build.number,
                    placed.trace_id,
                    placed.parent_id,
                    encode_links(placed.links),
                    placed.sampled,
                )
                self._database.execute("INSERT OR IGNORE INTO placed VALUES (?, ?, ?, ?, ?, ?)", row)

    def same_revision(self, revision: str, build: Build) -> list[tuple[str, int, str]]:
        """Return job, number and trace id of the last builds of a commit before this one. Thread-safe. Raises StateError.

        The answer is the same if the build is read again, for example after a crash.
        """
        query = """SELECT r.job, r.number, p.trace_id FROM revisions AS r JOIN placed AS p USING (job, number)
                   WHERE r.revision = ? AND r.rowid < ifnull(
                       (SELECT rowid FROM revisions WHERE revision = ? AND job = ? AND number = ?), 1 << 62)
                   ORDER BY r.rowid DESC LIMIT ?"""
        own = (revision, build.job, build.number)
        return [tuple(row) for row in self._rows(query, revision, *own, _MOST_LINKS)]

    def built(self, builds: Iterable[tuple[Build, str]]) -> None:
        """Store the commits of builds. Raises StateError."""
        with self._writing():
            rows = [(revision, build.job, build.number) for build, revision in builds if revision]
            self._database.executemany("INSERT OR IGNORE INTO revisions VALUES (?, ?, ?)", rows)

    def written(self, builds: Iterable[Build]) -> None:
        """Mark builds as written. Call it when their spans are in a journal on the same disk. Raises StateError."""
        with self._writing():
            for build in builds:
                self._forget(build.job, build.number)

    def seen(self, builds: Iterable[Build]) -> None:
        """Store that builds are visible. Raises StateError."""
        with self._writing():
            for build in builds:
                key = (build.job, build.number)
                self._database.execute("UPDATE open_builds SET unsure = 0 WHERE unsure AND job = ? AND number = ?", key)

    def vanished(self, job: str, number: int) -> bool:
        """Store that a build was not found. Return whether it counts as deleted. Raises StateError.

        Jenkins may assign a number a moment before the build is visible. So a build that was never seen gets a second try.
        """
        key = (job, number)
        unsure = bool(self._rows("SELECT 1 FROM open_builds WHERE job = ? AND number = ? AND unsure", *key))
        with self._writing():
            if unsure:
                self._database.execute("UPDATE open_builds SET unsure = 0 WHERE job = ? AND number = ?", key)
            else:
                self._forget(*key)
        return not unsure

    def restarted(self, job: str) -> None:
        """Forget a job that was deleted and created again, because its build numbers begin again. Raises StateError."""
        with self._writing():
            for table, column in (("jobs", "name"), ("open_builds", "job"), ("placed", "job"), ("revisions", "job")):
                self._database.execute(f"DELETE FROM {table} WHERE {column} = ?", (job,))

    def place_of(self, build: Build) -> BuildPlace | None:
        """Return the place of a build; None if it is not stored. Thread-safe. Raises StateError."""
        query = "SELECT trace_id, parent_id, links, sampled FROM placed WHERE job = ? AND number = ?"
        for trace_id, parent_id, links, sampled in self._rows(query, build.job, build.number):
            return BuildPlace(trace_id, parent_id, decode_links(links), bool(sampled))
        return None

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Thread-safe. Raises StateError."""
        try:
            with self._reading:
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StateError(f"cannot read {self._path} ({error}); {remedy(error, _DAMAGED)}") from None

    def _forget(self, job: str, number: int) -> None:
        self._database.execute("DELETE FROM open_builds WHERE job = ? AND number = ?", (job, number))

    def _writing(self) -> AbstractContextManager[None]:
        return nullcontext() if self._together else _Writing(self._database)


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection to a state of the newest version. Raises StateError."""
    database = None
    try:
        database = sqlite3.connect(path, check_same_thread=False)
        upgrade(database, _STEPS, f"the state {path}")
        return database
    except (NewerVersionError, sqlite3.Error) as error:
        if database:
            database.close()
        if isinstance(error, NewerVersionError):
            raise StateError(str(error)) from None
        raise StateError(f"cannot use {path} ({error}); {remedy(error, _DAMAGED)}") from None


def _empty(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.iterdir():
            left.unlink()
    except OSError as error:
        raise StateError(f"cannot write {folder} ({error.strerror}); set PIPELINE_TRACE_HOME to another folder") from None


def encode_links(links: Iterable[Link]) -> str:
    """Return links as one text."""
    return encode([[link.trace_id, link.span_id, link.attributes] for link in links])


def decode_links(text: str) -> tuple[Link, ...]:
    """Return the links that ``encode_links`` has encoded."""
    return tuple(Link(trace, span, attributes) for trace, span, attributes in json.loads(text))


class _Writing:
    """A transaction that turns SQLite's errors into StateError."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._database.__exit__(kind, error, trace)  # type: ignore[arg-type]
        except sqlite3.Error as failed:
            raise _not_kept(failed) from None
        if isinstance(error, sqlite3.Error):
            raise _not_kept(error) from None


def _not_kept(error: sqlite3.Error) -> StateError:
    return StateError(f"cannot keep the poller's state ({error}); {remedy(error, _DAMAGED)}")
