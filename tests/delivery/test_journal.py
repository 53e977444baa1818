"""The journal: what is on disk survives kills, full disks and other versions; locks hold between real processes."""

from __future__ import annotations

import json
import os
import resource
import socket
import stat
import subprocess
import sys
import textwrap
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline_trace.delivery import journal, progress, reader, waiting
from pipeline_trace.delivery.journal import JournalError, Writer
from pipeline_trace.delivery.progress import Progress
from pipeline_trace.delivery.reader import Line, Reader
from pipeline_trace.trace.span import Link, Span, encode

TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(number: int, name: str = "", end_ns: int = 2_000) -> Span:
    return Span(TRACE, f"{number:016x}", None, name or f"span {number}", 1_000, end_ns)


def write(folder: Path, *numbers: int, end: bool = True) -> Path:
    writer = Writer(folder)
    for number in numbers:
        writer.span(span(number))
    if end:
        writer.end()
    return writer.path


def read(path: Path) -> tuple[list[Line], int]:
    reader = Reader(path)
    try:
        return list(reader.lines()), reader.torn
    finally:
        reader.close()


def names(lines: list[Line]) -> list[str]:
    return [line.span.name for line in lines if line.span]


def test_a_writer_that_cannot_write_leaves_nothing_open_and_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "write_private", full)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with pytest.raises(JournalError, match="No space left on device"):
            Writer(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
    assert list(tmp_path.iterdir()) == []


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run Python in a process of its own; it says a line when it is ready and ends when its input is closed."""
    words = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


WRITING = """
    import sys
    from pathlib import Path
    from pipeline_trace.delivery.journal import Writer
    writer = Writer(Path(sys.argv[1]))
    print(writer.path, flush=True)
    sys.stdin.read()
"""
SHIPPING = """
    import sys
    from pathlib import Path
    from pipeline_trace.delivery.reader import Reader
    reader = Reader(Path(sys.argv[1]))
    print(reader.claim(), reader.written(), flush=True)
    sys.stdin.read()
"""


def test_lines_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.open(span(1, end_ns=0))
    writer.span(span(2))
    writer.span(span(1))
    writer.end()
    lines, torn = read(writer.path)
    assert [(line.kind, spans.span_id[-1] if (spans := line.span or line.opened) else "") for line in lines] == [
        ("open", "1"),
        ("span", "2"),
        ("span", "1"),
        ("end", ""),
    ]
    assert (torn, writer.spans, writer.dropped) == (0, 2, 0)


def test_offsets_are_those_behind_the_lines(tmp_path: Path) -> None:
    path = write(tmp_path, 1, 2, 3)
    data = path.read_bytes()
    ends = [line.end for line in read(path)[0]]
    assert ends == [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]


def test_every_line_is_ascii_json_of_a_type(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.span(span(1, "zwei\nZeilen ü 🚀"))
    writer.end("SIGTERM")
    documents = [json.loads(line) for line in writer.path.read_text(encoding="ascii").splitlines()]
    assert [document["type"] for document in documents] == ["span", "end"]
    assert documents[1] == {"type": "end", "reason": "SIGTERM", "dropped": 0}
    assert documents[0]["name"] == "zwei\nZeilen ü 🚀"


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write(tmp_path, 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_everything_beside_a_journal_is_private_too(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    progress.save_progress(writer.path, Progress(5, 1))
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    writer.end()


def test_a_journal_is_found_under_its_name_only_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.suffix == ".journal"


def test_several_writers_of_a_process_have_journals_of_their_own(tmp_path: Path) -> None:
    paths = [write(tmp_path, number) for number in range(1, 6)]
    assert journal.find_journals(tmp_path) == paths
    assert [names(read(path)[0]) for path in paths] == [[f"span {number}"] for number in range(1, 6)]


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"cannot write .*missing.*No such file"):
        Writer(tmp_path / "missing")


def test_a_file_in_the_folders_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="Not a directory"):
        Writer(tmp_path / "file")


def test_a_writer_may_go_on_after_it_noted_its_end(tmp_path: Path) -> None:
    """A signal whose handler ends nothing."""
    writer = Writer(tmp_path)
    writer.note_end("SIGTERM")
    writer.span(span(1))
    writer.end()
    assert [(line.kind, line.reason) for line in read(writer.path)[0]] == [("end", "SIGTERM"), ("span", ""), ("end", "")]


def test_what_was_opened_is_read_with_its_links_too(tmp_path: Path) -> None:
    linked = span(1, end_ns=0)
    linked.links.append(Link("b" * 32, "c" * 16))
    linked.attributes["note"] = '"span_id":"dddddddddddddddd"'
    writer = Writer(tmp_path)
    writer.open(linked)
    ((line,), _) = read(writer.path)
    assert line.opened
    assert (line.opened.span_id, line.opened.span()) == (linked.span_id, linked)


def test_ending_twice_writes_one_line(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.end("SIGINT")
    writer.end()
    assert [(line.kind, line.reason) for line in read(writer.path)[0]] == [("end", "SIGINT")]


@pytest.mark.process
def test_a_killed_writer_leaves_its_journal_only_once_that_is_delivered(tmp_path: Path) -> None:
    """Nothing may pile up in the folder, run after run."""
    with process(WRITING, tmp_path) as child:
        path = Path(said(child))
        child.kill()
        child.wait()
    reader = Reader(path)
    assert reader.claim()
    reader.delete()
    reader.close()
    assert list(tmp_path.iterdir()) == []


def test_discarding_leaves_nothing(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.open(span(1))
    writer.discard()
    writer.end()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 20, 200])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_torn_line_anywhere_costs_itself_only(tmp_path: Path, place: int, size: int) -> None:
    path = write(tmp_path, 1, 2, 3, 4)
    lines = path.read_bytes().splitlines()
    lines[place] = lines[place][:size]
    path.write_bytes(b"\n".join(lines) + b"\n")
    found, torn = read(path)
    assert names(found) == [f"span {number}" for number in (1, 2, 3, 4) if number != place + 1]
    assert found[-1].kind == "end"
    # An empty line is what a writer puts in front after a short write; nothing was lost by it.
    assert torn == (1 if size else 0)


def test_a_torn_last_line_is_not_read_as_long_as_it_may_grow(tmp_path: Path) -> None:
    path = write(tmp_path, 1, 2, end=False)
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    reader = Reader(path)
    assert names(list(reader.lines())) == ["span 1"]
    assert reader.torn == 0
    path.write_bytes(data)
    assert names(list(reader.lines())) == ["span 2"]
    assert names(list(reader.lines())) == []
    reader.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"garbage", b"{", b"[]", b"null", b"5", b'"span"', b"[1]", b"{}", b'{"type":"span"}', b'{"type":null}',
        b'{"type":["span"]}', b'{"type":"open","trace_id":5}', b"\xff\xfe\x00", b"\0" * 40, b"[" * 100_000,
        b'{"type":"end","dropped":"many"}', b'{"type":"end","dropped":null}', b'{"type":"end","dropped":1e999}',
        b'{"type":"end","dropped":[]}',
    ],
)  # fmt: skip
def test_a_line_of_the_wrong_kind_is_skipped_and_counted(tmp_path: Path, raw: bytes) -> None:
    path = write(tmp_path, 1, 2)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], raw, *lines[1:]]) + b"\n")
    found, torn = read(path)
    assert names(found) == ["span 1", "span 2"]
    assert torn == 1


@pytest.mark.parametrize("change", [{"name": 5}, {"kind": []}, {"attributes": "x"}, {"resource": None}, {"trace_id": "x"}])
def test_a_span_of_the_wrong_shape_is_skipped_and_counted(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "1.journal"
    bad = encode({"type": "span", **span(1).to_dict(), **change})
    path.write_text(bad + "\n" + encode({"type": "span", **span(2).to_dict()}) + "\n", encoding="ascii")
    found, torn = read(path)
    assert (names(found), torn) == (["span 2"], 1)


def test_lines_and_fields_of_another_version_do_not_disturb(tmp_path: Path) -> None:
    path = tmp_path / "1.journal"
    newer = {"type": "span", **span(1).to_dict(), "flags": 1, "scope": {"name": "x"}}
    unknown = {"type": "metric", "value": 5}
    end = {"type": "end", "host": "x"}
    path.write_text("".join(encode(document) + "\n" for document in (newer, unknown, end)), encoding="ascii")
    found, torn = read(path)
    assert [line.kind for line in found] == ["span", "end"]
    assert (found[1].reason, found[1].dropped, torn) == ("", 0, 1)


def test_half_a_character_in_a_name_is_replaced_and_whole_ones_are_kept(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.span(span(1, "half \ud83d, whole 🚀, byte \udce9"))
    writer.end()
    (name,) = names(read(writer.path)[0])
    assert name == "half ?, whole 🚀, byte ?"


def test_a_very_long_line_is_read_whole(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.span(span(1, "x" * 1_000_000))
    writer.span(span(2))
    writer.end()
    found, torn = read(writer.path)
    assert ([len(name) for name in names(found)], torn) == ([1_000_000, 6], 0)


@pytest.mark.parametrize("kept", [20, 200, 320])
def test_reading_may_stop_in_the_middle_and_go_on_later(tmp_path: Path, kept: int) -> None:
    """The reader reads 256 KiB at once; ``kept``: how much of a line lies before such a chunk's end."""
    count, chunk = 1400, 1 << 18

    def line(number: int, padding: int) -> str:
        return encode({"type": "span", **span(number, f"name-{number:04}{'x' * padding}").to_dict()}) + "\n"

    fitting = next(padding for padding in range(1000) if 0 <= chunk % len(line(1, padding)) - kept < 20)
    path = tmp_path / "1.journal"
    path.write_text("".join(line(number, fitting) for number in range(1, count + 1)), encoding="ascii")
    reader = Reader(path)
    found: list[str] = []
    for stop in (10, 500, 1):
        lines = reader.lines()
        found += names([next(lines) for _ in range(stop)])
        del lines
    found += names(list(reader.lines()))
    reader.close()
    wrong = [(name[:9], number) for number, name in enumerate(found, 1) if name[:9] != f"name-{number:04}"]
    assert (len(found), wrong[:3], reader.torn) == (count, [], 0)


def with_file_size(limit: int, act: Callable[[], None]) -> int:
    """Run something in a child whose files may be ``limit`` bytes long, as on a disk that is full then."""
    child = os.fork()
    if child == 0:
        try:
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            act()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.process
def test_after_a_short_write_the_next_line_stands_alone(tmp_path: Path) -> None:
    # Large ones, so that the limit lets a writer begin.
    long = "x" * 10_000
    size = len(encode({"type": "span", **span(1, long).to_dict()})) + 1

    def act() -> None:
        writer = Writer(tmp_path)
        writer.span(span(1, long))
        writer.span(span(2, long))
        assert (writer.dropped, writer.spans) == (1, 1)
        assert writer.problem
        writer.span(span(3, long))
        assert (writer.dropped, writer.spans) == (2, 1)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        writer.span(span(4))
        writer.end()
        assert (writer.dropped, writer.spans) == (2, 2)

    assert with_file_size(size + size // 2, act) == 0
    (path,) = journal.find_journals(tmp_path)
    found, torn = read(path)
    assert [name[:6] for name in names(found)] == ["xxxxxx", "span 4"]
    assert torn == 1
    assert found[-1].dropped == 2


def test_an_error_after_a_short_write_does_not_make_the_next_line_part_of_the_torn_one(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    written: list[bytes] = []
    answers: list[int | OSError] = [10, OSError(28, "No space left on device"), 0, 0]
    real = os.write

    def spoilt(file: int, data: bytes) -> int:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        written.append(data[: answer or len(data)])
        return real(file, written[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", spoilt)
        for number in (1, 2, 3):
            writer.span(span(number))
        writer.end()
    found, torn = read(writer.path)
    assert (names(found), torn, found[-1].dropped) == (["span 3"], 1, 2)


@pytest.mark.process
def test_a_journal_is_written_as_long_as_its_writer_lives(tmp_path: Path) -> None:
    with process(WRITING, tmp_path) as child:
        reader = Reader(Path(said(child)))
        assert reader.claim()
        assert reader.written()
        child.kill()
        child.wait()
        assert not reader.written()
        reader.close()


@pytest.mark.process
def test_a_journal_is_locked_before_it_can_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, int]] = []
    real = os.rename

    def rename(old: Path, new: Path) -> None:
        child = os.fork()
        if child == 0:
            reader = Reader(old)
            os._exit(0 if reader.written() else 1)
        seen.append((Path(new).exists(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
        real(old, new)

    monkeypatch.setattr(os, "rename", rename)
    Writer(tmp_path).end()
    assert seen == [(False, 0)]


@pytest.mark.process
def test_only_one_process_ships_a_journal(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    with process(SHIPPING, path) as first:
        assert said(first) == "True False"
        with process(SHIPPING, path) as second:
            assert said(second).startswith("False")
        first.kill()
        first.wait()
        with process(SHIPPING, path) as third:
            assert said(third) == "True False"


@pytest.mark.process
def test_asking_whether_it_is_written_leaves_the_writers_lock_alone(tmp_path: Path) -> None:
    with process(WRITING, tmp_path) as child:
        path = Path(said(child))
        for _ in range(2):
            reader = Reader(path)
            assert reader.written()
            reader.close()


@pytest.mark.process
def test_a_forked_worker_does_not_keep_its_parents_journal_locked(tmp_path: Path) -> None:
    code = """
        import os, sys, time
        from pathlib import Path
        from pipeline_trace.delivery.journal import Writer
        writer = Writer(Path(sys.argv[1]))
        child = os.fork()
        if child == 0:
            sys.stdin.read()
            os._exit(0)
        print(writer.path, flush=True)
        os._exit(0)
    """
    with process(code, tmp_path) as parent:
        path = Path(said(parent))
        # The worker still waits, with the journal's descriptor open.
        os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
        reader = Reader(path)
        assert not reader.written()
        reader.close()


def test_a_journal_that_another_has_delivered_and_removed_is_not_claimed(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    reader = Reader(path)
    path.unlink()
    assert not reader.claim()
    assert names(list(reader.lines())) == ["span 1"]
    reader.close()


@pytest.mark.process
def test_reading_while_another_process_writes_yields_every_line_once(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from pipeline_trace.delivery.journal import Writer
        from pipeline_trace.trace.span import Span
        writer = Writer(Path(sys.argv[1]))
        print(writer.path, flush=True)
        for number in range(1, 2001):
            writer.span(Span(sys.argv[2], f"{number:016x}", None, f"span {number}", 1, 2))
        writer.end()
    """
    with process(code, tmp_path, TRACE) as child:
        reader = Reader(Path(said(child)))
        found: list[Line] = []
        while not (found and found[-1].kind == "end"):
            found += list(reader.lines())
        reader.close()
    assert names(found) == [f"span {number}" for number in range(1, 2001)]
    assert reader.torn == 0


@pytest.mark.parametrize(
    ("numbers", "end", "ended"), [((1,), True, True), ((1,), False, False), ((), True, True), ((), False, False)]
)
def test_an_end_line_says_that_nothing_more_comes(tmp_path: Path, numbers: tuple[int, ...], end: bool, ended: bool) -> None:
    reader = Reader(write(tmp_path, *numbers, end=end))
    assert reader.ended() is ended
    reader.close()


def test_a_name_that_looks_like_an_end_line_is_none(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.span(span(1, '{"type":"end"'))
    reader = Reader(writer.path)
    assert not reader.ended()
    reader.close()


def test_the_state_survives(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    progress.save_progress(path, Progress(120, 3, "down ü"))
    assert progress.load_progress(path) == Progress(120, 3, "down ü")
    assert [entry.suffix for entry in sorted(tmp_path.iterdir())] == [".journal", ".state"]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"5", b'{"offset":1}', b'{"offset":"x","delivered":0,"problem":""}', b"\xff",
     b'{"offset":null,"delivered":0,"problem":""}', b'{"offset":1e999,"delivered":0,"problem":""}'],
)  # fmt: skip
def test_without_a_good_state_nothing_was_shipped(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, 1)
    journal.progress_path(path).write_bytes(data)
    assert progress.load_progress(path) == Progress()


def test_a_state_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    journal.progress_path(path).mkdir()
    progress.save_progress(path, Progress(5, 1))
    assert progress.load_progress(path) == Progress()
    assert not list(tmp_path.glob("*.new"))


def test_deleting_removes_the_state_too(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    progress.save_progress(path, Progress(5, 1))
    reader = Reader(path)
    reader.delete()
    reader.close()
    assert list(tmp_path.iterdir()) == []


def test_only_journals_are_found_oldest_first(tmp_path: Path) -> None:
    wanted = [write(tmp_path, 1), write(tmp_path, 2)]
    (tmp_path / "folder.journal").mkdir()
    (tmp_path / "link.journal").symlink_to(wanted[0])
    (tmp_path / ".hidden").touch()
    (tmp_path / "x.state").touch()
    assert journal.find_journals(tmp_path) == wanted
    assert journal.find_journals(tmp_path / "missing") == []


def test_what_waits_is_what_was_not_delivered_and_what_is_open(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.open(span(1, end_ns=0))
    writer.span(span(2))
    writer.open(span(3, end_ns=0))
    writer.span(span(3))
    writer.end()
    path = writer.path
    assert reader.count_waiting(path) == 3
    behind_second = next(line.end for line in read(path)[0] if line.kind == "span")
    progress.save_progress(path, Progress(behind_second, 1))
    assert reader.count_waiting(path) == 2


def test_what_waits_is_counted_with_a_torn_line_in_it(tmp_path: Path) -> None:
    path = write(tmp_path, 1, 2, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"torn\n" + lines[1] + lines[2][:30])
    assert reader.count_waiting(path) == 2


# Hostile files


def test_an_endless_line_is_skipped_as_it_comes(tmp_path: Path) -> None:
    path = write(tmp_path, 1, end=False)
    with path.open("ab") as file:
        file.write(b'{"type":"span","name":"')
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n')
    good = encode({"type": "span", **span(2).to_dict()}).encode() + b"\n"
    with path.open("ab") as file:
        file.write(good)
    tracemalloc.start()
    began = time.process_time()
    lines, torn = read(path)
    assert time.process_time() - began < 5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (names(lines), torn, lines[-1].end) == (["span 1", "span 2"], 1, path.stat().st_size)
    assert peak < 3 * reader.MOST_LINE
    assert reader.count_waiting(path) == 2
    progress.save_progress(path, Progress(lines[0].end, 1))
    assert reader.count_waiting(path) == 1


def test_an_endless_line_that_is_still_written_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_LINE", 1000)
    path = write(tmp_path, 1, end=False)
    opened = Reader(path)
    found = []
    for piece in (b"x" * 1500, b"x" * 10, b"", b"x" * 1500 + b"\n", encode({"type": "end"}).encode() + b"\nto"):
        with path.open("ab") as file:
            file.write(piece)
        found += list(opened.lines())
    opened.count_torn_end()
    opened.close()
    assert [line.kind for line in found] == ["span", "end"]
    assert opened.torn == 2


def test_only_regular_files_of_ours_are_journals(tmp_path: Path) -> None:
    wanted = write(tmp_path, 1)
    os.mkfifo(tmp_path / "fifo.journal")
    (tmp_path / "device.journal").symlink_to("/dev/zero")
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(tmp_path / "s.journal"))
    bound.close()
    if os.geteuid() == 0:
        os.chown(write(tmp_path, 2), 12345, 12345)
    assert journal.find_journals(tmp_path) == [wanted]
    assert waiting.said_count(tmp_path) == f"1 spans wait in {tmp_path}"
    for name in ("fifo", "s", "device"):
        with pytest.raises(OSError, match=r"not a regular file|No such"):
            Reader(tmp_path / f"{name}.journal")
        with pytest.raises(OSError, match=r"not a regular file|No such"):
            reader.count_waiting(tmp_path / f"{name}.journal")


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "deep", "long", "newer"])
def test_a_state_that_is_none_counts_as_undelivered(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, 1)
    state = journal.progress_path(path)
    if kind == "fifo":
        os.mkfifo(state)
    elif kind == "folder":
        state.mkdir()
    elif kind == "device":
        state.symlink_to("/dev/zero")
    elif kind == "deep":
        state.write_text("[" * 100_000)
    elif kind == "long":
        with state.open("wb") as file:
            file.truncate(1 << 33)
    else:
        state.write_text(encode({**Progress(5, 1).__dict__, "of a newer version": [1]}))
    assert progress.load_progress(path) == (Progress(5, 1) if kind == "newer" else Progress())
    assert reader.count_waiting(path) == 1


def test_a_fifo_in_the_place_of_a_new_state_holds_nothing_up(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    os.mkfifo(path.with_suffix(".new"))
    progress.save_progress(path, Progress(5, 1))


def test_lines_of_a_newer_version_are_counted_and_the_others_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, 1, end=False)
    more = encode({"type": "span", **span(2).to_dict(), "of a newer version": 1})
    with path.open("a", encoding="ascii") as file:
        file.write('{"type":"of a newer version"}\n' + more + "\n")
    lines, torn = read(path)
    assert (names(lines), torn) == (["span 1", "span 2"], 1)


def resumed(path: Path, mark: reader.Mark) -> tuple[bool, list[str]]:
    again = Reader(path)
    try:
        return again.resume(mark), names(list(again.lines()))
    finally:
        again.close()


def marked(path: Path) -> reader.Mark:
    first = Reader(path)
    try:
        list(first.lines())
        return first.mark()
    finally:
        first.close()


def test_a_later_reader_goes_on_at_a_mark(tmp_path: Path) -> None:
    path = write(tmp_path, 1, 2, end=False)
    mark = marked(path)
    with path.open("a") as file:
        file.write(encode({"type": "span", **span(3).to_dict()}) + "\n")
    assert resumed(path, mark) == (True, ["span 3"])


def test_a_mark_is_no_mark_of_a_journal_that_was_replaced_or_cut_or_written_anew(tmp_path: Path) -> None:
    path = write(tmp_path, 1, 2)
    whole, mark = path.read_bytes(), marked(path)
    path.write_bytes(whole[: whole.index(b"\n") + 1])
    assert resumed(path, mark) == (False, ["span 1"])
    path.write_bytes(whole.replace(b"span 2", b"span 9").replace(b'"reason":""', b'"reason":"SIGTERM"') * 2)
    assert resumed(path, mark) == (False, ["span 1", "span 9"] * 2)
    (tmp_path / "new").write_bytes(whole)
    (tmp_path / "new").rename(path)
    assert resumed(path, mark) == (False, ["span 1", "span 2"])
