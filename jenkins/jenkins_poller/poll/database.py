"""The SQLite file of one controller's poller: its tables, its lock, its transactions. Only one poller may use it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline_trace.delivery import locks
from pipeline_trace.delivery.migrations import NewerVersionError, Step, upgrade
from pipeline_trace.delivery.remedies import remedy
from pipeline_trace.trace.span import encode

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
    # Times are milliseconds since the epoch.
    2: (
        """CREATE TABLE troubled (
            job TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL, first_ms INTEGER NOT NULL,
            next_ms INTEGER NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY (job, number)
        )""",
        # What is known of the controller as a whole, as JSON.
        "CREATE TABLE remembered (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        # levels.ORDER; NULL: earlier versions did not note it.
        "ALTER TABLE placed ADD COLUMN level TEXT",
        # Builds of earlier versions grow old from the upgrade on. 0: not written yet.
        "ALTER TABLE placed ADD COLUMN began_ms INTEGER NOT NULL DEFAULT 0",
        "UPDATE placed SET began_ms = strftime('%s', 'now') * 1000",
        # NULL: earlier versions did not note it.
        "ALTER TABLE placed ADD COLUMN queue_id INTEGER",
        # How often the job was made again with the same numbers; whether the controller did not list it at the last poll.
        "ALTER TABLE jobs ADD COLUMN generation INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN absent INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX revisions_of_builds ON revisions (job, number)",
        # Of a build that was not listed: it is left out if it began before. 0: it is not.
        "ALTER TABLE open_builds ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0",
    ),
    # Names that a job had before it was renamed, and that no known job has now: the generation and the highest number of
    # the builds that were told under the name, and when the name was left.
    3: (
        """CREATE TABLE left_names (
            name TEXT PRIMARY KEY, generation INTEGER NOT NULL, highest INTEGER NOT NULL, left_ms INTEGER NOT NULL
        )""",
    ),
}


_DAMAGED = "move this file away to start again without it"


class StateError(Exception):
    """The state is unusable. The message says what to do."""


class Database:
    """The file, open and locked. ``folder``: for the poller's unfinished journals; empty after opening."""

    def __init__(self, folder: Path, controller: str) -> None:
        """Open the state of a controller. Raises StateError if another poller uses it, or it cannot be written or locked."""
        name = sha256(controller.encode()).hexdigest()[:16]
        path = folder / f"{name}.db"
        self.folder = folder / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"cannot write {path} ({error.strerror}); set PIPELINE_TRACE_HOME to another folder") from None
        try:
            is_free = locks.take(self._lock)
        except OSError as error:
            os.close(self._lock)
            raise StateError(f"cannot lock {path}: {error}") from None
        if not is_free:
            os.close(self._lock)
            raise StateError(f"another poller of {controller} already uses {path}; stop it first")
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
        with self.writing():
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

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Thread-safe. Raises StateError."""
        try:
            with self._reading:
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StateError(f"cannot read {self._path} ({error}); {remedy(error, _DAMAGED)}") from None

    def remembered(self, name: str) -> Any:
        """Return what is remembered of the controller under a name; None if it is nothing. Raises StateError."""
        rows = self.rows("SELECT value FROM remembered WHERE name = ?", name)
        return json.loads(rows[0][0]) if rows else None

    def remember(self, name: str, value: object) -> None:
        """Remember something that JSON can hold. Raises StateError."""
        with self.writing():
            self.change("INSERT OR REPLACE INTO remembered VALUES (?, ?)", name, encode(value))

    def change(self, statement: str, *values: object) -> None:
        """Run one statement, inside ``writing`` or ``together``."""
        self._database.execute(statement, values)

    def change_each(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Run one statement for each row of values, inside ``writing`` or ``together``."""
        self._database.executemany(statement, rows)

    def writing(self) -> AbstractContextManager[None]:
        """Return a transaction, or nothing more inside ``together``. Raises StateError."""
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
