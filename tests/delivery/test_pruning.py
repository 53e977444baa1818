"""`prune`: what is old goes piece by piece, what is not old or in use stays, and each thing that goes is told."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import support

from pipeline_trace.commands.units import size_text
from pipeline_trace.delivery import leftovers, pruning
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.leftovers import remove_leftovers
from pipeline_trace.delivery.progress import Progress, save_progress
from pipeline_trace.delivery.pruning import PIECE, remove_piece, would_remove
from pipeline_trace.serve.index import Index, save
from pipeline_trace.trace.span import Span

DAY = 86400
OLD = 40 * DAY


def spans(trace: int, count: int = 2, text: str = "") -> list[Span]:
    return [Span(f"{trace:032x}", f"{n + 1:016x}", None, "a", 1, 2, attributes={"t": text}) for n in range(count)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "traces.db")
    found.deliver([], 5)
    yield found
    found.close()


@pytest.fixture
def database(store: Store) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        yield connection


def arrive(database: sqlite3.Connection, trace: int, ago_s: float, table: str = "changed_traces") -> None:
    when = int(time.time() - ago_s)
    database.execute(f"UPDATE {table} SET arrived_s = ? WHERE trace_id = ?", (when, f"{trace:032x}"))


def listed(store: Store, database: sqlite3.Connection) -> None:
    """Put all traces into the list of `serve`."""
    index = Index(store.path)
    index.prepare()
    save(database, index.backlog().changes(60))


def left(store: Store) -> dict[int, int]:
    found: dict[int, int] = {}
    with closing(sqlite3.connect(store.path)) as database:
        for trace, count in database.execute("SELECT trace_id, count(*) FROM spans GROUP BY trace_id"):
            found[int(trace, 16)] = count
    return found


def prune(database: sqlite3.Connection, keep_s: float) -> pruning.Removed:
    removed = pruning.Removed()
    while any(piece := remove_piece(database, time.time() - keep_s)):
        assert piece.spans <= PIECE
        removed += piece
    return removed


# The store


def test_traces_go_by_when_their_last_span_came_with_and_without_serves_list(
    store: Store, database: sqlite3.Connection
) -> None:
    store.deliver([one for trace in (1, 2, 3) for one in spans(trace)], 5)
    listed(store, database)
    store.deliver([one for trace in (4, 5) for one in spans(trace)], 5)
    for trace in (1, 2):
        arrive(database, trace, OLD, "traces")
    arrive(database, 4, OLD)
    # Something came for an old trace of the list: it is new.
    store.deliver(spans(2, 3), 5)
    expected = would_remove(database, time.time() - 30 * DAY)
    assert (expected.traces, expected.spans) == (2, 4)
    assert left(store) == {1: 2, 2: 3, 3: 2, 4: 2, 5: 2}
    assert prune(database, 30 * DAY) == expected
    assert left(store) == {2: 3, 3: 2, 5: 2}
    for table in ("traces", "changed_traces"):
        assert database.execute(f"SELECT count(*) FROM {table} WHERE trace_id = ?", (f"{1:032x}",)).fetchone() == (0,)


def test_a_large_trace_goes_in_pieces_and_an_interrupted_prune_goes_on(store: Store, database: sqlite3.Connection) -> None:
    store.deliver(spans(1, 2 * PIECE + 10) + spans(2), 5)
    arrive(database, 1, OLD)
    assert remove_piece(database, time.time() - 30 * DAY)[:2] == (0, PIECE)
    assert left(store) == {1: PIECE + 10, 2: 2}
    assert prune(database, 30 * DAY)[:2] == (1, PIECE + 10)
    assert left(store) == {2: 2}


def test_pruning_looks_at_no_trace_that_stays(store: Store, database: sqlite3.Connection) -> None:
    store.deliver(spans(1), 5)
    listed(store, database)
    for query in (pruning._CHANGED, pruning._LISTED):
        plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}", (1, 1)))
        assert "_by_arrival (arrived_s<?)" in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan


def test_the_file_of_a_new_store_shrinks(store: Store, database: sqlite3.Connection) -> None:
    store.deliver(spans(1, 200, random.Random(1).randbytes(20_000).hex()), 5)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = store.path.stat().st_size
    arrive(database, 1, OLD)
    prune(database, 30 * DAY)
    while pruning.give_back(database):
        pass
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert store.path.stat().st_size < before / 10


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (3200, "3.2 kB"), (4_560_000, "4.6 MB"), (7 << 30, "7.5 GB")])
def test_sizes_in_words(size: int, text: str) -> None:
    assert size_text(size) == text


# Journals


def journal(folder: Path, ago_s: float, *, problem: str = "", end: bool = True) -> Path:
    writer = Writer(folder)
    for one in spans(1):
        writer.span(one)
    if end:
        writer.end()
    if problem:
        save_progress(writer.path, Progress(problem=problem))
    age(folder, writer.path.stem, ago_s)
    return writer.path


def age(folder: Path, stem: str, ago_s: float) -> None:
    for file in folder.glob(f"*{stem}*"):
        os.utime(file, (time.time() - ago_s,) * 2)


def test_old_journals_go_with_what_is_beside_them_and_the_reason_is_told(tmp_path: Path) -> None:
    old = journal(tmp_path, OLD, problem="http://collector:4318: 403 Forbidden")
    refused = tmp_path / "00-1.refused"
    refused.write_text("{}\n")
    age(tmp_path, "00-1", OLD)
    young = journal(tmp_path, 29 * DAY)
    # Of this one, something happened lately.
    tried = journal(tmp_path, OLD, problem="down")
    os.utime(tried.with_suffix(".state"))
    before = sorted(tmp_path.iterdir())
    told = list(remove_leftovers(tmp_path, dry_run=True))
    assert sorted(tmp_path.iterdir()) == before
    assert told == list(remove_leftovers(tmp_path, dry_run=False))
    assert [(left.files, left.reason) for left in told] == [
        ([refused], "left by a journal that is gone; unchanged for 40 days"),
        (
            [old, old.with_suffix(".state")],
            "2 spans not delivered (http://collector:4318: 403 Forbidden); unchanged for 40 days",
        ),
    ]
    assert sorted(file for file in tmp_path.iterdir() if not file.name.startswith(".")) == sorted(
        [young, tried, tried.with_suffix(".state")]
    )


def test_what_is_not_ours_or_no_file_stays(tmp_path: Path) -> None:
    (tmp_path / "folder.journal").mkdir()
    (tmp_path / "link.journal").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo.journal")
    if os.geteuid() == 0:
        os.chown(journal(tmp_path, OLD), 12345, 12345)
    for file in tmp_path.iterdir():
        os.utime(file, (time.time() - OLD,) * 2, follow_symlinks=False)
    before = sorted(tmp_path.iterdir())
    assert list(remove_leftovers(tmp_path, dry_run=False)) == []
    assert sorted(tmp_path.iterdir()) == before
    assert list(remove_leftovers(tmp_path / "missing", dry_run=False)) == []


_HOLD = """
import sys
from pathlib import Path
from pipeline_trace.delivery import journal, reader
if sys.argv[2] == "written":
    writer = journal.Writer(Path(sys.argv[1]).parent)
    print(writer.path, flush=True)
else:
    opened = reader.Reader(Path(sys.argv[1]))
    assert opened.claim()
    print(sys.argv[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.process
@pytest.mark.parametrize("how", ["written", "shipped"])
def test_a_journal_that_a_process_writes_or_ships_stays_however_old(tmp_path: Path, how: str) -> None:
    path = journal(tmp_path, OLD)
    words = [sys.executable, "-c", _HOLD, str(path), how]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        held = Path(holder.stdout.readline().strip())
        age(tmp_path, held.stem, OLD)
        told = list(remove_leftovers(tmp_path, dry_run=False))
        assert held.exists()
        assert [left.files for left in told] == ([[path]] if how == "written" else [])
        holder.communicate("")


# The command


def test_the_command_tells_and_does_the_same(env: dict[str, str]) -> None:
    home = Path(env["PIPELINE_TRACE_HOME"])
    (home / "journals").mkdir(parents=True, exist_ok=True)
    nothing = support.trace("prune", "--keep", "90d", env=env)
    assert (nothing.returncode, nothing.stdout) == (0, f"there is no local store {home / 'traces.db'}\n")
    assert not (home / "traces.db").exists()
    store = Store(home / "traces.db")
    store.deliver(spans(1) + spans(2), 5)
    store.close()
    with closing(sqlite3.connect(home / "traces.db", isolation_level=None)) as database:
        arrive(database, 1, OLD)
    old = journal(home / "journals", OLD)
    (home / "journals" / "aside").mkdir()
    aside = journal(home / "journals" / "aside", OLD)
    said = []
    for words in (["--dry-run"], []):
        done = support.trace("prune", "--keep", "30d", *words, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
    first, second, third = said[1].splitlines()
    assert first.startswith("removed 1 traces with 2 spans (")
    assert second == f"removed {old}: 2 spans not delivered (nobody tried); unchanged for 40 days"
    assert third == second.replace(str(old), str(aside))
    assert said[0] == said[1].replace("removed", "would remove")
    assert left(store) == {2: 2}
    assert not old.exists()
    assert not aside.exists()
    assert support.trace("prune", env=env).returncode == 2


def test_others_deliver_while_it_prunes(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two pieces, with a writer that does not wait at all."""
    home = Path(env["PIPELINE_TRACE_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    store = Store(home / "traces.db")
    store.deliver([one for trace in range(1, 11) for one in spans(trace, PIECE // 2)], 60)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as database:
        for trace in range(1, 11):
            arrive(database, trace, OLD)
        other, given = Store(store.path, busy_seconds=0.05), pruning.remove_piece

        def piece(connection: sqlite3.Connection, before_s: float) -> pruning.Removed:
            other.deliver(spans(100 + len(left(store))), 0.05)
            return given(connection, before_s)

        monkeypatch.setattr(pruning, "remove_piece", piece)
        done = support.trace("prune", "--keep", "30d", env=env)
    other.close()
    store.close()
    assert done.returncode == 0, done.stderr
    assert "removed 10 traces with 5,000 spans" in done.stdout
    assert min(left(store)) > 100


def test_a_store_that_is_newer_or_held_is_one_line(env: dict[str, str]) -> None:
    home = Path(env["PIPELINE_TRACE_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    store = Store(home / "traces.db")
    store.deliver(spans(1), 5)
    store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as database:
        database.execute("PRAGMA user_version = 99")
        done = support.trace("prune", "--keep", "1d", env=env)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "from a newer pipeline-trace" in done.stderr
    assert leftovers.SECONDS == 30 * DAY
