"""What the poller remembers of one controller: cursors, builds still to read, places."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.span import Link, encode

from . import levels
from .database import Database

_DAMAGED = "move this file away to start again without it"
# A build is linked to at most this many earlier builds of its commit.
_MOST_LINKS = 10
# So many of a job's last builds tell whether it is another job now.
_LAST = 5
# The tables with rows of builds.
_OF_BUILDS = ("open_builds", "placed", "revisions", "troubled")


@dataclass(frozen=True)
class Cursor:
    """How far a job was read. ``next_number``: of the next build, as last seen. ``cursor``: the highest known number.

    ``settled``: all builds below ``next_number`` are known. (Jenkins may assign a number before it lists the build.)
    ``generation``: of the job, see Build. ``absent``: whether the controller did not list the job at the last poll.
    """

    next_number: int
    cursor: int
    settled: bool
    generation: int = 0
    absent: bool = False


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
        rows = self.rows("SELECT name, next_number, cursor, settled, generation, absent FROM jobs")
        return {
            name: Cursor(number, cursor, bool(settled), generation, bool(absent))
            for name, number, cursor, settled, generation, absent in rows
        }

    def generations(self) -> dict[str, int]:
        """Return the generations above 0, by full job name. Raises StateError."""
        return dict(self.rows("SELECT name, generation FROM jobs WHERE generation > 0"))

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
            row = (job, cursor.next_number, cursor.cursor, cursor.settled, cursor.generation)
            self.change(
                """INSERT INTO jobs (name, next_number, cursor, settled, generation) VALUES (?, ?, ?, ?, ?)
                   ON CONFLICT (name) DO UPDATE SET next_number = excluded.next_number, cursor = excluded.cursor,
                   settled = excluded.settled, generation = excluded.generation""",
                *row,
            )
            self.change("DELETE FROM left_names WHERE name = ?", job)
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

    def same_revision(self, revision: str, build: Build) -> list[tuple[str, int, str, int]]:
        """Return job, number, trace id and generation of the last builds of a commit before this one. Thread-safe.

        The answer is the same if the build is read again, for example after a crash. Raises StateError.
        """
        query = """SELECT r.job, r.number, p.trace_id, ifnull(j.generation, 0) FROM revisions AS r
                   JOIN placed AS p USING (job, number) LEFT JOIN jobs AS j ON j.name = r.job
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

    def absent(self, jobs: Iterable[str], *, absent: bool = True) -> None:
        """Store that the controller does not list jobs, or that it lists them again. Raises StateError."""
        with self.writing():
            self.change_each("UPDATE jobs SET absent = ? WHERE name = ?", [(absent, job) for job in jobs])

    def last_told(self, job: str) -> list[tuple[int, int, int]]:
        """Return number, start and queue id of the last builds of a job that were told. See Told. Raises StateError."""
        query = """SELECT number, began_ms, queue_id FROM placed WHERE job = ? AND queue_id IS NOT NULL
                   ORDER BY number DESC LIMIT ?"""
        return [tuple(row) for row in self.rows(query, job, _LAST)]

    def generation_of_new(self, job: str, above: int = 0) -> int:
        """Return the generation in which builds with numbers greater than ``above`` have ids that no earlier build had.

        ``job``: a name that no known job has. Raises StateError.
        """
        rows = self.rows("SELECT generation + (highest > ?) FROM left_names WHERE name = ?", above, job)
        return int(rows[0][0]) if rows else 0

    def renamed(self, old: str, new: str, now_ms: int) -> Cursor:
        """Move all that is known of a job to its new name. Return its cursor. Raises StateError.

        The generation belongs to the name: the old one keeps it for the next job of this name. ``now_ms``: milliseconds
        since the epoch.
        """
        with self.writing():
            statement = """INSERT OR REPLACE INTO left_names
                           SELECT name, generation, (SELECT ifnull(max(number), 0) FROM placed WHERE job = name), ?
                           FROM jobs WHERE name = ?"""
            self.change(statement, now_ms, old)
            for table, column in (("jobs", "name"), *((table, "job") for table in _OF_BUILDS)):
                self.change(f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {column} = ?", new, old)
            untold = [*self.open_builds().get(new, ()), self.cursors()[new].cursor + 1]
            generation = self.generation_of_new(new, min(untold) - 1)
            self.change("UPDATE jobs SET absent = 0, generation = ? WHERE name = ?", generation, new)
            self.change("DELETE FROM left_names WHERE name = ?", new)
            self._complete(new)
        return self.cursors()[new]

    def begun(self, job: str) -> Cursor:
        """Store a job that took the name of one that was renamed: all its builds are new. Return its cursor.

        Raises StateError.
        """
        cursor = Cursor(1, 0, settled=True, generation=self.generation_of_new(job))
        self.found(job, cursor, ())
        return cursor

    def made_again(self, job: str, above: int, next_number: int) -> Cursor:
        """Begin a job's next generation, and forget its builds with numbers greater than ``above``. Return its cursor.

        ``next_number``: of the job's next build. Raises StateError.
        """
        with self.writing():
            for table in _OF_BUILDS:
                self.change(f"DELETE FROM {table} WHERE job = ? AND number > ?", job, above)
            statement = """UPDATE jobs SET generation = generation + 1, next_number = ?, cursor = ?, settled = 1, absent = 0
                           WHERE name = ?"""
            self.change(statement, min(above + 1, next_number), above, job)
            self._complete(job)
        return self.cursors()[job]

    def _complete(self, job: str) -> None:
        """Have nothing added to what was told: the ids of a job's spans are others from now on."""
        self.change("UPDATE placed SET level = ? WHERE job = ?", levels.STEPS, job)

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
