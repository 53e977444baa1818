"""What the poller remembers, and what happens where it cannot."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from jenkins_poller.poll.database import StateError
from jenkins_poller.poll.state import Cursor, State, Told, decode_links, encode_links
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.span import Link

ROOT = "https://ci.example.com"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "pollers", ROOT)
    yield opened
    opened.close()


def again(tmp_path: Path) -> State:
    return State(tmp_path / "pollers", ROOT)


def build(number: int, job: str = "app") -> Build:
    return Build(ROOT, job, number)


def open_numbers(state: State) -> dict[str, set[int]]:
    """Return the numbers of open builds, by job."""
    return {job: set(numbers) for job, numbers in state.open_builds().items()}


def test_a_new_state_remembers_nothing(state: State) -> None:
    assert (state.cursors(), state.open_builds(), state.place_of(build(1))) == ({}, {}, None)


def test_what_was_found_is_open_and_remembered(tmp_path: Path) -> None:
    first = again(tmp_path)
    first.found("app", Cursor(8, 7, True), [5, 6, 7])
    first.found("Team A/ü", Cursor(2, 0, False), [])
    first.close()
    second = again(tmp_path)
    assert second.cursors() == {"app": Cursor(8, 7, True), "Team A/ü": Cursor(2, 0, False)}
    assert open_numbers(second) == {"app": {5, 6, 7}}
    second.close()


def test_finding_again_moves_the_cursor_and_keeps_what_is_open(state: State) -> None:
    state.found("app", Cursor(8, 7, True), [7])
    state.found("app", Cursor(9, 8, True), [7, 8])
    assert state.cursors() == {"app": Cursor(9, 8, True)}
    assert open_numbers(state) == {"app": {7, 8}}


def test_written_and_vanished_builds_are_not_open_any_more(state: State) -> None:
    state.found("app", Cursor(9, 8, True), [6, 7, 8])
    state.found("lib", Cursor(9, 8, True), [6])
    state.written([build(6)])
    state.vanished("app", 8)
    assert open_numbers(state) == {"app": {7}, "lib": {6}}
    assert state.cursors()["app"].cursor == 8


def test_a_place_is_decided_once(state: State) -> None:
    first = BuildPlace(TRACE, SPAN, (Link(TRACE, SPAN, {"jenkins.link": "upstream", "n": 1}),), sampled=False)
    state.decided([(build(7), first)])
    state.decided([(build(7), BuildPlace("f" * 32)), (build(8), BuildPlace(TRACE))])
    assert state.place_of(build(7)) == first
    assert state.place_of(build(8)) == BuildPlace(TRACE)


def test_a_place_outlives_the_build_being_written_and_the_process(tmp_path: Path) -> None:
    first = again(tmp_path)
    first.found("app", Cursor(8, 7, True), [7])
    first.decided([(build(7), BuildPlace(TRACE, SPAN))])
    first.written([build(7)])
    first.close()
    second = again(tmp_path)
    assert second.place_of(build(7)) == BuildPlace(TRACE, SPAN)
    second.close()


def test_a_job_made_again_forgets_the_builds_that_it_lost_and_gets_a_generation(state: State) -> None:
    for job in ("app", "lib"):
        state.found(job, Cursor(8, 7, True), [6, 7])
        state.decided([(build(number, job), BuildPlace(TRACE)) for number in (6, 7)])
    assert state.made_again("app", 6, 7) == Cursor(7, 6, True, generation=1)
    assert state.cursors() == {"app": Cursor(7, 6, True, generation=1), "lib": Cursor(8, 7, True)}
    assert state.generations() == {"app": 1}
    assert open_numbers(state) == {"app": {6}, "lib": {6, 7}}
    assert state.place_of(build(7)) is None
    assert state.place_of(build(6)) == state.place_of(build(7, "lib")) == BuildPlace(TRACE)


def test_a_renamed_job_keeps_all_that_is_known(state: State) -> None:
    state.found("app", Cursor(8, 7, True), [7])
    state.decided([(build(6), BuildPlace(TRACE))])
    state.told([(build(6), Told("stage", 5, 6))])
    state.renamed("app", "team/app", 0)
    assert state.cursors() == {"team/app": Cursor(8, 7, True)}
    assert open_numbers(state) == {"team/app": {7}}
    assert state.place_of(build(6, "team/app")) == BuildPlace(TRACE)
    assert state.last_told("team/app") == [(6, 5, 6)]
    # Its spans have the ids of the old name: nothing can be added to them.
    assert state.level_of(build(6, "team/app")) == "step"


def test_a_name_keeps_its_generation_for_the_next_job_of_this_name(tmp_path: Path) -> None:
    first = again(tmp_path)
    first.found("app", Cursor(8, 7, True, generation=1), [])
    first.decided([(build(7), BuildPlace(TRACE))])
    assert first.renamed("app", "old", 0) == Cursor(8, 7, True)
    first.close()
    second = again(tmp_path)
    assert [second.generation_of_new(name) for name in ("app", "old", "lib")] == [2, 0, 0]
    assert second.begun("app") == second.cursors()["app"] == Cursor(1, 0, True, generation=2)
    second.close()


@pytest.mark.parametrize(("still_open", "generation"), [([], 0), ([8], 0), ([7], 1)])
def test_a_job_that_gets_its_name_back_has_a_new_generation_only_if_ids_would_be_given_twice(
    state: State, still_open: list[int], generation: int
) -> None:
    state.found("app", Cursor(9, 8, True), still_open)
    state.decided([(build(7), BuildPlace(TRACE))])
    state.renamed("app", "old", 0)
    assert state.renamed("old", "app", 0).generation == generation


def test_a_state_from_before_names_were_kept_is_brought_up_to_date(tmp_path: Path) -> None:
    first = again(tmp_path)
    first.found("app", Cursor(8, 7, True), [7])
    first.decided([(build(6), BuildPlace(TRACE))])
    first.close()
    (path,) = (tmp_path / "pollers").glob("*.db")
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE left_names")
        database.execute("PRAGMA user_version = 2")
    database.close()
    second = again(tmp_path)
    second.renamed("app", "old", 0)
    assert second.cursors() == {"old": Cursor(8, 7, True)}
    assert second.generation_of_new("app") == 1
    second.close()


def test_two_controllers_have_states_of_their_own(tmp_path: Path, state: State) -> None:
    other = State(tmp_path / "pollers", "https://other.example.com")
    state.found("app", Cursor(8, 7, True), [7])
    assert other.cursors() == {}
    other.close()


def test_links_survive() -> None:
    links = (Link(TRACE, SPAN, {"a": "ü", "b": 5}), Link(TRACE, SPAN))
    assert decode_links(encode_links(links)) == links
    assert decode_links(encode_links(())) == ()


def test_the_folder_is_private(tmp_path: Path, state: State) -> None:
    assert stat.S_IMODE((tmp_path / "pollers").stat().st_mode) == 0o700


@pytest.mark.process
def test_another_process_with_the_same_controller_is_refused_and_told_so(tmp_path: Path, state: State) -> None:
    code = """
        import sys
        from pathlib import Path
        from jenkins_poller.poll.database import StateError
        from jenkins_poller.poll.state import State
        try:
            State(Path(sys.argv[1]), sys.argv[2])
            print("no error")
        except StateError as error:
            print(error)
    """
    words = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "pollers")]
    said = subprocess.run([*words, ROOT], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"another poller of {ROOT} already uses ")
    other = subprocess.run([*words, "https://other"], capture_output=True, text=True, check=True).stdout
    assert other == "no error\n"


def test_a_closed_state_may_be_opened_again(tmp_path: Path) -> None:
    for _ in range(3):
        again(tmp_path).close()


def one_line(error: pytest.ExceptionInfo[StateError]) -> str:
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_file_in_the_folders_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "pollers").touch()
    with pytest.raises(StateError) as error:
        again(tmp_path)
    assert "set PIPELINE_TRACE_HOME" in one_line(error)


def spoil(folder: Path, data: bytes) -> None:
    (path,) = folder.glob("*.db")
    path.write_bytes(data)


def test_a_state_that_is_no_database_is_a_clear_error_and_can_be_opened_after_it_is_removed(tmp_path: Path) -> None:
    again(tmp_path).close()
    spoil(tmp_path / "pollers", b"rubbish " * 500)
    with pytest.raises(StateError) as error:
        again(tmp_path)
    assert "cannot use" in one_line(error)
    next((tmp_path / "pollers").glob("*.db")).unlink()
    again(tmp_path).close()


@pytest.mark.parametrize("read", ["cursors", "open_builds", "place_of"])
def test_tables_of_another_version_are_a_clear_error(tmp_path: Path, read: str) -> None:
    again(tmp_path).close()
    (path,) = (tmp_path / "pollers").glob("*.db")
    with sqlite3.connect(path) as database:
        for table in ("jobs", "open_builds", "placed"):
            database.execute(f"DROP TABLE {table}")
            database.execute(f"CREATE TABLE {table} (something TEXT)")
    database.close()

    def use() -> None:
        state = again(tmp_path)
        try:
            state.place_of(build(1)) if read == "place_of" else getattr(state, read)()
        finally:
            state.close()

    with pytest.raises(StateError):
        use()


@pytest.mark.parametrize("write", ["found", "decided", "written", "vanished", "made_again", "renamed"])
def test_a_state_that_cannot_be_written_is_a_clear_error_and_stays_as_it_was(state: State, write: str) -> None:
    state.found("app", Cursor(8, 7, True), [7])
    writes = {
        "found": lambda: state.found("app", Cursor(9, 8, True), [8]),
        "decided": lambda: state.decided([(build(7), BuildPlace(TRACE))]),
        "written": lambda: state.written([build(7)]),
        "vanished": lambda: state.vanished("app", 7),
        "made_again": lambda: state.made_again("app", 0, 1),
        "renamed": lambda: state.renamed("app", "lib", 0),
    }
    # As on a full disk: SQLite may not take another page, nor change one.
    state._database.execute("PRAGMA query_only = ON")
    with pytest.raises(StateError) as error:
        writes[write]()
    assert "PIPELINE_TRACE_HOME" in one_line(error)
    state._database.execute("PRAGMA query_only = OFF")
    assert state.cursors() == {"app": Cursor(8, 7, True)}
    assert open_numbers(state) == {"app": {7}}


def test_a_transaction_that_fails_in_the_middle_leaves_nothing(state: State) -> None:
    with pytest.raises(ZeroDivisionError):
        state.found("lib", Cursor(8, 7, True), (1 // 0 for _ in range(1)))
    assert "lib" not in state.cursors()
    assert "lib" not in state.open_builds()


def test_what_is_noted_together_is_kept_together(tmp_path: Path) -> None:
    state = again(tmp_path)
    with state.together():
        state.found("app", Cursor(3, 2, settled=True), {1, 2})
        with sqlite3.connect(next((tmp_path / "pollers").glob("*.db"))) as other:
            assert other.execute("SELECT count(*) FROM open_builds").fetchone() == (0,)
        assert open_numbers(state) == {"app": {1, 2}}
    state.close()
    assert open_numbers(again(tmp_path)) == {"app": {1, 2}}


def test_what_was_noted_before_the_controller_failed_is_kept(tmp_path: Path) -> None:
    state = again(tmp_path)

    def fail() -> None:
        with state.together():
            state.found("app", Cursor(3, 2, settled=True), {1, 2})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    state.found("lib", Cursor(2, 1, settled=True), {1})
    state.close()
    assert open_numbers(again(tmp_path)) == {"app": {1, 2}, "lib": {1}}


def test_what_cannot_be_written_together_is_a_clear_error_and_leaves_nothing(state: State) -> None:
    def fail() -> None:
        with state.together():
            state.found("app", Cursor(3, 2, settled=True), {1, 2})
            state._database.execute("PRAGMA query_only = ON")
            state.found("lib", Cursor(2, 1, settled=True), {1})

    with pytest.raises(StateError) as error:
        fail()
    assert "PIPELINE_TRACE_HOME" in one_line(error)
    assert open_numbers(state) == {}
    state._database.execute("PRAGMA query_only = OFF")
    state.found("lib", Cursor(2, 1, settled=True), {1})
    assert open_numbers(state) == {"lib": {1}}


def test_a_build_that_is_read_again_has_the_same_builds_of_its_commit_before_it(state: State) -> None:
    for number in (1, 2, 3):
        state.decided([(build(number), BuildPlace(TRACE))])
        state.built([(build(number), "c0ffee")])
    before = {number: [found for _, found, _, _ in state.same_revision("c0ffee", build(number))] for number in (1, 2, 3, 4)}
    assert before == {1: [], 2: [1], 3: [2, 1], 4: [3, 2, 1]}
