"""The local store: a second delivery changes nothing, several may write, a busy one leaves the journal waiting."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import put

from pipeline_trace.delivery.destinations import DeliveryError, SetupError
from pipeline_trace.delivery.destinations import store as store_module
from pipeline_trace.delivery.destinations.store import Store, hold, open_existing
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Event, Link, Span

TRACE, OTHER = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"


def span(number: int, trace: str = TRACE, parent: int | None = None, end_ns: int = 2_000, **resource: str) -> Span:
    names = {"pipeline": c.PIPELINE_NAME, "run": c.PIPELINE_RUN_ID}
    return Span(
        trace,
        f"{number:016x}",
        f"{parent:016x}" if parent else None,
        f"span {number}",
        1_000,
        end_ns,
        resource={names[name]: value for name, value in resource.items()},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


def test_spans_come_out_as_they_went_in(path: Path) -> None:
    wanted = span(1, pipeline="Team A/déploy", run="7")
    wanted.attributes = {"text": "🚀", "list": ["a"], "number": 1.5, "flag": True}
    wanted.events, wanted.links = [Event("e", 5, {"x": 1})], [Link(OTHER, "00f067aa0ba902b7", {"why": "upstream"})]
    wanted.fail("no")
    put(path, wanted)
    store = Store(path)
    assert store.trace(TRACE) == [wanted]
    store.close()


def test_a_second_delivery_changes_nothing(path: Path) -> None:
    put(path, span(1), span(2))
    later = span(1, end_ns=9_999)
    later.name = "another name"
    put(path, later, span(3))
    store = Store(path)
    assert sorted((found.name, found.end_ns) for found in store.trace(TRACE)) == [
        ("span 1", 2_000),
        ("span 2", 2_000),
        ("span 3", 2_000),
    ]
    store.close()


def test_one_batch_may_hold_a_span_twice(path: Path) -> None:
    put(path, span(1), span(1))
    store = Store(path)
    assert len(store.trace(TRACE)) == 1
    store.close()


def test_one_span_id_in_two_traces_is_two_spans(path: Path) -> None:
    put(path, span(1), span(1, OTHER))
    store = Store(path)
    assert (len(store.trace(TRACE)), len(store.trace(OTHER))) == (1, 1)
    assert LocalSource(store).traces_with([f"{1:016x}"]) == {TRACE, OTHER}
    store.close()


def test_only_a_span_without_a_parent_of_its_own_trace_hangs_under_another_one(path: Path) -> None:
    put(path, span(1), span(2, parent=1), span(1, OTHER), span(2, OTHER, parent=1), span(3, "2" * 32, parent=1))
    store = Store(path)
    assert LocalSource(store).traces_below([f"{1:016x}"]) == {"2" * 32}
    store.close()


def change_counts(path: Path) -> dict[str, int]:
    with sqlite3.connect(path) as database:
        return dict(database.execute("SELECT trace_id, changes FROM changed_traces"))


def test_it_notes_which_traces_changed(path: Path) -> None:
    put(path, span(1), span(2), span(1, OTHER))
    put(path, span(3))
    assert change_counts(path) == {TRACE: 2, OTHER: 1}
    put(path, span(1), span(1, OTHER))
    assert change_counts(path) == {TRACE: 2, OTHER: 1}


def test_a_store_of_before_the_notes_gets_them(path: Path) -> None:
    put(path, span(1), span(1, OTHER))
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE changed_traces")
        database.execute("PRAGMA user_version = 1")
    put(path, span(2))
    assert change_counts(path) == {TRACE: 2, OTHER: 1}


def test_the_file_is_private_and_in_wal_mode(path: Path) -> None:
    put(path, span(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_the_files_beside_it_are_private_too(path: Path) -> None:
    store = Store(path)
    store.deliver([span(1)], 5.0)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}


def test_naming_a_store_makes_no_file(path: Path) -> None:
    Store(path).close()
    assert not path.exists()


def test_an_empty_store_answers_with_nothing(path: Path) -> None:
    store = Store(path)
    assert (store.trace(TRACE), LocalSource(store).newest(), LocalSource(store).builds([("a", "1")])) == ([], None, [])
    assert LocalSource(store).traces_with(["a"]) == LocalSource(store).traces_below([]) == set()
    store.close()


def test_the_latest_trace_is_the_one_in_which_something_ended_last(path: Path) -> None:
    put(path, span(1, OTHER, end_ns=5_000), span(2, TRACE, end_ns=9_000), span(3, OTHER, end_ns=7_000))
    store = Store(path)
    assert LocalSource(store).newest() == (TRACE, 9000)
    store.close()


def test_spans_are_found_by_run_and_by_parent(path: Path) -> None:
    put(path, span(1, pipeline="app", run="7"), span(2, pipeline="app", run="8"), span(3, OTHER, parent=1))
    store = Store(path)
    assert [found.name for found in LocalSource(store).builds([("app", "7")])] == ["span 1"]
    assert LocalSource(store).traces_below([f"{1:016x}"]) == {OTHER}
    store.close()


def test_more_ids_than_sqlite_takes_in_a_query(path: Path) -> None:
    put(path, *(span(number, parent=number + 5_000) for number in range(1, 1_202)))
    store = Store(path)
    ids = [f"{number:016x}" for number in range(1, 40_000)]
    assert LocalSource(store).traces_with(ids) == LocalSource(store).traces_below(ids) == {TRACE}
    store.close()


WRITER = """
    import sys, time
    from pathlib import Path
    from pipeline_trace.delivery.destinations.store import Store
    from pipeline_trace.trace.span import Span
    path, first = Path(sys.argv[1]), int(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    for start in range(first, first + 200, 20):
        store = Store(path)
        spans = [Span(sys.argv[3], f"{number:016x}", None, f"span {number}", 1, 2) for number in range(start, start + 20)]
        store.deliver(spans, 30.0)
        store.close()
"""


def together(code: str, *arguments: tuple[str, ...]) -> None:
    """Run Python in several processes that begin at the same time; none may say anything on stderr."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    words = [sys.executable, "-c", textwrap.dedent(code)]
    children = [subprocess.Popen([*words, *more], text=True, **pipes) for more in arguments]  # type: ignore[call-overload]
    for child in children:
        child.stdout.readline()
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    said = [child.communicate()[1].splitlines()[-1:] for child in children]
    assert said == [[] for _ in children]


@pytest.mark.process
def test_several_processes_write_at_once_and_lose_nothing(path: Path) -> None:
    put(path, span(1))
    together(WRITER, *((str(path), str(first), TRACE) for first in (1, 101, 201, 301)))
    store = Store(path)
    assert len(store.trace(TRACE)) == 500
    store.close()


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_store_that_another_process_is_just_making_is_waited_for(path: Path, begin: str) -> None:
    """The first two runs of a machine, side by side; SQLite does not wait by itself before it changes to WAL mode."""
    maker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    maker.execute(begin)
    maker.execute("CREATE TABLE other (x)")
    done = threading.Timer(0.2, maker.execute, ["ROLLBACK"])
    done.start()
    store = Store(path)
    try:
        store.deliver([span(1)], 5.0)
        assert len(store.trace(TRACE)) == 1
    finally:
        store.close()
        done.join()
        maker.close()


@contextmanager
def held(path: Path, seconds: float = 60.0) -> Iterator[None]:
    """Hold the store for others, for so long at most: who waits longer gets it, and no error."""
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(seconds, holder.rollback)
    release.start()
    yield
    release.cancel()
    release.join()
    holder.close()


def test_a_busy_store_is_a_delivery_error_within_the_time_given(path: Path) -> None:
    put(path, span(1))
    store = Store(path)
    with held(path, 4.0), pytest.raises(DeliveryError, match=r"traces\.db: database is locked"):
        store.deliver([span(2)], 0.1)
    store.deliver([span(2)], 0.1)
    assert len(store.trace(TRACE)) == 2
    store.close()


def test_the_time_given_holds_on_a_connection_that_is_already_open(path: Path) -> None:
    """The last delivery before the flush limit must not wait the whole busy time-out of the first."""
    store = Store(path, busy_seconds=30.0)
    store.deliver([span(1)], 60.0)
    with held(path, 15.0), pytest.raises(DeliveryError):
        store.deliver([span(2)], 0.1)
    store.close()


def test_reading_goes_on_while_somebody_writes(path: Path) -> None:
    put(path, span(1))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    store = Store(path)
    assert len(store.trace(TRACE)) == 1
    store.close()
    holder.close()


def test_a_file_that_is_no_database_is_a_delivery_error(path: Path) -> None:
    path.write_bytes(b"this is no database, but long enough to look like a file of some kind" * 20)
    with pytest.raises(DeliveryError, match=r"traces\.db"):
        Store(path).deliver([span(1)], 1.0)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_folder_in_its_place_is_a_delivery_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(DeliveryError, match=r"traces\.db"):
        Store(path).deliver([span(1)], 1.0)


def test_a_file_that_is_moved_keeps_what_it_has_and_the_next_spans_begin_a_new_one(path: Path) -> None:
    store, away = Store(path), path.with_name("away")
    store.deliver([span(1)], 5)
    path.rename(away)
    store.deliver([span(2)], 5)
    assert [one.span_id for one in store.trace(TRACE)] == [span(2).span_id]
    store.close()
    assert [[one.span_id for one in Store(file).trace(TRACE)] for file in (away, path)] == [
        [span(1).span_id],
        [span(2).span_id],
    ]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_is_held_is_no_other_file(path: Path, replaced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_held", {})
    store, away = Store(path), path.with_name("away")
    store.deliver([span(1)], 5)
    hold(path)
    store.deliver([span(2)], 5)
    path.rename(away)
    if replaced:
        put(away.with_name("other"), span(3))
        away.with_name("other").rename(path)
    said = "another file at its place" if replaced else "moved or removed it"
    for ask in (lambda: store.deliver([span(4)], 5), lambda: store.trace(TRACE), lambda: Store(path).trace(TRACE)):
        with pytest.raises((DeliveryError, SetupError), match=said):
            ask()
    with pytest.raises(sqlite3.OperationalError, match=said):
        open_existing(path, 1)
    assert path.exists() == replaced
    assert len(Store(away).trace(TRACE)) == 2
    away.rename(path)
    assert len(store.trace(TRACE)) == 2
    store.close()


def test_a_store_that_is_settled_is_whole_without_the_files_beside_it(path: Path) -> None:
    store = Store(path)
    store.deliver([span(1)], 5)
    store.settle()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    assert len(Store(copy).trace(TRACE)) == 1
    store.close()


def test_a_batch_is_kept_whole_or_not_at_all(path: Path) -> None:
    bad = span(2)
    bad.end_ns = 2**63
    with pytest.raises((DeliveryError, OverflowError)):
        put(path, span(1), bad)
    store = Store(path)
    assert store.trace(TRACE) == []
    store.close()
