"""Finds deploys and builds in which Ansible ran on a host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..lookup.lookup import Lookup
from ..lookup.source import Window
from ..trace import conventions as c
from ..trace.queries import is_playbook, is_run
from ..trace.span import Span
from .entries import Entry
from .runs import RunTree

# A page reads fewer. Of a host on which more ran, a time finds what is older.
_MOST = 2000
_RECAP = "recap"


class OnHost(NamedTuple):
    """The traces in which Ansible ran on a host, each with when its newest task there ended; what runs ends later than all.

    ``whole``: False if there may be older ones.
    """

    host: str
    ended_ns: Mapping[str, int]
    whole: bool


def on_host(lookup: Lookup, host: str, within: Window) -> OnHost:
    """Return the traces in which tasks ended on a host within a time."""
    found = lookup.ran_on(host, within, _MOST)
    return OnHost(host, {one.trace_id: one.end_ns for one in found}, len(found) < _MOST)


def ran_there(found: OnHost, spans: Sequence[Span]) -> Callable[[Entry], bool]:
    """Return whether Ansible ran on the host in a deploy or a build, by the outlines of traces."""
    tree = RunTree(spans)
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    playbooks = _playbooks(found, spans)

    def ran(entry: Entry) -> bool:
        own = by_id.get((entry.trace_id, entry.span_id))
        return own is not None and any(_is_in(tree, playbook, own) for playbook in playbooks)

    return ran


def _is_in(tree: RunTree, playbook: Span, own: Span) -> bool:
    """Return whether a playbook is a deploy or a build, or ran in it, but not in a build that it started."""
    if is_run(own):
        return tree.run_above(playbook) is own
    return playbook is own or tree.is_below(playbook, own)


def _playbooks(found: OnHost, spans: Sequence[Span]) -> list[Span]:
    """Return the playbooks that ran on the host: their recap says it.

    One that was killed, or runs, has none: then its trace says it, unless another one's recap does.
    """
    playbooks = [span for span in spans if is_playbook(span) and span.trace_id in found.ended_ns]
    told = [span for span in playbooks if found.host in _hosts(span)]
    traces = {span.trace_id for span in told}
    return told + [span for span in playbooks if span.trace_id not in traces and not _hosts(span)]


def _hosts(playbook: Span) -> set[str]:
    return {str(event.attributes.get(c.ANSIBLE_HOST_NAME)) for event in playbook.events if event.name == _RECAP}
