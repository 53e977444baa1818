"""What the poller remembers of one controller: cursors, builds still to read, places."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.span import Link, encode

from .database import Database

# A build is linked to at most this many earlier builds of its commit.
_MOST_LINKS = 10
# The tables with rows of builds.
_OF_BUILDS = ("open_builds", "placed", "revisions", "troubled")


@dataclass(frozen=True)
class Cursor:
    """How far a job was read. ``next_number``: of the next build, as last seen. ``cursor``: the highest known number.

    ``settled``: all builds below ``next_number`` are known. (Jenkins may assign a number before it lists the build.)
    """

    next_number: int
    cursor: int
    settled: bool


@dataclass(frozen=True)
class Told:
    """How a build was told. ``level``: see levels. ``began_ms``: its start, milliseconds since the epoch.

    ``queue_id``: Jenkins' number of its time in the queue; 0 if it is not known.
    """

    level: str
    began_ms: int
    queue_id: int = 0


_PLACED = "job, number, trace_id, parent_id, links, sampled"


class State(Database):
    """The state of one controller's poller."""

    def cursors(self) -> dict[str, Cursor]:
        """Return the cursors, by full job name."""
        rows = self.rows("SELECT name, next_number, cursor, settled FROM jobs")
        return {name: Cursor(number, cursor, bool(settled)) for name, number, cursor, settled in rows}

    def open_builds(self) -> dict[str, dict[int, int]]:
        """Return the builds that are known but not written yet, by full job name: number and earliest start.

        A build that began before its earliest start (milliseconds since the epoch) is too old to be told.
        """
        found: dict[str, dict[int, int]] = {}
        for job, number, since_ms in self.rows("SELECT job, number, since_ms FROM open_builds"):
            found.setdefault(job, {})[number] = since_ms
        return found

    def found(self, job: str, cursor: Cursor, numbers: Iterable[int], *, unsure: bool = False, since_ms: int = 0) -> None:
        """Store a job's new builds, which are still to be written. Raises StateError.

        ``unsure``: Jenkins has assigned the numbers, but the builds may not be visible yet. ``since_ms``: the earliest start
        of these builds, if only reading them shows when they began.
        """
        with self.writing():
            row = (job, cursor.next_number, cursor.cursor, cursor.settled)
            self.change("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?)", *row)
            rows = [(job, number, unsure, since_ms) for number in numbers]
            self.change_each("INSERT OR IGNORE INTO open_builds VALUES (?, ?, ?, ?)", rows)

    def decided(self, builds: Iterable[tuple[Build, BuildPlace]]) -> None:
        """Store the places of builds before their spans are written, because spans never change. Raises StateError."""
        with self.writing():
            for build, placed in builds:
                row = (
                    build.job,
                    build.number,
                    placed.trace_id,
                    placed.parent_id,
                    encode_links(placed.links),
                    placed.sampled,
                )
                self.change(f"INSERT OR IGNORE INTO placed ({_PLACED}) VALUES (?, ?, ?, ?, ?, ?)", *row)

    def same_revision(self, revision: str, build: Build) -> list[tuple[str, int, str]]:
        """Return job, number and trace id of the last builds of a commit before this one. Thread-safe. Raises StateError.

        The answer is the same if the build is read again, for example after a crash.
        """
        query = """SELECT r.job, r.number, p.trace_id FROM revisions AS r JOIN placed AS p USING (job, number)
                   WHERE r.revision = ? AND r.rowid < ifnull(
                       (SELECT rowid FROM revisions WHERE revision = ? AND job = ? AND number = ?), 1 << 62)
                   ORDER BY r.rowid DESC LIMIT ?"""
        own = (revision, build.job, build.number)
        return [tuple(row) for row in self.rows(query, revision, *own, _MOST_LINKS)]

    def built(self, builds: Iterable[tuple[Build, str]]) -> None:
        """Store the commits of builds. Raises StateError."""
        with self.writing():
            rows = [(revision, build.job, build.number) for build, revision in builds if revision]
            self.change_each("INSERT OR IGNORE INTO revisions VALUES (?, ?, ?)", rows)

    def written(self, builds: Iterable[Build]) -> None:
        """Mark builds as written. Call it when their spans are in a journal on the same disk. Raises StateError."""
        with self.writing():
            for build in builds:
                self._forget(build.job, build.number)

    def told(self, builds: Iterable[tuple[Build, Told]]) -> None:
        """Store how builds were told. Raises StateError."""
        with self.writing():
            rows = [(told.level, told.began_ms, told.queue_id, build.job, build.number) for build, told in builds]
            statement = "UPDATE placed SET level = ?, began_ms = ?, queue_id = ? WHERE job = ? AND number = ?"
            self.change_each(statement, rows)

    def level_of(self, build: Build) -> str | None:
        """Return the level at which a build was told; None if it is not known. Raises StateError."""
        rows = self.rows("SELECT level FROM placed WHERE job = ? AND number = ?", build.job, build.number)
        return rows[0][0] if rows else None

    def seen(self, builds: Iterable[Build]) -> None:
        """Store that builds are visible. Raises StateError."""
        with self.writing():
            for build in builds:
                key = (build.job, build.number)
                self.change("UPDATE open_builds SET unsure = 0 WHERE unsure AND job = ? AND number = ?", *key)

    def vanished(self, job: str, number: int) -> bool:
        """Store that a build was not found. Return whether it counts as deleted. Raises StateError.

        Jenkins may assign a number a moment before the build is visible. So a build that was never seen gets a second try.
        """
        key = (job, number)
        unsure = bool(self.rows("SELECT 1 FROM open_builds WHERE job = ? AND number = ? AND unsure", *key))
        with self.writing():
            if unsure:
                self.change("UPDATE open_builds SET unsure = 0 WHERE job = ? AND number = ?", *key)
            else:
                self._forget(*key)
        return not unsure

    def restarted(self, job: str) -> None:
        """Forget a job that was deleted and created again, because its build numbers begin again. Raises StateError."""
        with self.writing():
            for table, column in (("jobs", "name"), *((table, "job") for table in _OF_BUILDS)):
                self.change(f"DELETE FROM {table} WHERE {column} = ?", job)

    def place_of(self, build: Build) -> BuildPlace | None:
        """Return the place of a build; None if it is not stored. Thread-safe. Raises StateError."""
        query = "SELECT trace_id, parent_id, links, sampled FROM placed WHERE job = ? AND number = ?"
        for trace_id, parent_id, links, sampled in self.rows(query, build.job, build.number):
            return BuildPlace(trace_id, parent_id, decode_links(links), bool(sampled))
        return None

    def _forget(self, job: str, number: int) -> None:
        for table in ("open_builds", "troubled"):
            self.change(f"DELETE FROM {table} WHERE job = ? AND number = ?", job, number)


def encode_links(links: Iterable[Link]) -> str:
    """Return links as one text."""
    return encode([[link.trace_id, link.span_id, link.attributes] for link in links])


def decode_links(text: str) -> tuple[Link, ...]:
    """Return the links that ``encode_links`` has encoded."""
    return tuple(Link(trace, span, attributes) for trace, span, attributes in json.loads(text))
