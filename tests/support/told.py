"""The demo and its incidents, told once for all workers of a test run, and a source that has their spans."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import support
from pipeline_trace.trace.span import Span
from support import installs, played

INCIDENTS = ("host-down", "broken-change")


def demo(base: Path) -> played.Played:
    """Return the demo; its home is the folder ``told``. ``base``: the worker's base of temporary folders."""

    def tell(folder: Path) -> support.Completed:
        return support.spawn("demo", "-o", folder / "told", env=support.environ(folder, ANSIBLE_PIPELINING="0"))

    return _told(base, "demo", tell)


def incidents(base: Path) -> played.Played:
    """Return the incidents; their homes are in the folder ``told``. ``base``: as of ``demo``."""
    if not shutil.which("ssh"):
        pytest.skip("no ssh client: `make sshd` installs it")

    def tell(folder: Path) -> support.Completed:
        # As a user has it: where Ansible pipelines, it says less of why ssh failed.
        env = support.environ(folder, ANSIBLE_PIPELINING="0")
        return support.spawn("demo", "--incident", "-o", folder / "told", env=env, timeout=900)

    return _told(base, "incident", tell)


def spans(home: Path) -> list[Span]:
    """Return the spans in a home's store."""
    return [Span.from_dict(span) for span in support.stored({"PIPELINE_TRACE_HOME": str(home)})]


def moved(spans: Sequence[Span], to_ns: int) -> list[Span]:
    """Return the spans as if the last of them had ended at a moment: what is asked in time windows depends on no clock."""
    by = to_ns - max(span.end_ns for span in spans)
    return [
        replace(
            span,
            start_ns=span.start_ns + by,
            end_ns=span.end_ns + by,
            events=[replace(event, time_ns=event.time_ns + by) for event in span.events],
        )
        for span in spans
    ]


def _told(base: Path, name: str, tell: played.Teller) -> played.Played:
    done = played.once(installs.shared_folder(base) / name, tell)
    assert done.returncode == 0, done.stderr
    return done
