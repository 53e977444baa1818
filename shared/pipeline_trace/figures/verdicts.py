"""Whose failures were, and of which kind. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..change.entries import Entry
from ..trace import conventions as c


class Verdict(NamedTuple):
    """Failures with one verdict. ``owner`` is "" where nobody judged them, ``kind`` where it is not known."""

    owner: str
    kind: str
    entries: Sequence[Entry]


def verdicts_of(entries: Iterable[Entry]) -> list[Verdict]:
    """Return the verdicts on what failed of some deploys or builds, the most frequent first."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for one in entries:
        if one.state in c.FAILED_RESULTS:
            found.setdefault((one.owner, one.kind), []).append(one)
    verdicts = (Verdict(*key, those) for key, those in found.items())
    return sorted(verdicts, key=lambda one: (-len(one.entries), one.owner, one.kind))
