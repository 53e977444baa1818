"""The traces that run now: what is read of journals while they grow, and that their lines are those of all their spans."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support import put

from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.lookup import journals
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.serve import running, sketch
from pipeline_trace.serve.running import RunningTraces
from pipeline_trace.serve.summary import Summary, summarise
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

TRACE, OTHER = "a" * 32, "b" * 32
LONG = 60.0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose journals count as being written. A process does not see its own locks."""
    monkeypatch.setattr(Reader, "written", lambda _: True)
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The lines that were read."""
    lines: list[bytes] = []
    entry_of = journals.entry_of

    def noted(raw: bytes) -> journals.Entry | None:
        lines.append(raw)
        return entry_of(raw)

    monkeypatch.setattr(journals, "entry_of", noted)
    return lines


def span(number: int, parent: int, name: str, *, trace: str = TRACE, **attributes: str) -> Span:
    made = Span(trace, f"{number:016x}", f"{parent:016x}" if parent else None, name, 1_000 + number, 2_000 + number)
    made.attributes = {names[key]: value for key, value in attributes.items()}
    return made


names = {"kind": c.ANSIBLE_TYPE, "environment": c.DEPLOYMENT_ENVIRONMENT, "result": c.ANSIBLE_HOST_RESULT}


def begun(one: Span) -> Span:
    return replace(one, end_ns=0)


def from_all_spans(place: Home, trace: str = TRACE) -> Summary:
    with closing(local_lookup(place)) as lookup:
        return summarise(trace, lookup.spans(trace))


def unordered(summary: Summary) -> Summary:
    """Return a line whose texts are in no special order: that of spans in the store and in journals differs."""
    lines = "\n".join(sorted(summary.search.splitlines()))
    return replace(summary, search=lines, environments=tuple(sorted(summary.environments)))


def playbook(tasks: int, hosts: int) -> list[tuple[str, Span]]:
    """Return the lines of a playbook that has not ended, in the order of a callback."""
    root, play = span(1, 0, "playbook site.yml", kind="playbook"), span(2, 1, "play all", kind="play")
    lines = [("open", begun(root)), ("open", begun(play))]
    for task in range(tasks):
        top = 100 * (task + 1)
        own = span(top, 2, f"task {task}", kind="task")
        lines.append(("open", begun(own)))
        for host in range(1, hosts + 1):
            one = span(top + host, top, f"web{host}", kind="host", environment="staging" if host % 2 else "qa")
            if host == task:
                one.fail(f"task {task} failed")
            lines += [("open", begun(one)), ("span", one)]
        lines.append(("span", own))
    return lines


def test_the_line_of_a_growing_trace_is_that_of_all_its_spans(place: Home) -> None:
    pick = random.Random(7)
    lines = playbook(8, 6)
    traces, writer = RunningTraces(place), Writer(place.journals)
    inside: list[Span] = [span(5000, 1, "exec in another journal")]
    put(place.store, *inside)
    written: list[Span] = []
    while lines:
        for kind, one in [lines.pop(0) for _ in range(min(pick.randrange(1, 9), len(lines)))]:
            getattr(writer, kind)(one)
            written += [one] if kind == "span" else []
        # Some of what has ended is delivered already, by a shipping process.
        put(place.store, *pick.sample(written, len(written) // 2))
        (found,) = traces.look(LONG)
        assert unordered(found) == unordered(from_all_spans(place))
    assert (found.spans, found.result, found.end_ns) == (2 + 8 * 7 + 1, "running", 0)
    writer.discard()


def test_only_what_was_appended_is_read(place: Home, read: list[bytes]) -> None:
    traces, writer = RunningTraces(place), Writer(place.journals)
    for kind, one in playbook(3, 5):
        getattr(writer, kind)(one)
    traces.look(LONG)
    first = len(read)
    traces.look(LONG)
    assert len(read) == first
    writer.span(span(900, 2, "late"))
    (found,) = traces.look(LONG)
    assert len(read) == first + 1
    assert "late" in found.search
    writer.discard()


def test_of_spans_that_say_nothing_new_only_ids_are_kept(place: Home) -> None:
    traces, writer = RunningTraces(place), Writer(place.journals)
    for kind, one in playbook(40, 50):
        getattr(writer, kind)(one)
    (found,) = traces.look(LONG)
    assert found.spans == 2 + 40 * 51
    (followed,) = traces._journals.values()
    kept = followed.sketches[TRACE]
    # 50 hosts, 40 tasks and 39 failures have texts of their own.
    assert len(kept.kept) == 129
    assert len(kept.opened) == 2
    writer.discard()


def test_the_number_of_spans_with_new_texts_is_limited(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch, "_MOST_KEPT", 10)
    traces, writer = RunningTraces(place), Writer(place.journals)
    for kind, one in playbook(10, 10):
        getattr(writer, kind)(one)
    (found,) = traces.look(LONG)
    (followed,) = traces._journals.values()
    assert len(followed.sketches[TRACE].kept) == 10
    assert (found.name, found.result, found.spans) == ("playbook site.yml", "running", 112)
    writer.discard()


def replaced(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(path.read_bytes().replace(b"site.yml", b"next.yml"))
    new.rename(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0].replace(b"site.yml", b"next.yml"))


@pytest.mark.parametrize("change", [replaced, cut])
def test_a_journal_that_is_another_one_now_is_read_anew(place: Home, change: Callable[[Path], None]) -> None:
    traces, writer = RunningTraces(place), Writer(place.journals)
    for kind, one in playbook(2, 2):
        getattr(writer, kind)(one)
    traces.look(LONG)
    change(writer.path)
    (found,) = traces.look(LONG)
    assert found.name == "playbook next.yml"
    assert found.spans == from_all_spans(place).spans
    writer.discard()


def test_a_trace_whose_journal_was_delivered_does_not_run(place: Home) -> None:
    traces, writer = RunningTraces(place), Writer(place.journals)
    writer.open(begun(span(1, 0, "playbook")))
    assert [found.name for found in traces.look(LONG)] == ["playbook"]
    assert traces.ids == {TRACE}
    writer.discard()
    assert traces.look(LONG) == []
    assert traces.ids == frozenset()


def test_what_has_ended_in_the_store_does_not_run(place: Home) -> None:
    traces, writer = RunningTraces(place), Writer(place.journals)
    root = span(1, 0, "playbook")
    writer.open(begun(root))
    put(place.store, root)
    assert traces.look(LONG) == []
    writer.discard()


def test_what_a_killed_process_left_open_does_not_run(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    traces, writer = RunningTraces(place), Writer(place.journals)
    writer.open(begun(span(1, 0, "playbook")))
    assert len(traces.look(LONG)) == 1
    monkeypatch.setattr(Reader, "written", lambda _: False)
    assert traces.look(LONG) == []
    writer.discard()


def test_a_part_of_a_trace_whose_process_has_ended_is_counted_while_another_runs(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces, outer, inner = RunningTraces(place), Writer(place.journals), Writer(place.journals)
    outer.open(begun(span(1, 0, "exec make deploy")))
    inner.open(begun(span(2, 1, "playbook")))
    traces.look(LONG)
    inner.span(span(2, 1, "playbook"))
    monkeypatch.setattr(Reader, "written", lambda reader: reader.path == outer.path)
    (found,) = traces.look(LONG)
    assert (found.name, found.spans) == ("exec make deploy", 2)
    for writer in (outer, inner):
        writer.discard()


def test_builds_that_the_poller_writes_are_not_kept(place: Home) -> None:
    traces, writer = RunningTraces(place), Writer(place.journals)
    for number in range(1, 20):
        writer.span(span(number, 0, "RUN app", trace=f"{number:032x}"))
    assert traces.look(LONG) == []
    assert all(not followed.sketches for followed in traces._journals.values())
    writer.discard()


def test_without_time_a_journal_is_read_in_pieces_and_shown_as_far_as_it_is_read(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_LINES", 10)
    traces, writer = RunningTraces(place), Writer(place.journals)
    for kind, one in playbook(4, 5):
        getattr(writer, kind)(one)
    (found,) = traces.look(0)
    assert (found.name, traces.whole) == ("playbook site.yml", False)
    assert found.spans < 26
    while not traces.whole:
        traces.read(0)
    (found,) = traces.look(0)
    assert found.spans == 26
    writer.discard()


def test_the_newest_trace_is_first(place: Home) -> None:
    traces, first, second = RunningTraces(place), Writer(place.journals), Writer(place.journals)
    second.open(begun(span(1, 0, "older")))
    first.open(begun(span(2, 0, "newer", trace=OTHER)))
    assert [found.name for found in traces.look(LONG)] == ["newer", "older"]
    for writer in (first, second):
        writer.discard()


def test_spans_that_are_each_others_parents_are_a_line_too(place: Home) -> None:
    traces, writer = RunningTraces(place), Writer(place.journals)
    for one in (span(1, 2, "a"), span(2, 1, "b")):
        writer.open(begun(one))
    (found,) = traces.look(LONG)
    assert found == from_all_spans(place)
    writer.discard()
