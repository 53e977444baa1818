"""Playbooks that ran, once for all workers of a test run, and the spans that they left as a tree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import support
from support import installs

Span = dict[str, Any]
Teller = Callable[[Path], support.Completed]
# A child may begin this much before its parent: times are taken one after another.
SLACK_NS = 50_000_000


@dataclass(frozen=True)
class Played:
    """A command that ran. ``folder``: its own, with what it wrote in ``scratch``."""

    folder: Path
    returncode: int
    stdout: str
    stderr: str

    @cached_property
    def env(self) -> dict[str, str]:
        """Return the environment that it had."""
        return environ(self.folder)

    @cached_property
    def spans(self) -> list[Span]:
        """Return what it left in the store, in the order of beginning."""
        return sorted(support.stored(self.env), key=lambda span: int(span["start_unix_nano"]))

    @cached_property
    def by_id(self) -> dict[str, Span]:
        """Return the spans by their id."""
        return {span["span_id"]: span for span in self.spans}

    @property
    def ours(self) -> list[str]:
        """Return our lines on stderr."""
        return [line for line in self.stderr.splitlines() if "pipeline-trace" in line]

    def root(self) -> Span:
        """Return the one span without a parent."""
        (root,) = [span for span in self.spans if span["parent_span_id"] is None]
        return root

    def children(self, span: Span) -> list[Span]:
        """Return the spans directly under one."""
        return [child for child in self.spans if child["parent_span_id"] == span["span_id"]]

    def all_at(self, *names: str) -> list[Span]:
        """Return the spans at a path of names below the root."""
        found = [self.root()]
        for name in names:
            found = [child for span in found for child in self.children(span) if child["name"] == name]
        return found

    def at(self, *names: str) -> Span:
        """Return the one span at a path of names below the root."""
        found = self.all_at(*names)
        assert len(found) == 1, f"{len(found)} spans at {' / '.join(names)}"
        return found[0]

    def hosts(self, *names: str) -> dict[str, Span]:
        """Return the hosts of the task at a path."""
        return {child["name"]: child for child in self.children(self.at(*names)) if kind(child) == "host"}

    def results(self, *names: str) -> dict[str, str]:
        """Return the hosts' outcomes of the task at a path."""
        return {name: span["attributes"]["ansible.result"] for name, span in self.hosts(*names).items()}

    def outline(self, span: Span | None = None) -> dict[str, Any]:
        """Return a span with all below it in a form that every run and version has; order and times are left out."""
        span = span or self.root()
        told = ("ansible.type", "ansible.result", "cicd.pipeline.task.run.result", "error.type")
        found = {name: span["attributes"][name] for name in told if name in span["attributes"]}
        below = sorted((self.outline(child) for child in self.children(span)), key=lambda outline: json.dumps(outline))
        return {"name": span["name"], "status": span["status"]["code"], **found, "below": below}


def kind(span: Span) -> str:
    """Return what a span is: playbook, play, …"""
    return str(span["attributes"].get("ansible.type"))


def events(span: Span, name: str) -> list[dict[str, Any]]:
    """Return the attributes of a span's events of this name."""
    return [event["attributes"] for event in span["events"] if event["name"] == name]


def environ(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command that runs in a folder of its own."""
    scratch = str(folder / "scratch")
    # HOME is not root's: Ansible's jobs in the background would be looked for where they are not.
    return support.environ(folder, ANSIBLE_ASYNC_DIR=scratch, **(more or {}))


def once(folder: Path, run: Teller) -> Played:
    """Return what a command did, run by the first of the workers that asks. ``run`` is given the folder."""

    def make(folder: Path) -> None:
        (folder / "scratch").mkdir()
        done = run(folder)
        said = {"returncode": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
        (folder / "said.json").write_text(json.dumps(said))

    installs.once(folder, make)
    return Played(folder, **json.loads((folder / "said.json").read_text()))


def run(folder: Path, command: Iterable[object], more: Mapping[str, str] | None = None) -> support.Completed:
    """Run a command in its folder, away from this checkout's ansible.cfg."""
    return support.run(*command, env=environ(folder, more), cwd=folder)
