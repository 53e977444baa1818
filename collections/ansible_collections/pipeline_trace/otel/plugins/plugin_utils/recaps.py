# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Puts Ansible's recap on the span of a playbook: an event for each host, and the sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import core

c = core.conventions
# Hosts beyond this number get no event, but count in the sums.
_MOST_EVENTS = 1000


class Recaps:
    """The recaps of one Ansible command. Ansible's counters go on over all of its playbooks."""

    def __init__(self, now: Callable[[], int]) -> None:
        """``now``: see core.clock."""
        self._now = now
        self._before: dict[str, Mapping[str, int]] = {}

    def put(self, span: Any, counts: Iterable[tuple[str, Mapping[str, int]]]) -> None:
        """Put a playbook's own counts on its span. ``counts``: Ansible's by host, with those of the earlier playbooks."""
        sums = Counter[str]()
        for host, so_far in counts:
            numbers = Counter(so_far)
            numbers.subtract(self._before.get(host, {}))
            self._before[host] = so_far
            sums.update(numbers)
            if len(span.events) < _MOST_EVENTS:
                attributes = {c.ANSIBLE_HOST_NAME: core.redact.masked(host), **numbers}
                span.events.append(core.span.Event("recap", self._now(), attributes))
        span.attributes.update({f"{c.ANSIBLE_STATS_PREFIX}{word}": number for word, number in sums.items()})
