"""Decides what is to be told: compares how each job ended last with what was told of it. Does no I/O.

Nothing is queued. What is not told yet follows from the two, so a failure that begins and ends while the webhook is down,
or within one poll, needs no message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .outcome import Failing, Outcome, failing_from_dict

BEGUN, CHANGED, OVER = "begun", "changed", "over"

# Older outcomes are no news, such as those that a service reads after a long stop.
NEWS_NS = 7 * 86_400 * 10**9
# Jobs that passed are remembered so that an older failure, read late, is not told. Those that fail stay much longer.
_MOST_PASSED = 1000
_MOST_FAILING = 5000
# An end that is further in the future comes from a wrong clock: what really ends later would count as older.
_AHEAD_NS = 86_400 * 10**9
_KEPT_NS = 90 * 86_400 * 10**9
# Messages within a time, seconds. What is more goes into one message, the last of them.
MOST_MESSAGES = 6
WINDOW = 600.0

# A longer one comes from a clock that was wrong: a webhook may ask for a day at most.
_LONGEST_PAUSE = 86_400.0

Place = tuple[str, str, str]
"""A controller, a job or a playbook of it, and an environment."""
Judge = Callable[[Outcome], Failing]


def place_of(outcome: Outcome) -> Place:
    """Return what an outcome is about."""
    return outcome.controller, outcome.job, outcome.environment


@dataclass(frozen=True)
class Story:
    """What is known of a job in an environment. ``last``: how it ended last. ``told``: the failure that was told last."""

    last: Outcome
    told: Failing | None = None

    @property
    def place(self) -> Place:
        """Return what the story is about."""
        return place_of(self.last)

    @property
    def now(self) -> Failing | None:
        """Return the failure; None if the job passed."""
        return self.last.failing

    @property
    def state(self) -> str:
        """Return what is to be told: BEGUN, CHANGED, OVER; "" for nothing."""
        if self.told is None:
            return BEGUN if self.now else ""
        if self.now is None:
            return OVER
        return CHANGED if (self.now.owner, self.now.kind) != (self.told.owner, self.told.kind) else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the story as JSON-ready data."""
        return {"last": self.last.to_dict(), "told": asdict(self.told) if self.told else None}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Story:
        """Return the story that ``to_dict`` gave. Raises KeyError, TypeError, ValueError."""
        return Story(Outcome.from_dict(data["last"]), failing_from_dict(data["told"]))


@dataclass(frozen=True)
class Book:
    """All stories, and how sending goes. Times in seconds since the epoch, but for ``since_ns``.

    ``since_ns``: what ended before it is never told. ``sent``: when messages were sent. ``tries``: failed ones since the
    last that arrived. ``next_try``: when to send again. ``problem``: why the last one did not arrive. ``seen_s``: when the
    last trace arrived that ``serve`` has looked at.
    """

    since_ns: int
    stories: Mapping[Place, Story] = field(default_factory=dict)
    sent: Sequence[float] = ()
    tries: int = 0
    next_try: float = 0.0
    problem: str = ""
    seen_s: int = 0

    def with_outcomes(self, outcomes: Iterable[Outcome], judge: Judge, now_ns: int) -> Book:
        """Return the book with outcomes, of which only the last of each job counts.

        ``judge``: returns the failure of an outcome as it is to be told. It is asked only if that may be something new.
        """
        stories, news = dict(self.stories), dict[Place, list[Outcome]]()
        for outcome in sorted(outcomes, key=lambda one: one.ended_ns):
            news.setdefault(place_of(outcome), []).append(outcome)
        for place, ended in news.items():
            known = stories.get(place)
            since_ns = max(self.since_ns, now_ns - NEWS_NS, known.last.ended_ns + 1 if known else 0)
            ended = [one for one in ended if since_ns <= one.ended_ns < now_ns + _AHEAD_NS]
            if ended:
                stories[place] = _gone_on(known, ended, judge)
        return replace(self, stories=_kept(stories, now_ns))

    def due(self, now: float) -> list[list[Story]]:
        """Return the messages to send now: the stories of each. More than one story: they are told in short, together."""
        waiting = sorted((story for story in self.stories.values() if story.state), key=lambda story: story.last.ended_ns)
        room = MOST_MESSAGES - len(self._recent(now))
        if len(waiting) <= room:
            return [[story] for story in waiting]
        alone = max(room - 1, 0)
        return [[story] for story in waiting[:alone]] + ([waiting[alone:]] if room > 0 else [])

    def waits(self, now: float) -> float:
        """Return the seconds until the next message may be sent; 0 if it may be now."""
        recent = self._recent(now)
        full = min(recent) + WINDOW - now if len(recent) >= MOST_MESSAGES else 0.0
        later = self.next_try - now
        return max(full, later if later <= _LONGEST_PAUSE else 0.0, 0.0)

    def with_told(self, stories: Iterable[Story], now: float) -> Book:
        """Return the book after a message about these stories has arrived."""
        told = {story.place: replace(story, told=story.now) for story in stories}
        return replace(
            self, stories={**self.stories, **told}, sent=[*self._recent(now), now], tries=0, next_try=0, problem=""
        )

    def _recent(self, now: float) -> list[float]:
        # A later time comes from a clock that was wrong.
        return [at for at in self.sent if now - WINDOW < at <= now]


def _gone_on(known: Story | None, ended: Sequence[Outcome], judge: Judge) -> Story:
    """Return a story after more outcomes, in their order."""
    last, earlier = ended[-1], known.now if known else None
    told = known.told if known else None
    if last.failing is None:
        whole = replace(told, since_ns=earlier.since_ns, times=earlier.times) if told and earlier else told
        return Story(last, whole)
    row: list[Failing] = []
    for one in ended:
        row = [*row, one.failing] if one.failing else []
    if len(row) < len(ended):
        earlier = None
    first = earlier or row[0]
    same = next((one for one in (earlier, told) if one and one.sign == last.failing.sign), None)
    found = judge(last) if same is None else replace(last.failing, **_verdict(same))
    found = replace(found, since_ns=first.since_ns, times=len(row) + (earlier.times if earlier else 0))
    return Story(replace(last, failing=found), told)


def _verdict(failing: Failing) -> dict[str, Any]:
    return {name: getattr(failing, name) for name in ("owner", "kind", "confidence", "line", "next")}


def _kept(stories: Mapping[Place, Story], now_ns: int) -> dict[Place, Story]:
    """Return the stories that stay, the newest first: as many as the limits allow."""
    found: dict[Place, Story] = {}
    left = {True: _MOST_FAILING, False: _MOST_PASSED}
    for place, story in sorted(stories.items(), key=lambda one: one[1].last.ended_ns, reverse=True):
        open_ = story.now is not None or story.told is not None
        if left[open_] and story.last.ended_ns > now_ns - _KEPT_NS:
            left[open_] -= 1
            found[place] = story
    return found
