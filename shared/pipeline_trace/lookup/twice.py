"""Leaves out what is told twice: builds of the poller that Jenkins' OpenTelemetry plugin tells, too. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from ..trace.others import is_of_plugin
from ..trace.queries import build_name_of, run_url_of
from ..trace.span import Span


def once_a_build(runs: Sequence[Span]) -> list[Span]:
    """Return the runs, each build once: as the poller tells it, which knows more of it."""
    polled = {build_of(run) for run in runs if not is_of_plugin(run)}
    return [run for run in runs if not (is_of_plugin(run) and build_of(run) in polled)]


def are_twice(one: Span, other: Span) -> bool:
    """Tell whether two run spans are of one build, one told by the plugin, the other by the poller."""
    return is_of_plugin(one) != is_of_plugin(other) and build_of(one) == build_of(other)


def build_of(run: Span) -> tuple[str, str]:
    """Return what two run spans of one build have in common: its name and its address. Controllers may share names."""
    return build_name_of(run), run_url_of(run)
