"""A person's own machine: the git commit, and whether the tree is clean, at no risk."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import support

from pipeline_trace.place.ci.laptop import checkout_attributes
from pipeline_trace.place.locate import locate

pytestmark = pytest.mark.process

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}
LONG = 30.0


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=ENV, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@contextmanager
def chdir(folder: Path) -> Iterator[None]:
    """The path of a socket must be short."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "feature/x")
    (folder / "site.yml").write_text("one\n", encoding="ascii")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_a_clean_tree(tree: Path) -> None:
    assert checkout_attributes(tree, ENV, LONG) == {
        "vcs.ref.head.revision": git(tree, "rev-parse", "HEAD"),
        "vcs.ref.head.name": "feature/x",
        "vcs.ref.head.type": "branch",
        "git.tree.clean": True,
    }
    (tree / "notes.txt").touch()
    assert checkout_attributes(tree, ENV, LONG)["git.tree.clean"] is True


def test_a_changed_tree_also_from_below(tree: Path) -> None:
    (tree / "site.yml").write_text("two\n", encoding="ascii")
    (tree / "roles").mkdir()
    for folder in (tree, tree / "roles"):
        assert checkout_attributes(folder, ENV, LONG)["git.tree.clean"] is False


def test_a_commit_that_is_on_no_branch(tree: Path) -> None:
    git(tree, "checkout", "-q", "--detach")
    found = checkout_attributes(tree, ENV, LONG)
    assert found["vcs.ref.head.revision"] == git(tree, "rev-parse", "HEAD")
    assert "vcs.ref.head.name" not in found


def test_packed_branches_and_linked_working_trees(tree: Path) -> None:
    git(tree, "worktree", "add", "-q", "-b", "other", "../linked")
    git(tree, "pack-refs", "--all")
    for folder, branch in ((tree, "feature/x"), (tree.parent / "linked", "other")):
        found = checkout_attributes(folder, ENV, LONG)
        assert (found["vcs.ref.head.revision"], found["vcs.ref.head.name"]) == (git(tree, "rev-parse", "HEAD"), branch)
        assert found["git.tree.clean"] is True


def test_outside_git_and_before_the_first_commit_nothing_is_said(tmp_path: Path) -> None:
    assert checkout_attributes(tmp_path, ENV, LONG) == {}
    git(tmp_path, "init", "-q")
    assert checkout_attributes(tmp_path, ENV, LONG) == {}


@pytest.mark.parametrize("content", ["", "ref: ", "ref: refs/heads/../../../etc/passwd", "junk", "\0\udcff"])
def test_a_broken_repository_is_no_failure(tree: Path, content: str) -> None:
    (tree / ".git" / "HEAD").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert checkout_attributes(tree, ENV, LONG) == {}


def test_a_git_that_hangs_is_left_alone_and_the_commit_is_told(tree: Path, tmp_path: Path) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nsleep 60 & sleep 60\n", encoding="ascii")
    (slow / "git").chmod(0o755)
    commit = git(tree, "rev-parse", "HEAD")
    # The look-up of the program is this process's.
    old, os.environ["PATH"] = os.environ["PATH"], f"{slow}:{os.environ['PATH']}"
    try:
        found = checkout_attributes(tree, {**ENV, "PATH": os.environ["PATH"]}, 0.1)
    finally:
        os.environ["PATH"] = old
    assert found["vcs.ref.head.revision"] == commit
    # Had it been waited for, there would be an answer.
    assert "git.tree.clean" not in found


def test_nothing_of_the_repository_runs_and_nothing_is_written(tree: Path) -> None:
    """Whether a file has to be compared (its time changed), is compared always (racy), or was changed."""
    ran = tree.parent / "ran"
    script = f"touch {ran}; cat"
    for name in ("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "diff.external"):
        git(tree, "config", name, script)
    git(tree, "config", "core.fsmonitor", f"touch {ran}; false")
    git(tree, "config", "core.sshCommand", script)
    git(tree, "config", "core.pager", script)
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (tree / ".git" / "hooks").mkdir(exist_ok=True)
        (tree / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        (tree / ".git" / "hooks" / hook).chmod(0o755)
    (tree / ".git" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n", encoding="ascii")
    index = tree / ".git" / "index"
    before = index.read_bytes()
    for times in ((1, 1), (index.stat().st_mtime_ns,) * 2, (index.stat().st_mtime_ns + 1_000_000_000,) * 2):
        os.utime(tree / "site.yml", ns=times)
        assert checkout_attributes(tree, ENV, LONG)["git.tree.clean"] is True
    # The filter might make of it what is committed.
    (tree / "site.yml").write_text("two\n", encoding="ascii")
    assert "git.tree.clean" not in checkout_attributes(tree, ENV, LONG)
    (tree / "site.yml").unlink()
    assert checkout_attributes(tree, ENV, LONG)["git.tree.clean"] is False
    assert not ran.exists()
    assert index.read_bytes() == before


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_version_of_the_index_is_read(tree: Path, version: str) -> None:
    git(tree, "config", "index.version", version)
    for name in ("a", "abc", "roles/web/tasks/main.yml", "roles/web/tasks/main2.yml", "z" * 200, "ü"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name, encoding="utf-8")
    (tree / "link").symlink_to("site.yml")
    (tree / "run.sh").touch()
    (tree / "run.sh").chmod(0o755)
    git(tree, "update-index", "--index-version", version)
    git(tree, "add", ".")
    assert checkout_attributes(tree, ENV, LONG)["git.tree.clean"] is False, "added and not committed"
    git(tree, "commit", "-q", "-m", "two")
    git(tree, "rm", "-q", "--cached", "abc")
    git(tree, "add", "--intent-to-add", "abc")
    assert checkout_attributes(tree, ENV, LONG)["git.tree.clean"] is False
    git(tree, "reset", "-q")
    git(tree, "update-index", "--skip-worktree", "a")
    (tree / "a").unlink()
    assert checkout_attributes(tree, ENV, LONG)["git.tree.clean"] is True
    (tree / "link").unlink()
    (tree / "link").symlink_to("site.yaml")
    assert checkout_attributes(tree, ENV, LONG)["git.tree.clean"] is False


def test_what_cannot_be_told_safely_is_left_out(tree: Path) -> None:
    # Whether the mode counts, is in the configuration.
    (tree / "site.yml").chmod(0o755)
    assert "git.tree.clean" not in checkout_attributes(tree, ENV, LONG)
    (tree / "site.yml").chmod(0o644)
    (tree / "site.yml").write_bytes(b"one\r\n")
    assert "git.tree.clean" not in checkout_attributes(tree, ENV, LONG)
    (tree / "site.yml").write_bytes(b"one\n")
    assert checkout_attributes(tree, ENV, LONG)["git.tree.clean"] is True
    git(tree, "update-index", "--split-index")
    assert "git.tree.clean" not in checkout_attributes(tree, ENV, LONG)
    index = (tree / ".git" / "index").read_bytes()
    for content in (b"", b"DIRC", index[:30], index[:12] + b"\xff" * 50, index[:8] + b"\xff" * 4 + index[12:]):
        (tree / ".git" / "index").write_bytes(content)
        assert "git.tree.clean" not in checkout_attributes(tree, ENV, LONG)


@pytest.mark.parametrize("name", [".git", ".git/HEAD", ".git/refs/heads/feature/x", ".git/packed-refs", ".git/commondir"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder", "endless"])
def test_a_file_of_gits_that_is_none_holds_nothing_up(tree: Path, name: str, kind: str) -> None:
    path = tree / name
    if name == ".git/packed-refs":
        git(tree, "pack-refs", "--all")
    if path.exists():
        path.rename(tree.parent / "away")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with closing(socket.socket(socket.AF_UNIX)) as bound, chdir(path.parent):
            bound.bind(path.name)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 36)
    checkout_attributes(tree, ENV, LONG)


def test_who_has_a_parent_says_nothing_of_git(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert locate(ENV, None, git_seconds=LONG).attributes["git.tree.clean"] is True
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert locate({**ENV, "TRACEPARENT": traceparent}, None).attributes == {}


def test_a_command_run_there_carries_the_commit(tree: Path, env: dict[str, str]) -> None:
    done = support.spawn("exec", "--", "true", env=env, cwd=tree)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    support.trace("ship", env=env)
    from support.processes import wait_for

    (span,) = wait_for(lambda: support.stored(env), "span")
    assert span["attributes"]["vcs.ref.head.revision"] == git(tree, "rev-parse", "HEAD")
