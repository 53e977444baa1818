"""`ship --store` is killed at any point, or interrupted: it goes on where it was, and no span is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import support
from support import processes
from support.otlp_receiver import Fault, Receiver

from pipeline_trace.delivery.moved import load_moved, moved_path
from pipeline_trace.trace.span import Span

pytestmark = pytest.mark.process

Env = dict[str, str]
NOW = 1_800_000_000_000_000_000
PIECE, TRACES, EACH = 40, 11, 10

# Ends itself without any word, before or after the n-th call of a function. Pieces and batches are small.
_KILLED = f"""
import os, signal, sys
from pipeline_trace import commands
from pipeline_trace.delivery import journal, moving, pieces, reader, shipment
from pipeline_trace.delivery.destinations import otlp
pieces.SPANS, shipment.BATCH = {PIECE}, 16
when, name, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
places = {{"span": journal.Writer, "sync": journal.Writer, "end": journal.Writer, "save_moved": moving,
    "deliver": otlp.Otlp, "save_progress": shipment, "delete": reader.Reader}}
real = getattr(places[name], name)
def killing(*args, **more):
    global calls
    calls -= 1
    if when == "before" and not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(*args, **more)
    if when == "after" and not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
setattr(places[name], name, killing)
sys.argv[:] = ["pipeline-trace", "ship", "--store"]
commands.main()
"""
# In the second piece.
POINTS = [
    ("after", "span", PIECE + 5),
    ("before", "sync", 2),
    ("after", "sync", 2),
    # Once when a piece's journal is there, and once when it is delivered.
    ("before", "save_moved", 3),
    ("after", "save_moved", 3),
    ("after", "end", 2),
    ("before", "deliver", 5),
    ("after", "deliver", 5),
    ("after", "save_progress", 5),
    ("before", "delete", 2),
    ("after", "delete", 2),
    ("before", "save_moved", 4),
    ("after", "save_moved", 4),
    # At the end of all.
    ("before", "save_moved", 7),
]


@pytest.fixture
def stored(env: Env) -> list[Span]:
    """What is in the store of ``env``."""
    found = [
        Span(f"{trace:08x}{'7' * 24}", f"{number:016x}", None, "a", NOW, NOW + number)
        for trace in range(TRACES)
        for number in range(1, EACH + 1)
    ]
    support.store_spans(env, found)
    return found


def killed(env: Env, when: str, name: str, calls: int) -> None:
    done = support.run(sys.executable, "-c", _KILLED, when, name, calls, env=env)
    assert done.returncode == -signal.SIGKILL, done.stderr


def start(env: Env) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", _KILLED, "never", "span", "1"]
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def assert_rest_arrives(env: Env, receiver: Receiver, stored: list[Span], *, twice: int) -> None:
    """Run it to its end. ``twice``: how many spans may have come again."""
    done = support.trace("ship", "--store", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert support.journals(env) == []
    found = [(span["trace_id"], span["span_id"]) for span in receiver.spans()]
    assert set(found) == {(span.trace_id, span.span_id) for span in stored}
    assert len(found) - len(stored) <= twice
    assert "nothing is new" in support.trace("ship", "--store", env=env).stdout
    assert len(receiver.spans()) == len(found)


@pytest.mark.parametrize("point", POINTS, ids=[" ".join(map(str, point)) for point in POINTS])
def test_killed_at_a_point_it_goes_on_and_one_piece_at_most_comes_twice(
    env: Env, stored: list[Span], point: tuple[str, str, int]
) -> None:
    with Receiver() as receiver:
        env |= receiver.environ()
        killed(env, *point)
        assert len(support.journals(env)) <= 1
        assert_rest_arrives(env, receiver, stored, twice=PIECE)


@pytest.mark.parametrize(
    "point", [("after", "span", 30), ("after", "sync", 1), ("before", "delete", 1), ("after", "delete", 1)]
)
def test_killed_there_again_and_again_it_leaves_no_heap_of_journals(
    env: Env, stored: list[Span], point: tuple[str, str, int]
) -> None:
    with Receiver() as receiver:
        env |= receiver.environ()
        for _ in range(4):
            killed(env, *point)
            assert len(support.journals(env)) <= 2
        assert_rest_arrives(env, receiver, stored, twice=4 * PIECE)


def test_killed_while_the_receiver_is_down_it_leaves_no_heap_of_journals(env: Env, stored: list[Span]) -> None:
    with Receiver() as receiver:
        down = {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
        killed(down, "after", "sync", 1)
        for _ in range(3):
            assert support.trace("ship", "--store", env=down).returncode == 1
            assert len(support.journals(env)) == 1
        assert_rest_arrives({**env, **receiver.environ()}, receiver, stored, twice=PIECE)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=str)
def test_ended_from_outside_again_and_again_it_goes_on(env: Env, stored: list[Span], number: signal.Signals) -> None:
    """The last of them is Ctrl-C, with the status of what was interrupted."""
    ends = 0
    with Receiver() as receiver:
        env |= receiver.environ()
        while not (known := load_moved(moved_path(Path(env["PIPELINE_TRACE_HOME"])))) or not known.done_s:
            asked = len(receiver.asked)

            def is_held(_spans: object = None, first: int = asked) -> bool:
                """Tell whether two batches are answered, and another one is not."""
                return len(receiver.asked) > first + 2

            receiver.fault = Fault("never", where=is_held)
            with start(env) as process:
                processes.wait_for(lambda held=is_held, p=process: held() or p.poll() == 0, "batches")
                process.send_signal(number)
                _said, complained = process.communicate(timeout=60)
            if process.returncode:
                ends += 1
                assert process.returncode == (130 if number == signal.SIGINT else -number)
                assert complained.strip() == b""
        assert ends > 1
        receiver.fault = None
        assert_rest_arrives(env, receiver, stored, twice=ends * PIECE)
