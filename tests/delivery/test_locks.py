"""A file system without locks: one line that says what to do, nothing lost, and nothing sent twice."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import support
from support.lockless import site, without_locks
from support.polling import Memory

from jenkins_poller.poll.database import Database, StateError
from pipeline_trace.delivery import home, locks
from pipeline_trace.delivery.journal import JournalError, Writer
from pipeline_trace.delivery.ship import follow, ship_one
from pipeline_trace.trace.span import Span

NONE = [errno.ENOLCK, errno.EOPNOTSUPP]
REMEDY = "set PIPELINE_TRACE_HOME to a folder on a local disk"
SPAN = Span("a" * 32, "b" * 16, None, "deploy", 1_000, 2_000)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAGAIN])
def test_a_lock_that_somebody_has_is_not_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    without_locks(monkeypatch, tmp_path, number)
    with (tmp_path / "file").open("wb") as file:
        assert locks.take(file.fileno()) is False
    locks.check(tmp_path)


@pytest.mark.parametrize("number", NONE)
def test_no_locks_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    without_locks(monkeypatch, tmp_path, number)
    with (tmp_path / "file").open("wb") as file, pytest.raises(locks.NoLocksError, match=f"^its file system .*{REMEDY}$"):
        locks.take(file.fileno())
    with pytest.raises(locks.NoLocksError):
        locks.check(tmp_path)


@pytest.mark.parametrize("number", NONE)
def test_a_home_without_locks_is_replaced_by_the_spare_folder_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    without_locks(monkeypatch, tmp_path / "nfs", number)
    (tmp_path / "tmp").mkdir()
    environ = {"PIPELINE_TRACE_HOME": str(tmp_path / "nfs"), "TMPDIR": str(tmp_path / "tmp")}
    found = home.find_home(environ)
    assert found.path == tmp_path / "tmp" / f"pipeline-trace-{os.getuid()}"
    assert f"{tmp_path / 'nfs'} (its file system gives no locks); using {found.path}" in found.warning
    assert found.warning.endswith("Set PIPELINE_TRACE_HOME to a writable folder on a local disk")


def test_what_of_a_home_cannot_be_checked_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".locks").symlink_to("elsewhere")
    assert home.find_home({"PIPELINE_TRACE_HOME": str(tmp_path)}).warning == ""


def test_no_journal_is_written_that_nobody_could_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, tmp_path)
    with pytest.raises(JournalError, match=f"^cannot use {tmp_path}: its file system .*{REMEDY}$"):
        Writer(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_there_is_neither_lost_nor_sent_until_there_are_locks(tmp_path: Path) -> None:
    writer, kept = Writer(tmp_path), Memory()
    writer.span(SPAN)
    writer.end()
    with pytest.MonkeyPatch.context() as patch:
        without_locks(patch, tmp_path)
        outcome = ship_one(writer.path, kept)
        assert outcome.problem.startswith(f"{writer.path}: its file system ")
        assert REMEDY in outcome.problem
        with pytest.raises(locks.NoLocksError):
            follow(writer.path, kept, 1.0, lambda seconds: None)
    assert (kept.spans, writer.path.exists()) == ([], True)
    assert ship_one(writer.path, kept).done
    assert [span.span_id for span in kept.spans] == [SPAN.span_id]


def test_a_poller_says_so_and_does_not_speak_of_another_poller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, tmp_path)
    with pytest.raises(StateError, match=f"^cannot lock .*: its file system .*{REMEDY}$"):
        Database(tmp_path / "pollers", "https://ci.example.com")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose home has no locks."""
    (tmp_path / "tmp").mkdir()
    found = support.environ(tmp_path, TMPDIR=str(tmp_path / "tmp"))
    return {**found, "PYTHONPATH": site(tmp_path, Path(found["PIPELINE_TRACE_HOME"]))}


def elsewhere(env: dict[str, str]) -> dict[str, str]:
    return {**env, "PIPELINE_TRACE_HOME": f"{env['TMPDIR']}/pipeline-trace-{os.getuid()}"}


@pytest.mark.process
def test_exec_keeps_its_span_elsewhere_and_says_so_in_one_line(env: dict[str, str]) -> None:
    done = support.spawn("exec", "--name", "deploy", "--", "true", env=env)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "gives no locks" in line
    shipped = support.spawn("ship", env=env)
    assert "gives no locks" in shipped.stderr
    assert [span["name"] for span in support.stored(elsewhere(env))] == ["deploy"]
    assert support.journals(env) == support.journals(elsewhere(env)) == []
    shown = support.spawn("show", env=env)
    assert "deploy" in shown.stdout
    assert "gives no locks" in shown.stderr


@pytest.mark.process
def test_a_playbook_keeps_its_spans_elsewhere_and_says_so_in_one_line(env: dict[str, str], tmp_path: Path) -> None:
    playbook = support.write_playbook(tmp_path, support.DEPLOY)
    done = support.run_playbook(playbook, env=env, hosts="h1,")
    assert done.returncode == 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if "no locks" in line]
    assert len(said) == 1, done.stdout + done.stderr
    assert support.named(support.stored(elsewhere(env)), "playbook site.yml")
