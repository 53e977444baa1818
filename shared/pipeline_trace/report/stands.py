"""Says where a trace stands that goes on, and what it waits for. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..change.running import Waits, waits_of
from ..lookup.standing import standing
from ..lookup.tree import Node
from ..lookup.wording import human_duration, visible
from ..ownership.verdict import UNKNOWN
from ..ownership.waits import FOR, meaning
from .times import time_element_of

# Of one build. It may wait in a hundred branches.
MOST_WAITS = 3
# Of deeply nested spans, the outermost and the inner ones are named.
_MOST_STANDS = 8


def stands_view(nodes: Sequence[Node], silent: Mapping[str, int], now_ns: int) -> dict[str, Any]:
    """Return the open spans, the outermost first, and what they wait for, in the form that the template needs.

    ``silent``: see html.Known. Where a span is heard of, the silent ones tell nothing. ``now_ns``: the time, in nanoseconds
    since the epoch.
    """
    opened = [node.span for node in nodes if not node.span.end_ns]
    heard = [span for span in opened if span.span_id not in silent]
    chain = standing(heard or opened)
    if len(chain) > _MOST_STANDS:
        chain = [chain[0], *chain[1 - _MOST_STANDS :]]
    rows = {node.span.span_id: row for row, node in enumerate(nodes)} if chain else {}
    waits = waits_of(heard)
    return {
        "at": [
            {"row": rows[one.span_id], "name": visible(one.name), "since": time_element_of(one.start_ns)} for one in chain
        ],
        "waits": [wait_view(one, now_ns) for one in waits[:MOST_WAITS]],
        "more_waits": len(waits[MOST_WAITS:]),
    }


def wait_view(wait: Waits, now_ns: int) -> dict[str, object]:
    """Return what something waits for, since when, whose turn it is and what to do, in words. ``now_ns``: as above."""
    meant = meaning(wait.kind, wait.what, wait.reason)
    what = f" ({visible(wait.what)})" if wait.what else ""
    reason = f": {visible(wait.reason)}" if wait.reason else ""
    return {
        "said": f"{FOR[wait.kind]}{what}{reason}",
        "since": time_element_of(wait.since_ns) if wait.since_ns else "",
        "waited": human_duration(max(now_ns - wait.since_ns, 0)),
        "owner": "" if meant.owner == UNKNOWN else meant.owner,
        "next": visible(meant.next),
    }
