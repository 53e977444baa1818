"""Says who or what started a build, as people speak of it. Does no I/O."""

from __future__ import annotations

import re
from typing import NamedTuple

from ...trace import conventions as c
from ...trace.span import Span
from .shown import clean

# Jenkins' words for a cause.
_STARTED_BY = re.compile("started by ", re.IGNORECASE)
_UPSTREAM = re.compile('upstream project "(.+)" build number ([0-9]+)')
# How people speak of a cause. Jenkins' own words tell the others.
_CAUSES = {
    "user": "{who}",
    "timer": "a timer",
    "scm": "a change in the repository",
    "webhook": "a webhook",
    "branch indexing": "branch indexing",
    "replay": "{who}, as a replay",
    "restart": "{who}, from a stage",
    "rebuild": "{who}, as a rebuild",
}


class Cause(NamedTuple):
    """What started a build. ``kind``: such as user. ``words``: who or what it was. Both are "" if that is not known."""

    kind: str
    words: str


def cause_of(run: Span) -> Cause:
    """Return the first cause of a build, in masked texts."""
    found = next((event.attributes for event in run.events if event.name == "trigger"), {})
    kind, who, said = (
        clean(str(found.get(name) or "")) for name in (c.JENKINS_CAUSE, c.JENKINS_CAUSE_USER, c.JENKINS_CAUSE_DESCRIPTION)
    )
    words = _CAUSES.get(kind, "")
    if not words or ("{who}" in words and not who):
        words = _UPSTREAM.sub(r"\1#\2", _STARTED_BY.sub("", said, count=1))
    return Cause(kind, words.replace("{who}", who))
