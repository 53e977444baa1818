"""Delivery: at least once, nothing lost, stable ids; what was open when its writer died is closed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from support import processes

from pipeline_trace.delivery import journal, losses, progress, reader, ship, shipment
from pipeline_trace.delivery.destinations import Accepted, DeliveryError, SetupError
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.progress import Progress
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.delivery.shipment import BATCH, Outcome, Shipment
from pipeline_trace.trace.span import Span, encode

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Memory:
    """A destination that fails at chosen deliveries, counted from 1."""

    name = "memory"

    def __init__(self, *fails: int, error: Callable[[], Exception] = lambda: DeliveryError("down")) -> None:
        self.fails = set(fails)
        self.error = error
        self.calls = 0
        self.batches: list[list[Span]] = []
        self.delivered = threading.Event()

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        self.calls += 1
        if self.calls in self.fails:
            raise self.error()
        self.batches.append(list(spans))
        self.delivered.set()
        return Accepted()

    def close(self) -> None:
        pass

    @property
    def spans(self) -> list[Span]:
        return [span for batch in self.batches for span in batch]

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


def span(number: int, name: str = "", end_ns: int = 2_000) -> Span:
    return Span(TRACE, f"{number:016x}", None, name or f"span {number}", 1_000, end_ns)


def names(numbers: Sequence[int]) -> list[str]:
    return [f"span {number}" for number in numbers]


def write(folder: Path, count: int, *, opened: Sequence[int] = (), reason: str | None = "", padding: int = 0) -> Path:
    """Write a journal whose writer is gone: with an end line unless ``reason`` is None."""
    writer = Writer(folder)
    for number in opened:
        writer.open(span(number, end_ns=0))
    for number in range(1, count + 1):
        writer.span(span(number, f"span {number}" + " " * padding))
    return dead(writer, reason)


def dead(writer: Writer, reason: str | None = "") -> Path:
    """Let a writer end, or die where ``reason`` is None; return its journal."""
    if reason is not None:
        writer.end(reason)
    else:
        os.close(writer._file)
    return writer.path


def deliver(path: Path, destination: Memory) -> Outcome:
    return ship.ship_one(path, destination)


def test_everything_is_delivered_in_order_and_the_journal_removed(tmp_path: Path) -> None:
    path = write(tmp_path, 3)
    memory = Memory()
    assert deliver(path, memory) == Outcome(delivered=3, done=True)
    assert memory.names == names([1, 2, 3])
    assert journal.find_journals(tmp_path) == []


def test_what_arrives_is_what_was_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    wanted = span(1)
    wanted.attributes["cicd.pipeline.name"] = "Team A/déploy"
    writer.span(wanted)
    memory = Memory()
    deliver(dead(writer), memory)
    assert memory.spans == [wanted]


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 2 * BATCH + 5])
def test_batches_are_never_larger_than_the_limit_and_never_empty(tmp_path: Path, count: int) -> None:
    memory = Memory()
    outcome = deliver(write(tmp_path, count), memory)
    assert memory.names == names(range(1, count + 1))
    assert all(0 < len(batch) <= BATCH for batch in memory.batches)
    assert (outcome.delivered, outcome.done) == (count, True)


@pytest.mark.parametrize("fails", [(1,), (2,), (3,), (1, 2), (1, 3, 5), (2, 3, 4)])
def test_a_failing_destination_costs_nothing_when_another_process_goes_on(tmp_path: Path, fails: tuple[int, ...]) -> None:
    path = write(tmp_path, 3 * BATCH - 10, opened=[9_999], reason=None)
    memory = Memory(*fails)
    outcomes = [deliver(path, memory)]
    while not outcomes[-1].done:
        assert outcomes[-1].problem == "down"
        assert path.exists()
        outcomes.append(deliver(path, memory))
    assert len(outcomes) == len(fails) + 1
    assert memory.names == names([*range(1, 3 * BATCH - 9), 9_999])
    assert journal.find_journals(tmp_path) == []


@pytest.mark.parametrize("fails", [(1,), (2,), (3,), (1, 2), (1, 3, 5), (2, 3, 4)])
@pytest.mark.parametrize("padding", [0, 180])
def test_a_failing_destination_costs_nothing_when_the_same_process_goes_on(
    tmp_path: Path, fails: tuple[int, ...], padding: int
) -> None:
    """``padding``: so that the reader's chunks end early or late in a line."""
    count = 3 * BATCH - 10
    path = write(tmp_path, count, padding=padding)
    memory = Memory(*fails)
    reader = Reader(path)
    assert reader.claim()
    shipment = Shipment(reader, memory)
    for _ in range(len(fails) + 1):
        with suppress(DeliveryError):
            shipment.finish(1.0, 5_000)
    reader.close()
    missing = {f"span {number}" for number in range(1, count + 1)} - {name.strip() for name in memory.names}
    assert sorted(missing) == []
    assert len(memory.spans) == count
    assert (shipment.outcome.done, shipment.outcome.torn) == (True, 0)


def test_every_chunk_boundary_is_survived(tmp_path: Path) -> None:
    """The reader stops in the middle of a chunk where a batch fails, and has a piece of its last line in hand."""
    lost = []
    for padding in range(0, 300, 30):
        path = write(tmp_path, 2 * BATCH, padding=padding)
        memory = Memory(1)
        reader = Reader(path)
        shipment = Shipment(reader, memory)
        with suppress(DeliveryError):
            shipment.step(1.0)
        shipment.finish(1.0, 5_000)
        reader.close()
        if [name.strip() for name in memory.names] != names(range(1, 2 * BATCH + 1)):
            lost.append(padding)
    assert lost == []


def test_how_far_it_got_is_saved_after_every_accepted_batch(tmp_path: Path) -> None:
    path = write(tmp_path, 2 * BATCH)
    memory = Memory(2)
    outcome = deliver(path, memory)
    state = progress.load_progress(path)
    whole = path.read_bytes()
    assert (outcome.delivered, outcome.problem, outcome.done) == (BATCH, "down", False)
    assert (state.delivered, state.problem) == (BATCH, "down")
    assert whole[: state.offset].count(b"\n") == BATCH
    assert whole[state.offset - 1 : state.offset] == b"\n"
    assert reader.count_waiting(path) == BATCH


def test_a_crash_between_acceptance_and_saving_delivers_one_batch_again_with_the_same_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, BATCH + 5)
    memory = Memory(2)
    with monkeypatch.context() as patch:
        patch.setattr(shipment, "save_progress", lambda path, state: None)
        deliver(path, memory)
    deliver(path, memory)
    assert len(memory.spans) == 2 * BATCH + 5
    assert len({span.span_id for span in memory.spans}) == BATCH + 5


def test_a_state_that_is_ahead_of_the_journal_delivers_nothing_twice_and_ends(tmp_path: Path) -> None:
    path = write(tmp_path, 3)
    progress.save_progress(path, Progress(10**9, 3))
    memory = Memory()
    assert deliver(path, memory).done
    assert memory.spans == []


@pytest.mark.parametrize("error", [lambda: DeliveryError("down", refused=True), lambda: SetupError("no package")])
def test_any_refusal_leaves_the_journal_for_later(tmp_path: Path, error: Callable[[], Exception]) -> None:
    path = write(tmp_path, 3)
    memory = Memory(1, error=error)
    outcome = deliver(path, memory)
    assert (outcome.done, outcome.delivered, outcome.problem) == (False, 0, str(error()))
    assert deliver(path, memory).done
    assert memory.names == names([1, 2, 3])


def test_torn_lines_are_counted_and_cost_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, 4)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0][:30], b"garbage", *lines[1:]]) + b"\n")
    memory = Memory()
    assert deliver(path, memory) == Outcome(delivered=3, torn=2, done=True)
    assert memory.names == names([2, 3, 4])


def test_a_torn_last_line_of_a_dead_writer_is_counted(tmp_path: Path) -> None:
    """A kill in the middle of a write leaves it there: the likeliest place of all."""
    path = write(tmp_path, 3, reason=None)
    path.write_bytes(path.read_bytes()[:-30])
    memory = Memory()
    assert deliver(path, memory) == Outcome(delivered=2, torn=1, done=True)


def test_what_the_writer_could_not_write_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "1.journal"
    path.write_text(encode({"type": "end", "reason": "", "dropped": 7}) + "\n", encoding="ascii")
    assert deliver(path, Memory()) == Outcome(dropped=7, done=True)


@pytest.mark.parametrize(
    ("reason", "result", "code", "said"),
    [
        (None, "error", "ERROR", "SIGKILL or a crash"),
        ("", "error", "ERROR", "never ended"),
        ("SIGTERM", "cancellation", "UNSET", "SIGTERM"),
        ("SIGINT", "cancellation", "UNSET", "SIGINT"),
        ("SIGHUP", "cancellation", "UNSET", "SIGHUP"),
        ("SIGXCPU", "error", "ERROR", "SIGXCPU"),
    ],
)
def test_what_was_open_is_closed_by_what_ended_its_writer(
    tmp_path: Path, reason: str | None, result: str, code: str, said: str
) -> None:
    path = write(tmp_path, 1, opened=[1, 2], reason=reason)
    died = path.stat().st_mtime_ns
    memory = Memory()
    assert deliver(path, memory).delivered == 2
    ended, closed = memory.spans
    assert (ended.name, ended.end_ns) == ("span 1", 2_000)
    assert (closed.name, closed.end_ns, closed.start_ns) == ("span 2", died, 1_000)
    assert (closed.attributes["cicd.pipeline.task.run.result"], closed.status_code) == (result, code)
    assert [(event.name, event.time_ns, event.attributes) for event in closed.events] == [
        ("interrupted", died, {"reason": said})
    ]
    assert ("error.type" in closed.attributes) == (code == "ERROR")


def test_a_closed_span_never_ends_before_it_began(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    future = time.time_ns() + 10**15
    opened = span(1, end_ns=0)
    opened.start_ns = future
    writer.open(opened)
    memory = Memory()
    deliver(dead(writer, None), memory)
    assert memory.spans[0].end_ns == future


def test_a_span_whose_open_line_is_torn_is_delivered_once(tmp_path: Path) -> None:
    path = write(tmp_path, 1, opened=[1])
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0][:50], *lines[1:]]) + b"\n")
    memory = Memory()
    deliver(path, memory)
    assert memory.names == ["span 1"]


def test_an_open_line_that_is_damaged_in_its_middle_is_counted_where_nothing_follows(tmp_path: Path) -> None:
    path = write(tmp_path, 1, opened=[1, 2], reason=None)
    path.write_bytes(path.read_bytes().replace(b'"type":"open","trace_id":"', b'"type":"open",trace_id":"'))
    memory = Memory()
    outcome = deliver(path, memory)
    assert (memory.names, outcome.torn, outcome.done) == (["span 1"], 1, True)


def test_a_span_whose_end_is_torn_is_closed(tmp_path: Path) -> None:
    path = write(tmp_path, 1, opened=[1], reason=None)
    path.write_bytes(path.read_bytes()[:-20])
    memory = Memory()
    deliver(path, memory)
    assert [span.events[0].name for span in memory.spans] == ["interrupted"]


def test_open_lines_that_were_passed_before_a_failure_are_still_known_after_it(tmp_path: Path) -> None:
    path = write(tmp_path, BATCH + 1, opened=[9_999], reason=None)
    memory = Memory(2)
    deliver(path, memory)
    deliver(path, memory)
    assert memory.names[-1] == "span 9999"
    assert memory.names.count("span 9999") == 1


def test_spans_closed_in_a_batch_that_failed_come_again_closed(tmp_path: Path) -> None:
    path = write(tmp_path, 0, opened=[1], reason="SIGTERM")
    memory = Memory(1)
    assert not deliver(path, memory).done
    assert deliver(path, memory).done
    assert [len(span.events) for span in memory.spans] == [1]


def test_one_line_that_the_destination_cannot_take_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """What a broken writer or disk left is skipped when it is read; ship_one raises nothing."""
    from pipeline_trace.delivery.destinations.store import Store

    path = write(tmp_path, 2)
    bad: list[dict[str, Any]] = [{"resource": None}, {"end_unix_nano": 2**63}, {"resource": []}]
    lines = [encode({"type": "span", **span(number).to_dict(), **change}).encode() for number, change in enumerate(bad, 10)]
    path.write_bytes(b"\n".join([*lines, path.read_bytes()]))
    store = Store(tmp_path / "traces.db")
    outcome = ship.ship_one(path, store)
    found = sorted(span.name for span in store.trace(TRACE))
    store.close()
    assert (found, outcome.done, outcome.torn) == (["span 1", "span 2"], True, 3)


def test_journals_are_delivered_oldest_first_until_the_destination_is_gone(tmp_path: Path) -> None:
    paths = [write(tmp_path, 1) for _ in range(3)]
    memory = Memory(2, error=lambda: DeliveryError("down", refused=True))
    outcomes = ship.ship_all(tmp_path, memory)
    assert [outcome.done for outcome in outcomes] == [True, False]
    assert [path.exists() for path in paths] == [False, True, True]
    assert all(outcome.done for outcome in ship.ship_all(tmp_path, memory))


def test_a_journal_that_fails_alone_holds_up_no_other(tmp_path: Path) -> None:
    paths = [write(tmp_path, 1) for _ in range(3)]
    memory = Memory(1, error=lambda: DeliveryError("no", wait=60.0))
    outcomes = ship.ship_all(tmp_path, memory)
    assert [(outcome.done, outcome.blocked) for outcome in outcomes] == [(False, False), (True, False), (True, False)]
    assert [path.exists() for path in paths] == [True, False, False]
    # The receiver asked for a minute; a person does not wait for it.
    assert ship.ship_all(tmp_path, memory) == []
    assert [outcome.done for outcome in ship.ship_all(tmp_path, memory, all_now=True)] == [True]


def test_a_journal_that_is_gone_is_no_problem(tmp_path: Path) -> None:
    assert ship.ship_one(tmp_path / "1.journal", Memory()) == Outcome()


def test_a_journal_that_is_being_written_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In this process its own lock would not be seen; tests/delivery/test_journal.py has two processes.
    path = write(tmp_path, 1, opened=[2], reason=None)
    monkeypatch.setattr(Reader, "written", lambda self: True)
    memory = Memory()
    assert ship.ship_one(path, memory) == Outcome()
    assert path.exists()
    assert memory.calls == 0


class _Follower:
    """ship.follow on a journal whose writer the test plays: no lock of a process is needed."""

    def __init__(self, folder: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch, flush_limit: float = 2.0) -> None:
        self.alive = True
        self.flush_limit = flush_limit
        monkeypatch.setattr(ship, "_BATCH_SECONDS", 0.01)
        monkeypatch.setattr(ship, "_TICK", 0.002)
        monkeypatch.setattr(Reader, "written", lambda reader: self.alive)
        self.path = folder / "1.journal"
        self.path.touch()
        self.outcomes: list[Outcome] = []
        # Which spans were open at each look, by number.
        self.looked: list[list[int]] = []
        self._thread = threading.Thread(target=self._follow, args=(memory,))
        self._thread.start()

    def _follow(self, memory: Memory) -> None:
        self.outcomes.append(ship.follow(self.path, memory, self.flush_limit, time.sleep, self._look))

    def _look(self, opened: Mapping[str, reader.Opened]) -> None:
        self.looked.append([int(span_id, 16) for span_id in opened])

    def write(self, kind: str, number: int) -> None:
        with self.path.open("a", encoding="ascii") as file:
            file.write(encode({"type": kind, **span(number).to_dict()}) + "\n")

    def end(self, reason: str | None = "") -> Outcome:
        if reason is not None:
            with self.path.open("a", encoding="ascii") as file:
                file.write(encode({"type": "end", "reason": reason, "dropped": 0}) + "\n")
        self.alive = False
        self._thread.join(10)
        return self.outcomes[0]


def test_following_delivers_while_it_is_written_and_closes_nothing_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory()
    follower = _Follower(tmp_path, memory, monkeypatch)
    follower.write("open", 1)
    follower.write("span", 2)
    assert memory.delivered.wait(5)
    assert memory.names == ["span 2"]
    assert follower.end("SIGTERM").done
    assert memory.names == ["span 2", "span 1"]
    assert memory.spans[1].attributes["cicd.pipeline.task.run.result"] == "cancellation"
    assert not follower.path.exists()


def test_following_survives_a_receiver_that_fails_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(1, 2, 3)
    follower = _Follower(tmp_path, memory, monkeypatch)
    follower.write("span", 1)
    assert memory.delivered.wait(5)
    follower.write("span", 2)
    assert follower.end().done
    assert memory.names == names([1, 2])


def test_following_gives_up_at_once_where_the_receiver_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(*range(1, 1000), error=lambda: DeliveryError("nobody listens", refused=True))
    follower = _Follower(tmp_path, memory, monkeypatch)
    follower.write("span", 1)
    outcome = follower.end()
    assert (outcome.done, outcome.problem) == (False, "nobody listens")
    assert progress.load_progress(follower.path).problem == "nobody listens"
    assert reader.count_waiting(follower.path) == 1


def test_following_sends_no_more_while_something_else_than_a_receiver_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(*range(1, 1000), error=lambda: DeliveryError("a page", foreign=True))
    monkeypatch.setattr(ship, "_SLOWEST_RETRY", 0.01)
    follower = _Follower(tmp_path, memory, monkeypatch)
    follower.write("span", 1)
    processes.wait_for(lambda: memory.calls == 3, "three answers")
    outcome = follower.end()
    assert (outcome.done, memory.calls) == (False, 3)
    # Its writer looks whether the journal is still there. So it is `ship` that sets it aside.
    assert follower.path.exists()
    assert [outcome.aside for outcome in ship.ship_all(tmp_path, memory)] == [True]
    assert (memory.calls, follower.path.exists()) == (3, False)
    assert (tmp_path / "aside" / follower.path.name).exists()


def test_following_shows_what_is_open_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    follower = _Follower(tmp_path, memory, monkeypatch)
    follower.write("open", 1)
    follower.write("open", 2)
    processes.wait_for(lambda: follower.looked[-1:] == [[1, 2]], "look at both")
    # Spans come first: what is shown is what is not delivered.
    follower.write("span", 2)
    processes.wait_for(lambda: follower.looked[-1:] == [[1]], "look at one")
    assert memory.names == ["span 2"]
    assert follower.end("").done
    # What is closed at the end of a writer is no longer open.
    assert follower.looked[-1] == [1]


def test_following_shows_nothing_while_spans_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(*range(1, 6))
    monkeypatch.setattr(ship, "_SLOWEST_RETRY", 0.01)
    follower = _Follower(tmp_path, memory, monkeypatch)
    processes.wait_for(lambda: follower.looked, "first look")
    follower.write("open", 1)
    follower.write("span", 2)
    assert memory.delivered.wait(5)
    processes.wait_for(lambda: [1] in follower.looked, "look")
    assert memory.calls == 6
    # Not before the sixth try: what is known of the journal may be old.
    assert [] in follower.looked
    assert follower.end().done


def test_following_survives_whatever_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(1, 2, error=lambda: MemoryError("much"))
    monkeypatch.setattr(ship, "_SLOWEST_RETRY", 0.01)
    follower = _Follower(tmp_path, memory, monkeypatch)
    follower.write("span", 1)
    assert memory.delivered.wait(5)
    assert follower.end().done


def test_a_passing_refusal_at_the_end_is_tried_again_within_the_limit(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    memory = Memory(1, 2, error=lambda: DeliveryError("busy", passing=True))
    assert ship.follow(path, memory, 5.0, time.sleep).done
    path = write(tmp_path, 1)
    memory = Memory(1, error=lambda: DeliveryError("busy", passing=True, wait=60.0))
    outcome = ship.follow(path, memory, 5.0, time.sleep)
    assert (outcome.done, memory.calls) == (False, 1)
    assert progress.load_progress(path).next_try > time.time() + 50


def test_a_receiver_that_asks_to_wait_is_not_asked_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(1, error=lambda: DeliveryError("busy", passing=True, wait=3600.0))
    follower = _Follower(tmp_path, memory, monkeypatch)
    follower.write("span", 1)
    processes.wait_for(lambda: memory.calls == 1, "first delivery")
    outcome = follower.end()
    assert (outcome.done, outcome.problem, memory.calls) == (False, "busy", 1)
    assert progress.load_progress(follower.path).next_try > time.time() + 3500


@pytest.mark.parametrize("flush_limit", [0.0, 0.25])
def test_the_flush_limit_does_not_bound_deliveries_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_limit: float
) -> None:
    given: list[float] = []

    class Noting(Memory):
        def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
            given.append(timeout)
            return super().deliver(spans, timeout)

    memory = Noting()
    follower = _Follower(tmp_path, memory, monkeypatch, flush_limit)
    follower.write("span", 1)
    assert memory.delivered.wait(5)
    follower.write("span", 2)
    assert follower.end().done
    assert given[0] == 60.0
    assert given[-1] <= 60.0


def test_more_open_spans_than_a_batch_has_are_closed_in_batches(tmp_path: Path) -> None:
    path = write(tmp_path, 1, opened=range(10_000, 10_000 + 2 * BATCH), reason="SIGTERM")
    memory = Memory()
    assert deliver(path, memory).delivered == 2 * BATCH + 1
    assert max(map(len, memory.batches)) <= BATCH


def test_what_was_lost_in_the_background_is_told_once_by_ship(tmp_path: Path) -> None:
    path = write(tmp_path, 2)
    path.write_bytes(b"garbage\n" + path.read_bytes())

    class Rejecting(Memory):
        def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
            return Accepted(1, "no such tenant")

    assert ship.ship_one(path, Rejecting()).done
    state = path.with_suffix(".state")
    # The process that waits for this delivery may be about to read it.
    assert losses.untold(tmp_path, take=True).said() == ""
    os.utime(state, (1, 1))
    told = "1 incomplete lines skipped; 1 rejected by the receiver (no such tenant)"
    assert losses.untold(tmp_path, take=False).said() == told
    assert losses.untold(tmp_path, take=True).said() == told
    assert losses.untold(tmp_path, take=True).said() == ""
    assert list(tmp_path.iterdir()) == []


def test_the_state_of_an_older_version_is_read_and_an_older_version_reads_ours(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    old = {"offset": 7, "delivered": 1, "problem": "p", "rejected": 2, "reason": "r"}
    path.with_suffix(".state").write_text(encode(old))
    assert progress.load_progress(path) == Progress(7, 1, "p", 2, "r")
    progress.save_progress(path, Progress(7, 1, "p", 2, "r", torn=1, tries=2, foreign=1, next_try=5.5))
    assert old.items() <= json.loads(path.with_suffix(".state").read_text()).items()
    assert progress.load_progress(path).next_try == 5.5


def test_a_fifo_instead_of_a_state_file_blocks_nobody(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    os.mkfifo(path.with_suffix(".state"))
    os.mkfifo(tmp_path / "2.state")
    assert deliver(path, Memory()).done
    os.utime(tmp_path / "2.state", (1, 1))
    assert losses.untold(tmp_path, take=False).said() == ""


def test_the_time_for_a_delivery_is_cut_to_what_is_left_of_the_flush_limit(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    given: list[float] = []

    class Slow(Memory):
        def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
            given.append(timeout)
            return Accepted()

    assert ship.follow(path, Slow(), 1.5, time.sleep).done
    assert 0 < given[0] <= 1.5


HOLDING = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
for byte in sys.argv[2:]:
    fcntl.lockf(file, fcntl.LOCK_EX, 1, int(byte))
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def holding(path: Path, *locks: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a journal's locks until its standard input is closed."""
    command = [sys.executable, "-c", HOLDING, str(path), *map(str, locks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        yield other


@pytest.mark.process
def test_shipping_waits_for_what_another_process_is_delivering(tmp_path: Path) -> None:
    memory = Memory()
    with holding(write(tmp_path, 2), 1) as other:
        assert other.stdin
        threading.Timer(0.3, other.stdin.close).start()
        outcomes = ship.ship_all_patiently(tmp_path, memory, 30.0)
    # The other one gave up.
    assert memory.names == names([1, 2])
    assert sum(outcome.delivered for outcome in outcomes) == 2


@pytest.mark.process
def test_shipping_does_not_wait_for_what_is_being_written(tmp_path: Path) -> None:
    with holding(write(tmp_path, 1), 0, 1) as other:
        assert other.stdin
        memory = Memory()
        ship.ship_all_patiently(tmp_path, memory, float("inf"))
        assert memory.names == []
        other.stdin.close()
