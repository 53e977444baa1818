"""The folder for journals and the store. What cannot be written lies below a file: root may write everywhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pipeline_trace.delivery import home
from pipeline_trace.delivery.home import HomeError


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """Return a path that nobody can make."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "below"


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Return all variables, each naming a folder of its own."""
    for name in ("own", "xdg", "home", "tmp"):
        (tmp_path / name).mkdir()
    return {
        "PIPELINE_TRACE_HOME": str(tmp_path / "own"),
        "XDG_STATE_HOME": str(tmp_path / "xdg"),
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
    }


def without(variables: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in names}


def spare(variables: dict[str, str]) -> Path:
    return Path(variables["TMPDIR"]) / f"pipeline-trace-{os.getuid()}"


def test_the_order_of_the_variables(variables: dict[str, str], tmp_path: Path) -> None:
    assert home.find_home(variables).path == tmp_path / "own"
    variables = without(variables, "PIPELINE_TRACE_HOME")
    assert home.find_home(variables).path == tmp_path / "xdg/pipeline-trace"
    variables = without(variables, "XDG_STATE_HOME")
    assert home.find_home(variables).path == tmp_path / "home/.local/state/pipeline-trace"
    variables = without(variables, "HOME")
    assert home.find_home(variables).path == spare(variables)


@pytest.mark.parametrize("name", ["PIPELINE_TRACE_HOME", "XDG_STATE_HOME", "HOME"])
def test_an_empty_variable_counts_as_absent(variables: dict[str, str], name: str) -> None:
    assert home.find_home({**variables, name: ""}) == home.find_home(without(variables, name))


def test_a_relative_state_home_is_ignored_as_the_specification_asks(variables: dict[str, str], tmp_path: Path) -> None:
    found = home.find_home({**without(variables, "PIPELINE_TRACE_HOME"), "XDG_STATE_HOME": "relative"})
    assert found.path == tmp_path / "home/.local/state/pipeline-trace"


def test_a_home_of_slash_is_that_of_a_container_without_a_user(variables: dict[str, str]) -> None:
    found = home.find_home({"HOME": "/", "TMPDIR": variables["TMPDIR"]})
    assert (found.path, found.warning) == (spare(variables), "")


def test_a_relative_folder_of_our_own_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert home.find_home({"PIPELINE_TRACE_HOME": "here"}).path == tmp_path / "here"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home.find_home({"PIPELINE_TRACE_HOME": "~/traces", "HOME": str(tmp_path)}).path == tmp_path / "traces"


def test_a_tilde_with_an_unknown_user_is_a_clear_error_or_the_spare_folder(variables: dict[str, str]) -> None:
    found = home.find_home({**variables, "PIPELINE_TRACE_HOME": "~nobody-of-this-name/traces"})
    assert "PIPELINE_TRACE_HOME" in found.warning


def test_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        found = home.find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "a/b")})
    finally:
        os.umask(before)
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(found.journals.stat().st_mode) == 0o700


def test_the_folders_of_a_home(tmp_path: Path) -> None:
    found = home.find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "x")})
    assert found.journals == tmp_path / "x/journals"
    assert found.store == tmp_path / "x/traces.db"
    assert found.journals.is_dir()
    assert not found.store.exists()
    assert found.warning == ""


def test_finding_it_again_changes_nothing(tmp_path: Path) -> None:
    environ = {"PIPELINE_TRACE_HOME": str(tmp_path / "x")}
    (home.find_home(environ).journals / "1.journal").touch()
    assert [path.name for path in home.find_home(environ).journals.iterdir()] == ["1.journal"]


@pytest.mark.parametrize("name", ["PIPELINE_TRACE_HOME", "XDG_STATE_HOME", "HOME"])
def test_what_cannot_be_written_is_replaced_by_a_spare_folder_and_said(
    variables: dict[str, str], blocked: Path, name: str
) -> None:
    order = ["PIPELINE_TRACE_HOME", "XDG_STATE_HOME", "HOME"]
    environ = {**without(variables, *order[: order.index(name)]), name: str(blocked)}
    found = home.find_home(environ)
    assert found.path == spare(variables)
    assert found.journals.is_dir()
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o700
    assert str(blocked) in found.warning
    assert str(found.path) in found.warning
    assert "Not a directory" in found.warning
    assert len(found.warning.splitlines()) == 1


def test_a_file_in_the_journals_place_counts_as_unwritable(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "own" / "journals").touch()
    found = home.find_home(variables)
    assert found.path == spare(variables)
    assert found.warning


def test_where_nothing_can_be_written_one_line_names_the_variable(blocked: Path) -> None:
    with pytest.raises(HomeError) as error:
        home.find_home({"PIPELINE_TRACE_HOME": str(blocked), "TMPDIR": str(blocked)})
    assert str(error.value).endswith("set PIPELINE_TRACE_HOME to a writable folder on a local disk")
    assert len(str(error.value).splitlines()) == 1


def test_without_a_home_the_error_says_so(blocked: Path) -> None:
    with pytest.raises(HomeError, match="no home folder"):
        home.find_home({"TMPDIR": str(blocked)})


def test_a_spare_folder_of_another_user_is_not_used(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"TMPDIR": variables["TMPDIR"]}
    folder = home.find_home(environ).path
    real = os.getuid()
    # The folder's name holds our uid; it was made by somebody else.
    monkeypatch.setattr(os, "getuid", lambda: real + 1)
    folder.rename(folder.with_name(f"pipeline-trace-{real + 1}"))
    with pytest.raises(HomeError, match="belongs to another user"):
        home.find_home(environ)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o777])
def test_a_spare_folder_that_others_can_use_is_not_used(variables: dict[str, str], mode: int) -> None:
    spare(variables).mkdir()
    spare(variables).chmod(mode)
    with pytest.raises(HomeError):
        home.find_home({"TMPDIR": variables["TMPDIR"]})
    assert list(spare(variables).iterdir()) == []


def test_a_link_in_the_spare_folders_place_is_not_followed(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o700)
    spare(variables).symlink_to(tmp_path / "target")
    with pytest.raises(HomeError):
        home.find_home({"TMPDIR": variables["TMPDIR"]})
    assert list((tmp_path / "target").iterdir()) == []
