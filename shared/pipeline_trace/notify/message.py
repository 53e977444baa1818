"""Puts what is to be told into words: the text of a message, and the values that a user's template gets. Does no I/O."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..lookup.wording import utc_time
from ..ownership.verdict import TEAM_NAMES, UNKNOWN
from .told import CHANGED, OVER, Story

_OWNERS = {**TEAM_NAMES, UNKNOWN: "unknown"}
# Names that a message about many jobs has.
_MOST_NAMES = 10

Escape = Callable[[str], str]
Value = str | int | float


@dataclass(frozen=True)
class Message:
    """A message. ``id``: the same if it is sent again. ``head``: one sentence. ``lines``: below it. ``link``: text and URL.

    ``quoted``: the line that decides, "" for none.
    """

    id: str
    head: str
    quoted: str = ""
    lines: Sequence[str] = ()
    link: tuple[str, str] = ("", "")

    @property
    def text(self) -> str:
        """Return the whole message as plain text."""
        return "\n".join(filter(None, (self.head, self.quoted, *self.lines, self.link[1])))


def message_of(stories: Sequence[Story]) -> Message:
    """Return the message about a story, or about many in short."""
    return _single(stories[0]) if len(stories) == 1 else _many(stories)


def values_of(stories: Sequence[Story], escape: Escape = str) -> dict[str, Value]:
    """Return what a template may use: flat values, the same names for every message. ``escape``: of every text."""
    story, message = stories[0], message_of(stories)
    failing, before = story.now or story.told, story.told
    assert failing
    found: dict[str, Value] = {
        "id": message.id,
        "state": story.state,
        "owner": failing.owner,
        "kind": failing.kind,
        "confidence": round(failing.confidence, 2),
        "owner_before": before.owner if before else "",
        "kind_before": before.kind if before else "",
        "job": story.last.job,
        "environment": story.last.environment,
        "run": failing.run,
        "url": failing.url,
        "since": utc_time(failing.since_ns),
        "times": failing.times,
        "line": failing.line,
        "next": failing.next,
        "text": message.text,
    }
    if len(stories) > 1:
        # About many jobs: only what is true of all.
        found = {name: "" if isinstance(value, str) else 0 for name, value in found.items()}
        found |= {"id": message.id, "state": "many", "text": message.text}
    found["more"] = len(stories) - 1
    return {name: escape(value) if isinstance(value, str) else value for name, value in found.items()}


def _single(story: Story) -> Message:
    failing = story.now or story.told
    assert failing
    where = _where(story)
    identity = _id([story])
    if story.state == OVER:
        since = f"It failed since {utc_time(failing.since_ns)}{_times(failing.times)}: {_said(failing.owner, failing.kind)}."
        return Message(identity, f"{where} passes again.", lines=[since], link=(failing.run, failing.url))
    head = f"{_asked(failing.owner)}: {where} fails{_with(failing.kind)}{_sure(failing.owner, failing.confidence)}."
    if story.state == CHANGED and story.told:
        head += f" Before, it was {_said(story.told.owner, story.told.kind)}."
    since = f"Since {utc_time(failing.since_ns)}{_times(failing.times)}, last in {failing.run}."
    lines = [since, *([f"Next: {failing.next}"] if failing.next else [])]
    return Message(identity, head, failing.line, lines, (failing.run, failing.url))


def _many(stories: Sequence[Story]) -> Message:
    """Return the message for what is more than the limit of messages."""
    begun = [story for story in stories if story.state != OVER]
    owners = Counter(story.now.owner for story in begun if story.now)
    counts = [f"{owners[owner]} {name}" for owner, name in _OWNERS.items() if owners[owner]]
    counts += [f"{len(stories) - len(begun)} pass again"] if len(begun) < len(stories) else []
    names = [_where(story) for story in stories[:_MOST_NAMES]]
    names += [f"and {len(stories) - _MOST_NAMES} others"] if len(stories) > _MOST_NAMES else []
    return Message(_id(stories), f"And {len(stories)} more: {', '.join(counts)}.", lines=[", ".join(names)])


def _where(story: Story) -> str:
    job, environment = story.last.job, story.last.environment
    return f"{job} to {environment}" if environment else job


def _asked(owner: str) -> str:
    return f"{TEAM_NAMES[owner]} should look" if owner in TEAM_NAMES else "It is not known who should look"


def _with(kind: str) -> str:
    return "" if kind == UNKNOWN else f" with {kind}"


def _said(owner: str, kind: str) -> str:
    return f"{_OWNERS.get(owner, owner)}, {kind}"


def _sure(owner: str, confidence: float) -> str:
    return f" ({confidence:.0%} sure)" if owner in TEAM_NAMES else ""


def _times(times: int) -> str:
    return f" ({times} times)" if times > 1 else ""


def _id(stories: Sequence[Story]) -> str:
    told = "\0".join("\0".join((*story.place, str(story.last.ended_ns), story.state)) for story in stories)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]
