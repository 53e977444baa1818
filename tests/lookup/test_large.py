"""Journals that are too large to be read whole: what is read of them, what is said, and that they hide nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import support

from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.lookup.journals import Journals, Limits, entry_of
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.lines import Lines
from pipeline_trace.trace.span import Link, Span, encode

MB = 1 << 20
OLD, LARGE, NEW = ("a" * 32, "b" * 32, "c" * 32)


def id_of(trace: str, number: int) -> str:
    return f"{trace[-1]}{number:015x}"


def span(trace: str, number: int, name: str, *, end_ns: int = 2_000, size: int = 0) -> Span:
    made = Span(trace, id_of(trace, number), None if number == 1 else id_of(trace, 1), name, 1_000, end_ns)
    made.attributes = {"text": "x" * size} if size else {}
    return made


def write(folder: Path, *lines: tuple[str, Span]) -> Path:
    """Write a journal whose writer has ended. ``lines``: "open" or "span", and the span."""
    writer = Writer(folder)
    for kind, one in lines:
        getattr(writer, kind)(one)
    writer.end()
    return writer.path


def three(folder: Path, size: int, count: int) -> list[Path]:
    """Write an old journal, a large one of so many lines, and a new one."""
    large = [("span", span(LARGE, number, f"task {number}", size=size)) for number in range(2, count + 2)]
    return [
        write(folder, ("span", span(OLD, 1, "old"))),
        write(folder, ("open", span(LARGE, 1, "playbook", end_ns=0)), *large),
        write(folder, ("span", span(NEW, 1, "new"))),
    ]


def names(found: Sequence[Span]) -> list[str]:
    return sorted(one.name for one in found)


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")})


def test_a_large_journal_hides_neither_older_nor_newer_ones(place: Home) -> None:
    _, large, _ = three(place.journals, MB, 130)
    with closing(local_lookup(place)) as lookup:
        assert (names(lookup.spans(OLD)), names(lookup.spans(NEW))) == (["old"], ["new"])
        found = names(lookup.spans(LARGE))
        said = lookup.notice
    # What is open, and the newest end: each line has 1 MiB and a little.
    assert found == sorted(["playbook", *(f"task {number}" for number in range(117, 132))])
    assert said.startswith(f"too large to be read whole: {large} (136 MB); ")
    assert said.endswith("run: pipeline-trace ship")
    assert "\n" not in said


def test_what_fits_is_read_whole_and_nothing_is_said(place: Home) -> None:
    three(place.journals, 10, 3)
    with closing(local_lookup(place)) as lookup:
        assert names(lookup.spans(LARGE)) == ["playbook", "task 2", "task 3", "task 4"]
        assert lookup.notice == ""


def test_the_ends_of_many_large_journals_are_limited_too(tmp_path: Path) -> None:
    for number in range(1, 6):
        trace = f"{number:032x}"
        lines = [("span", span(trace, n, f"{n}", size=1000)) for n in range(2, 12)]
        write(tmp_path, ("open", span(trace, 1, "open", end_ns=0)), *lines)
    found = Journals(tmp_path, Limits(whole=5000, end=4000, ends=10_000))
    counts = [len(found.trace(f"{number:032x}")) for number in range(1, 6)]
    # The oldest keep their open spans: of the three newest there is room for 3, 3 and 1 lines.
    assert counts == [1, 1, 2, 4, 4]


def test_open_spans_of_a_large_journal_are_limited_too(tmp_path: Path) -> None:
    write(tmp_path, *(("open", span(LARGE, number, f"{number}", end_ns=0, size=1000)) for number in range(1, 100)))
    assert len(Journals(tmp_path, Limits(whole=5000, end=4000, ends=4000)).trace(LARGE)) < 10


def test_a_span_that_has_ended_in_a_large_journal_is_not_open(tmp_path: Path) -> None:
    ended = [("span", span(LARGE, number, f"{number}", size=1000)) for number in range(2, 12)]
    write(tmp_path, ("open", span(LARGE, 2, "2", end_ns=0)), *ended)
    assert "2" not in names(Journals(tmp_path, Limits(whole=5000, end=4000, ends=4000)).trace(LARGE))


def test_ids_of_a_line_are_found_in_every_order_of_its_fields() -> None:
    parent, own = id_of(OLD, 1), id_of(OLD, 2)
    lines = Lines(OLD, parent, encode({"service.name": "ansible"}))
    odd = span(OLD, 2, "with a link")
    odd.links, odd.resource = [Link(NEW, "f" * 16)], {"span_id": "e" * 16}
    shuffled = dict(reversed(odd.to_dict().items()))
    for text in (
        encode({"type": "span", **odd.to_dict()}),
        encode({"type": "span", **shuffled}),
        encode({**shuffled, "type": "open"}),
        lines.span(own, '"a"', 1, 2, "{}"),
        lines.open(own, '"a"', 1, encode({"span_id": "d" * 16})),
    ):
        entry = entry_of(text.encode())
        assert entry is not None
        assert (entry.trace_id, entry.span_id, entry.parent_id) == (OLD, own, parent)
        assert entry.opened == ('"type":"open"' in text)
        found = entry.span()
        assert found is not None
        assert (found.trace_id, found.span_id, found.parent_id) == (OLD, own, parent)
    root = entry_of(encode({"type": "open", **span(OLD, 1, "root").to_dict()}).encode())
    assert root is not None
    assert root.parent_id is None


@pytest.mark.parametrize(
    "text", ['{"type":"end","reason":"","dropped":0}', "{}", "", "rubbish", '{"type":"span","trace_id":']
)
def test_a_line_without_a_span_has_no_entry(text: str) -> None:
    assert entry_of(text.encode()) is None


def test_only_the_spans_that_are_asked_for_are_parsed(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place.journals, *(("span", span(OLD, number, f"{number}")) for number in range(1, 50)))
    write(place.journals, ("span", span(NEW, 1, "new")))
    made: list[str] = []
    from_dict = Span.from_dict

    def counted(data: dict[str, object]) -> Span:
        made.append(str(data["name"]))
        return from_dict(data)

    monkeypatch.setattr(Span, "from_dict", counted)
    with closing(local_lookup(place)) as lookup:
        assert names(lookup.spans(NEW)) == ["new"]
    assert set(made) == {"new"}


@pytest.mark.process
@pytest.mark.parametrize("command", ["show", "why"])
def test_commands_say_in_one_line_what_they_did_not_read(env: dict[str, str], command: str) -> None:
    place = find_home(env)
    _, large, _ = three(place.journals, MB, 130)
    done = support.trace(command, NEW, env=env)
    assert done.stderr.splitlines()[0].startswith(f"pipeline-trace: too large to be read whole: {large} (136 MB); ")
    assert len(done.stderr.splitlines()) == 1


def test_the_newest_span_of_a_large_journal_is_latest(place: Home) -> None:
    three(place.journals, 10, 3)
    write(place.journals, ("span", span("d" * 32, 1, "last", end_ns=5_000)))
    with closing(local_lookup(place)) as lookup:
        assert names(lookup.spans("latest")) == ["last"]


def test_a_build_is_found_by_its_name_with_special_characters(place: Home) -> None:
    build = span(OLD, 1, "RUN")
    build.resource = {c.PIPELINE_NAME: 'Tür "1"/app', c.PIPELINE_RUN_ID: "7"}
    write(place.journals, ("span", build))
    with closing(local_lookup(place)) as lookup:
        assert names(lookup.spans('Tür "1"/app#7')) == ["RUN"]


def test_a_journal_that_nobody_may_read_hides_nothing(tmp_path: Path) -> None:
    three(tmp_path, 10, 3)
    os.mkfifo(tmp_path / "09999999999999999999-1.journal")
    assert names(Journals(tmp_path).trace(NEW)) == ["new"]
