"""`ship --store`: all that the local store holds arrives at a receiver as it was sent, once, and what is new later."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import support
from support import others
from support.months import Months
from support.otlp_receiver import Fault, Protocol, Receiver, free_port

from pipeline_trace.delivery import listening, moving, pieces
from pipeline_trace.delivery.destinations.otlp import Otlp
from pipeline_trace.delivery.destinations.tables import STEPS
from pipeline_trace.delivery.home import Home
from pipeline_trace.delivery.migrations import upgrade
from pipeline_trace.delivery.moved import load_moved, moved_path
from pipeline_trace.delivery.pruning import remove_piece
from pipeline_trace.serve.index import Index, save
from pipeline_trace.trace.span import Span, encode

Env = dict[str, str]
Ids = set[tuple[str, str]]
NOW = 1_800_000_000_000_000_000
PROTOCOLS: tuple[Protocol, ...] = ("http", "grpc")
KEPT = support.TESTS / "kept" / "0.1.0"


def spans(traces: Sequence[int], count: int = 10, **more: Any) -> list[Span]:
    """Return spans of traces, whose ids are in the order of their numbers."""
    return [
        Span(f"{trace:08x}{'7' * 24}", f"{number:016x}", None, f"span {number}", NOW, NOW + number, **more)
        for trace in traces
        for number in range(1, count + 1)
    ]


def ids(found: Sequence[Span | dict[str, Any]]) -> Ids:
    documents = (one.to_dict() if isinstance(one, Span) else one for one in found)
    return {(one["trace_id"], one["span_id"]) for one in documents}


def home(env: Env) -> Path:
    return Path(env["PIPELINE_TRACE_HOME"])


def ship(env: Env, receiver: Receiver | None = None, protocol: Protocol = "http") -> support.Completed:
    return support.trace("ship", "--store", env={**env, **(receiver.environ(protocol) if receiver else {})})


def is_done(done: support.Completed) -> bool:
    return (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 40 spans, and no pause before the next try."""
    monkeypatch.setattr(pieces, "SPANS", 40)
    monkeypatch.setattr(moving, "_PAUSE", 0.01)


# What arrives


def sent_directly(some: Sequence[Span], monkeypatch: pytest.MonkeyPatch, protocol: Protocol) -> dict[Any, Any]:
    """Return what arrives of spans that are delivered as those of a playbook are."""
    with Receiver() as receiver, monkeypatch.context() as patch:
        for name, value in receiver.environ(protocol).items():
            patch.setenv(name, value)
        with closing(Otlp(os.environ)) as destination:
            destination.deliver(some, 30.0)
        return {(one["trace_id"], one["span_id"]): one for one in receiver.spans()}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_spans_arrive_as_they_were_sent_those_of_other_tools_too(
    env: Env, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    sent = [*Months(7, NOW).spans(), *others.failed_tests(), *others.gitlab_pipeline(), *others.action_run()]
    support.store_spans(env, sent)
    before = support.stored(env)
    with Receiver() as receiver:
        done = ship(env, receiver, protocol)
        found = {(one["trace_id"], one["span_id"]): one for one in receiver.spans()}
        assert len(receiver.spans()) == len(found) == len(sent)
    assert is_done(done)
    assert found == sent_directly(sent, monkeypatch, protocol)
    # Nothing that is only understood of them when they are read.
    assert {"jenkins.type", "pipeline_trace.type"}.isdisjoint(found[ids(others.failed_tests()).pop()]["attributes"])
    assert support.stored(env) == before
    assert support.journals(env) == []


def test_it_says_how_much_went_where_and_what_to_do_next(env: Env) -> None:
    support.store_spans(env, spans(range(3)))
    with Receiver() as receiver:
        said = ship(env, receiver).stdout
    number = re.fullmatch(
        rf"30 spans of 3 traces sent to {receiver.http_url} in [\d.]+ m?s: all that the local store {home(env)}/traces.db "
        r"holds; read them with --from; old traces go from the local store with: pipeline-trace prune\n",
        said,
    )
    assert number, said


def kept(name: str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes((KEPT / name / "traces.db").read_bytes())


def of_version_5(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        upgrade(database, {number: STEPS[number] for number in (4, 5)}, "old")
        for span in spans(range(5)):
            row = (span.trace_id, span.span_id, None, span.end_ns, "app", "1", encode(span.to_dict()))
            database.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?)", row)


@pytest.mark.parametrize("make", [kept("store"), kept("store-2"), of_version_5], ids=["4", "2", "5"])
def test_the_stores_of_older_versions_are_sent(env: Env, small: None, make: Callable[[Path], None]) -> None:
    home(env).mkdir()
    path = home(env) / "traces.db"
    make(path)
    with Receiver() as receiver:
        assert is_done(ship(env, receiver))
        found = sorted(receiver.spans(), key=lambda one: (one["trace_id"], one["span_id"]))
        expected = sorted(support.stored(env), key=lambda one: (one["trace_id"], one["span_id"]))
        assert len(found) == len(expected) > 40
        for one, other in zip(found, expected, strict=True):
            assert one == other
        assert "nothing is new" in ship(env, receiver).stdout


def test_a_piece_has_a_bounded_number_of_spans_or_bytes_and_one_journal_is_on_the_disk(
    env: Env, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "BYTES", 100_000)
    large = spans(range(50, 53), 20, attributes={"text": "x" * 10_000})
    support.store_spans(env, [*spans(range(10)), *large])
    seen: list[tuple[int, int]] = []

    def look(_spans: object) -> bool:
        (journal,) = support.journals(env)
        seen.append((journal.read_bytes().count(b'"type":"span"'), journal.stat().st_size))
        return False

    with Receiver(fault=Fault("status", where=look)) as receiver:
        assert is_done(ship(env, receiver))
        assert ids(receiver.spans()) == ids([*spans(range(10)), *large])
    assert {count for count, size in seen if size < 100_000} == {40}
    assert max(size for _count, size in seen) < 120_000


# What is new


def test_a_second_time_only_what_arrived_since_is_sent(env: Env, small: None) -> None:
    support.store_spans(env, spans(range(10, 20)))
    with Receiver() as receiver:
        assert is_done(ship(env, receiver))
        again = ship(env, receiver)
        assert is_done(again)
        assert re.match(
            rf"all that the local store \S+ holds was sent to {receiver.http_url} before, last at 20\S+ \S+ \S+; nothing is "
            "new since then; read",
            again.stdout,
        )
        assert len(receiver.spans()) == 100
        # A new trace before all others, and a span more of an old one, whose others may come again.
        support.store_spans(env, [*spans([1], 3), *spans([15], 11)[10:]])
        said = ship(env, receiver).stdout
        assert said.startswith("14 spans of 2 traces sent")
        assert "holds and did not hold the last time" in said
        new = receiver.spans()[100:]
        assert ids(new) == ids([*spans([1], 3), *spans([15], 11)])
        assert "nothing is new" in ship(env, receiver).stdout
        assert len(receiver.spans()) == 114


def test_what_is_in_the_list_of_serve_is_new_by_its_arrival_too(env: Env) -> None:
    path = home(env) / "traces.db"
    support.store_spans(env, spans(range(3)))
    index = Index(path)
    index.prepare()

    def listed() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            save(database, index.backlog().changes(60))
            assert database.execute("SELECT count(*) FROM changed_traces").fetchone() == (0,)

    listed()
    with Receiver() as receiver:
        assert is_done(ship(env, receiver))
        support.store_spans(env, spans([7]))
        listed()
        assert ship(env, receiver).stdout.startswith("10 spans of 1 traces sent")
        assert "nothing is new" in ship(env, receiver).stdout
        assert ids(receiver.spans()) == ids([*spans(range(3)), *spans([7])])


@pytest.mark.parametrize("back_s", [0, 100])
def test_what_arrives_at_once_or_with_a_clock_that_is_set_back_is_new(
    env: Env, monkeypatch: pytest.MonkeyPatch, back_s: int
) -> None:
    now = time.time()
    support.store_spans(env, spans([1]))
    with Receiver() as receiver:
        assert is_done(ship(env, receiver))
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now - back_s)
            support.store_spans(env, spans([2]))
        assert ship(env, receiver).stdout.startswith("10 spans of 1 traces sent")
        assert ids(receiver.spans()) == ids(spans([1, 2]))


def test_of_more_traces_than_are_remembered_the_oldest_are_still_not_sent_again(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_MOST_COUNTED", 4)
    support.store_spans(env, spans(range(10)))
    with closing(sqlite3.connect(home(env) / "traces.db")) as database, database:
        for trace in range(10):
            ago = 60 if trace < 7 else 30
            of = f"{trace:08x}{'7' * 24}"
            database.execute("UPDATE changed_traces SET arrived_s = ? WHERE trace_id = ?", (int(time.time()) - ago, of))
    with Receiver() as receiver:
        assert is_done(ship(env, receiver))
        known = load_moved(moved_path(home(env)))
        assert known
        assert len(known.began.counts) == 3
        assert "nothing is new" in ship(env, receiver).stdout


@pytest.mark.parametrize("what", ["receiver", "store", "broken", "fifo"])
def test_another_receiver_or_store_or_a_state_that_cannot_be_read_begins_anew(env: Env, what: str) -> None:
    support.store_spans(env, spans(range(3)))
    path, state = home(env) / "traces.db", moved_path(home(env))
    with Receiver() as first, Receiver() as second:
        assert is_done(ship(env, first))
        if what == "store":
            shutil.copyfile(path, path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)
        elif what == "broken":
            state.write_text('{"destination": []')
        elif what == "fifo":
            state.unlink()
            os.mkfifo(state)
        receiver = second if what == "receiver" else first
        before = len(receiver.spans())
        assert ship(env, receiver).stdout.startswith("30 spans of 3 traces sent")
        assert ids(receiver.spans()[before:]) == ids(spans(range(3)))
        assert "nothing is new" in ship(env, receiver).stdout


# Others at the same time


def test_others_write_and_prune_meanwhile(env: Env, small: None) -> None:
    """Before and behind the place that it has reached."""
    support.store_spans(env, spans(range(100, 130)))
    arrived = iter([[5], [120], [200]])

    def meanwhile(_spans: object) -> bool:
        traces = next(arrived, [])
        support.store_spans(env, spans(traces, 11))
        with closing(sqlite3.connect(home(env) / "traces.db", isolation_level=None)) as database:
            gone = f"{129:08x}{'7' * 24}"
            database.execute("UPDATE changed_traces SET arrived_s = 1 WHERE trace_id = ?", (gone,))
            remove_piece(database, 2.0)
        return False

    with Receiver(fault=Fault("status", where=meanwhile)) as receiver:
        assert is_done(ship(env, receiver))
        receiver.fault = None
        assert is_done(ship(env, receiver))
        assert ids(receiver.spans()) == ids(support.stored(env))
        assert ids(support.stored(env)) == ids([*spans(range(100, 129)), *spans([5, 120, 200], 11)])


@pytest.mark.process
def test_two_at_once_do_not_both_do_it(env: Env) -> None:
    support.store_spans(env, spans(range(3)))
    with Receiver(fault=Fault("never")) as receiver:
        words = [support.BIN / "pipeline-trace", "ship", "--store"]
        with subprocess.Popen(words, env={**env, **receiver.environ()}, stdout=subprocess.PIPE) as first:
            receiver.wait_until_asked()
            second = support.spawn("ship", "--store", env={**env, **receiver.environ()})
            assert (second.returncode, second.stdout) == (1, "")
            assert re.fullmatch(r"pipeline-trace: another process is sending this store; .*\n", second.stderr)
            receiver.fault = None
            first.communicate(timeout=60)
        assert ids(receiver.spans()) == ids(spans(range(3)))


def test_a_piece_that_another_process_delivered_elsewhere_is_sent_all_the_same(env: Env, small: None) -> None:
    """Such as a poller without a receiver, which delivers whatever waits into this very store."""
    support.store_spans(env, spans(range(10)))
    port = free_port()
    sending = {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
    assert support.trace("ship", "--store", env=sending).returncode == 1
    assert support.trace("ship", env=env).stdout.startswith("40 spans delivered to the local store")
    with Receiver(http_port=port) as receiver:
        assert is_done(support.trace("ship", "--store", env=sending))
        assert ids(receiver.spans()) == ids(spans(range(10)))


# What is in the way


def test_without_a_receiver_one_line_says_what_to_set(env: Env) -> None:
    support.store_spans(env, spans([1]))
    done = ship(env)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"pipeline-trace: there is no receiver to send .*; set OTEL_EXPORTER_OTLP_ENDPOINT, for example .*\n", done.stderr
    )
    assert not moved_path(home(env)).exists()


def test_the_serve_of_this_very_store_is_no_receiver_for_it(env: Env) -> None:
    """It would take all of it, and keep nothing that was not there: somebody may remove the store after that."""
    support.store_spans(env, spans([1]))
    with Receiver() as receiver:
        listening.note(Home(home(env)), receiver.http_url, receiver.grpc_url.partition("://")[2])
        for protocol in PROTOCOLS:
            done = ship(env, receiver, protocol)
            assert (done.returncode, done.stdout) == (1, "")
            assert re.fullmatch(
                r"pipeline-trace: the receiver .* is `serve` with this very store; set it to .*\n", done.stderr
            )
        assert receiver.spans() == []
        # Not where it is another one.
        with Receiver() as other:
            assert is_done(ship(env, other))


def test_without_a_store_there_is_nothing_to_do_and_none_is_made(env: Env) -> None:
    with Receiver() as receiver:
        done = ship(env, receiver)
    assert (done.returncode, done.stdout) == (0, f"there is no local store {home(env)}/traces.db\n")
    assert not (home(env) / "traces.db").exists()


@pytest.mark.parametrize(("content", "said"), [(b"rubbish " * 1000, "cannot be read"), (b"", "newer pipeline-trace")])
def test_a_damaged_or_newer_store_is_one_line(env: Env, content: bytes, said: str) -> None:
    home(env).mkdir()
    path = home(env) / "traces.db"
    path.write_bytes(content)
    if not content:
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 99")
    with Receiver() as receiver:
        done = ship(env, receiver)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert said in done.stderr
        assert receiver.asked == []


def test_a_receiver_that_is_down_gets_one_piece_later_and_then_the_rest(env: Env, small: None) -> None:
    support.store_spans(env, spans(range(10)))
    port = free_port()
    env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
    for _ in range(3):
        done = ship(env)
        assert done.returncode == 1
        assert done.stdout.startswith("0 spans of 0 traces sent")
        assert "not yet all that the local store" in done.stdout
        (line,) = done.stderr.splitlines()
        waits = f"40 spans wait in {home(env)}/journals, run this command again when it takes them"
        assert re.fullmatch(rf"pipeline-trace: http://127.0.0.1:{port}: .*refused.*; {waits}", line)
        assert len(support.journals(env)) == 1
    with Receiver(http_port=port) as receiver:
        done = ship(env)
        assert is_done(done)
        assert done.stdout.startswith("100 spans of 10 traces sent")
        assert len(receiver.spans()) == 100
        assert ids(receiver.spans()) == ids(spans(range(10)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_receiver_that_fails_for_a_while_gets_all_of_it_in_one_run(env: Env, small: None, protocol: Protocol) -> None:
    support.store_spans(env, spans(range(10)))
    with Receiver(fault=Fault("status", status=503, retry_after=0, times=3)) as receiver:
        assert is_done(ship(env, receiver, protocol))
        assert len(receiver.asked) > 3
        assert len(receiver.spans()) == 100


def test_a_receiver_that_never_takes_more_stops_it_until_the_next_run(
    env: Env, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_PATIENCE", 0.1)
    support.store_spans(env, spans(range(10)))
    last = spans(range(10))[-1].trace_id
    with Receiver(fault=Fault("status", where=lambda got: got[-1]["trace_id"] == last)) as receiver:
        done = ship(env, receiver)
        assert done.returncode == 1
        assert done.stdout.startswith("80 spans of 8 traces sent")
        assert "20 spans wait in" in done.stderr
        receiver.fault = None
        done = ship(env, receiver)
        assert is_done(done)
        assert "100 spans of 10 traces sent" in done.stdout
        assert ", 80 of them by an earlier run: all that" in done.stdout
        assert len(receiver.spans()) == 100


def test_what_the_receiver_refuses_or_rejects_is_told_and_the_rest_arrives(env: Env, small: None) -> None:
    support.store_spans(env, [*spans(range(10)), *spans([50], 1, attributes={"text": "x" * 4_000_000})])
    poison = ("00000004" + "7" * 24, f"{3:016x}")

    def has_poison(got: list[dict[str, Any]]) -> bool:
        return poison in ids(got)

    with Receiver(fault=Fault("status", status=400, where=has_poison)) as receiver:
        done = ship(env, receiver)
        assert is_done(done)
        (refused,) = (home(env) / "journals").glob("*.refused")
        assert f"1 rejected by the receiver (kept in {refused})" in done.stdout
        expected = ids([*spans(range(10)), *spans([50], 1)]) - {poison}
        assert ids(receiver.spans()) == expected
        assert done.stdout.startswith("100 spans of 11 traces sent")
        (cut,) = [one for one in receiver.spans() if one["trace_id"].startswith("00000032")]
        assert cut["attributes"]["pipeline_trace.left_out.characters"] > 3_000_000
        assert "nothing is new" in ship(env, receiver).stdout


def test_a_login_page_that_answers_sets_one_piece_aside_and_says_how_to_send_it(env: Env, small: None) -> None:
    support.store_spans(env, spans(range(10)))
    with Receiver(fault=Fault("answer", status=200)) as receiver:
        for _ in range(3):
            done = ship(env, receiver)
            assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert "1 journals are set aside" in done.stderr
        assert support.journals(env) == []
        receiver.fault = None
        done = ship(env, receiver)
        assert (done.returncode, "1 journals are set aside" in done.stderr) == (1, True)
        for one in (home(env) / "journals" / "aside").iterdir():
            one.rename(home(env) / "journals" / one.name)
        assert is_done(support.trace("ship", env={**env, **receiver.environ()}))
        assert ids(receiver.spans()) == ids(spans(range(10)))


def test_rows_that_cannot_be_read_are_counted_and_stop_no_other(env: Env, small: None) -> None:
    support.store_spans(env, spans(range(10)))
    with closing(sqlite3.connect(home(env) / "traces.db")) as database, database:
        database.execute("UPDATE spans SET body = 'rubbish' WHERE span_id = ?", (f"{4:016x}",))
    with Receiver() as receiver:
        done = ship(env, receiver)
        assert is_done(done)
        assert "; 10 rows of it cannot be read; " in done.stdout
        assert len(receiver.spans()) == 90


_ON_A_FULL_DISK = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.process
@pytest.mark.parametrize("limit", [0, 100, 4_500, 40_000])
def test_a_full_disk_is_one_line_and_costs_no_span(env: Env, limit: int) -> None:
    """No room for the journal's reserve, the first span, the state, or all of the piece."""
    support.store_spans(env, spans(range(100)))
    with Receiver() as receiver:
        sending = {**env, **receiver.environ()}
        words = [sys.executable, "-c", _ON_A_FULL_DISK, limit, support.BIN / "pipeline-trace", "ship", "--store"]
        done = support.run(*words, env=sending)
        (line,) = done.stderr.splitlines()
        assert done.returncode == 1
        assert "free some space there" in line, line
        assert support.journals(env) == []
        assert is_done(support.trace("ship", "--store", env=sending))
        assert ids(receiver.spans()) == ids(spans(range(100)))
        assert len(receiver.spans()) == 1000


# The command


def test_help_names_the_option(env: Env) -> None:
    assert "--store" in support.trace("ship", "--help", env=env).stdout


@pytest.mark.process
def test_ship_alone_starts_without_what_only_the_store_needs(env: Env) -> None:
    code = "import sys, pipeline_trace.commands.ship; print([n for n in sys.modules if 'moving' in n or n == 'rich'])"
    assert support.run(sys.executable, "-c", code, env=env).stdout == "[]\n"


@pytest.mark.process
def test_in_a_terminal_a_bar_shows_how_far_it_is(env: Env) -> None:
    support.store_spans(env, spans(range(100)))
    ours, its = os.openpty()
    with Receiver() as receiver:
        words = [support.BIN / "pipeline-trace", "ship", "--store"]
        sending = {**env, **receiver.environ(), "TERM": "xterm"}
        with subprocess.Popen(words, env=sending, stdout=subprocess.PIPE, stderr=its) as process:
            os.close(its)
            shown = b""
            # Linux ends the reading with an error when nobody has the other side open.
            with suppress(OSError):
                while more := os.read(ours, 4096):
                    shown += more
            said, _ = process.communicate(timeout=60)
    os.close(ours)
    assert b"Sending the local store" in shown
    assert said.startswith(b"1,000 spans of 100 traces sent")
