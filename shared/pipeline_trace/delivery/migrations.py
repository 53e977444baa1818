"""Brings an SQLite file of an earlier version up to date, one numbered step after another.

The file's version is its ``PRAGMA user_version``. Each step is one transaction together with its number: an upgrade that is
interrupted continues where it was, and of two processes at once only one does a step. Rules: docs/decisions/0016.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

# Statements, or a function. The function returns True to be called again in a new transaction: a long step works in
# pieces, and others may write in between.
Step = Sequence[str] | Callable[[sqlite3.Connection], bool]


class NewerVersionError(Exception):
    """A file has a newer version than this program knows. The message says what to do."""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a file; 0 if it is new. Raises sqlite3.Error."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: sqlite3.Connection, steps: Mapping[int, Step], name: str) -> bool:
    """Return whether a file has the newest version. ``name``: of the file, for the message.

    Raises NewerVersionError, sqlite3.Error. Writes nothing.
    """
    version, newest = version_of(connection), max(steps)
    if version > newest:
        raise NewerVersionError(
            f"{name} is from a newer pipeline-trace (its version is {version}, this one knows {newest}), so nothing is "
            "written; upgrade pipeline-trace here, or set PIPELINE_TRACE_HOME to another folder"
        )
    return version == newest


def upgrade(connection: sqlite3.Connection, steps: Mapping[int, Step], name: str) -> None:
    """Run the steps that a file lacks. ``steps``: by the version after them. Raises NewerVersionError, sqlite3.Error."""
    while not check(connection, steps, name):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster.
            if not check(connection, steps, name):
                number = min(number for number in steps if number > version_of(connection))
                if not _run(connection, steps[number]):
                    connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise


def _run(connection: sqlite3.Connection, step: Step) -> bool:
    """Run a step. Return whether it must run again."""
    if callable(step):
        return step(connection)
    for statement in step:
        connection.execute(statement)
    return False
