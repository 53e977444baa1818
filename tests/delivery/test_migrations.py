"""Files of other versions: older ones are brought up to date step by step, newer ones stay as they are."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
import support

from jenkins_poller.poll.database import StateError
from jenkins_poller.poll.state import State
from pipeline_trace.delivery.destinations import SetupError
from pipeline_trace.delivery.destinations.store import STEPS, Store
from pipeline_trace.delivery.migrations import NewerVersionError, Step, upgrade, version_of
from pipeline_trace.trace.span import Span, encode

ONE = ("CREATE TABLE a (x)", "INSERT INTO a VALUES (1)")
TWO = ("ALTER TABLE a ADD COLUMN y DEFAULT 2",)
KEPT = support.ROOT / "tests" / "kept" / "0.1.0"
SPAN = Span("1" * 32, "2" * 16, None, "a", 1, 2)


def connect(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, timeout=20))


def content_of(path: Path) -> dict[str, str]:
    """Return the hash of each file of a database."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in path.parent.glob(f"{path.name}*")}


# The steps


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_each_older_version_gets_the_steps_that_it_lacks(tmp_path: Path, before: int) -> None:
    ran: list[int] = []

    def three(connection: sqlite3.Connection) -> bool:
        ran.append(3)
        return False

    steps: Mapping[int, Step] = {1: ONE, 2: TWO, 3: three}
    with connect(tmp_path / "a.db") as database:
        if before:
            upgrade(database, {number: steps[number] for number in steps if number <= before}, "the file")
            ran.clear()
        upgrade(database, steps, "the file")
        assert (version_of(database), ran) == (3, [3] * (before < 3))
        assert database.execute("SELECT x, y FROM a").fetchall() == [(1, 2)]
        assert not database.in_transaction


def test_a_newer_version_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with connect(path) as database:
        database.execute("PRAGMA user_version = 3")
    before = content_of(path)
    with connect(path) as database, pytest.raises(NewerVersionError) as caught:
        upgrade(database, {1: ONE, 2: TWO}, "the file")
    assert "its version is 3, this one knows 2" in str(caught.value)
    assert "upgrade pipeline-trace" in str(caught.value)
    assert "PIPELINE_TRACE_HOME" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert content_of(path) == before


def test_a_step_that_fails_leaves_nothing_and_the_steps_before_it_stay(tmp_path: Path) -> None:
    broken = ("CREATE TABLE b (x)", "no SQL")
    with connect(tmp_path / "a.db") as database:
        with pytest.raises(sqlite3.Error):
            upgrade(database, {1: ONE, 2: broken}, "the file")
        assert version_of(database) == 1
        assert [row[0] for row in database.execute("SELECT name FROM sqlite_master")] == ["a"]
        upgrade(database, {1: ONE, 2: TWO}, "the file")
        assert database.execute("SELECT x, y FROM a").fetchall() == [(1, 2)]


def test_between_the_pieces_of_a_long_step_others_write(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    def step(connection: sqlite3.Connection) -> bool:
        connection.execute("UPDATE a SET x = x + 1")
        return connection.execute("SELECT max(x) FROM a").fetchone()[0] < 5

    class Interrupted(sqlite3.Connection):
        """After each commit another process delivers."""

        def execute(self, sql: str, *more: object) -> sqlite3.Cursor:  # type: ignore[override]
            done = super().execute(sql, *more)  # type: ignore[arg-type]
            if sql == "COMMIT":
                with connect(path) as other, other:
                    other.execute("INSERT INTO a VALUES (0)")
            return done

    with connect(path) as database:
        upgrade(database, {1: ONE}, "the file")
    with closing(sqlite3.connect(path, factory=Interrupted)) as database:
        upgrade(database, {1: ONE, 2: step}, "the file")
        assert version_of(database) == 2
        # One row from the beginning, and one for each of four pieces.
        assert database.execute("SELECT x FROM a ORDER BY x").fetchall() == [(0,), (1,), (2,), (3,), (5,)]


_WORKER = """
import os, sqlite3, sys, time
from pipeline_trace.delivery.migrations import upgrade
def slow(connection):
    connection.execute("INSERT INTO a VALUES (2)")
    print("in it", flush=True)
    time.sleep(float(sys.argv[2]))
    return False
steps = {1: ("CREATE TABLE a (x)",), 2: slow, 3: ("INSERT INTO a VALUES (3)",)}
upgrade(sqlite3.connect(sys.argv[1], timeout=30), steps, "the file")
"""


def worker(path: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _WORKER, str(path), str(seconds)], stdout=subprocess.PIPE, text=True)


@pytest.mark.process
def test_killed_in_the_middle_it_goes_on_and_of_many_at_once_one_does_each_step(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with worker(path, 60) as killed:
        assert killed.stdout
        killed.stdout.readline()
        os.kill(killed.pid, signal.SIGKILL)
    with connect(path) as database:
        assert version_of(database) == 1
        assert database.execute("SELECT count(*) FROM a").fetchone() == (0,)
    several = [worker(path, 0.3) for _ in range(4)]
    said = [one.communicate(timeout=60)[0] for one in several]
    assert [one.returncode for one in several] == [0] * 4
    assert sorted(said) == ["", "", "", "in it\n"]
    with connect(path) as database:
        assert version_of(database) == 3
        assert database.execute("SELECT x FROM a").fetchall() == [(2,), (3,)]


# The store


def test_a_newer_store_takes_nothing_and_shows_nothing_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = Store(path)
    store.deliver([SPAN], 5)
    store.close()
    with connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    before = content_of(path)
    for use in (lambda: store.deliver([SPAN], 5), lambda: store.rows("SELECT 1"), lambda: store.trace("1" * 32)):
        with pytest.raises(SetupError, match=r"traces.db is from a newer pipeline-trace \(its version is 99"):
            use()
        store.close()
    assert content_of(path) == before


@pytest.mark.parametrize("kept", ["store", "store-2"])
def test_an_older_store_has_all_that_a_new_one_has(tmp_path: Path, kept: str) -> None:
    (tmp_path / "old.db").write_bytes((KEPT / kept / "traces.db").read_bytes())
    found = []
    for name in ("old.db", "new.db"):
        store = Store(tmp_path / name)
        store.deliver([SPAN], 5)
        store.close()
        with connect(tmp_path / name) as database:
            found.append((version_of(database), set(database.execute("SELECT type, name FROM sqlite_master"))))
    assert found[0] == found[1]
    assert found[0][0] == max(STEPS)


def test_a_program_of_0_1_0_delivers_into_a_store_of_today(tmp_path: Path) -> None:
    """It looks at no version, and inserts seven values without naming the columns."""
    path = tmp_path / "traces.db"
    store = Store(path)
    store.deliver([SPAN], 5)
    old = Span("3" * 32, "4" * 16, None, "old", 1, 2)
    with connect(path) as database, database:
        insert = "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id, span_id) DO NOTHING"
        database.execute(insert, (old.trace_id, old.span_id, None, 2, "app", "1", encode(old.to_dict())))
        database.execute(
            "INSERT INTO changed_traces VALUES (?, 1, ?) "
            "ON CONFLICT (trace_id) DO UPDATE SET changes = changes + 1, arrived_s = excluded.arrived_s",
            (old.trace_id, 7),
        )
    assert store.trace(old.trace_id) == [old]
    store.close()


# The poller's state


def test_a_newer_state_is_one_line_and_stays_as_it_is(tmp_path: Path) -> None:
    State(tmp_path, "http://jenkins/").close()
    (path,) = tmp_path.glob("*.db")
    with connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    left = path.with_suffix("") / "left.journal"
    left.touch()
    before = content_of(path)
    with pytest.raises(StateError, match=r"is from a newer pipeline-trace \(its version is 99, this one knows 3\)[^\n]*$"):
        State(tmp_path, "http://jenkins/")
    assert content_of(path) == before
    assert left.exists()


def test_the_state_of_0_1_0_goes_on(tmp_path: Path) -> None:
    (kept,) = (KEPT / "pollers").glob("*.db")
    name = hashlib.sha256(b"http://jenkins/").hexdigest()[:16]
    (tmp_path / f"{name}.db").write_bytes(kept.read_bytes())
    with connect(tmp_path / f"{name}.db") as database:
        assert version_of(database) == 0
        known = database.execute("SELECT count(*) FROM jobs").fetchone()[0]
    state = State(tmp_path, "http://jenkins/")
    assert len(state.cursors()) == known > 0
    state.close()
    with connect(tmp_path / f"{name}.db") as database:
        assert version_of(database) == 3
        told = database.execute("SELECT count(*) FROM placed").fetchone()[0]
        # At which level they were told is not known, and they grow old from now on.
        upgraded = "SELECT count(*) FROM placed WHERE level IS NULL AND queue_id IS NULL AND began_ms > 1700000000000"
        assert database.execute(upgraded).fetchone()[0] == told > 0


@pytest.mark.parametrize("content", [b"rubbish " * 1000, b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 8192])
def test_a_damaged_state_or_store_is_one_line_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    name = hashlib.sha256(b"http://jenkins/").hexdigest()[:16]
    state, store = tmp_path / f"{name}.db", tmp_path / "traces.db"
    for path in (state, store):
        path.write_bytes(content)
    before = content_of(state), content_of(store)
    with pytest.raises(StateError, match=r"[^\n]*move this file away to start again without it$"):
        State(tmp_path, "http://jenkins/")
    with pytest.raises(SetupError, match=r"cannot be read \([^\n]*move it away"):
        Store(store).rows("SELECT 1")
    assert (content_of(state), content_of(store)) == before


def test_a_state_or_store_that_is_no_file_is_one_line(tmp_path: Path) -> None:
    name = hashlib.sha256(b"http://jenkins/").hexdigest()[:16]
    for make in (os.mkfifo, os.mkdir):
        make(tmp_path / f"{name}.db")
        make(tmp_path / "traces.db")
        with pytest.raises(StateError):
            State(tmp_path, "http://jenkins/")
        with pytest.raises(SetupError):
            Store(tmp_path / "traces.db", busy_seconds=0.1).rows("SELECT 1")
        for left in (f"{name}.db", "traces.db"):
            (os.unlink if make is os.mkfifo else os.rmdir)(tmp_path / left)
