"""Says how far back a list was looked for, where the limit of traces came before the end. Does no I/O."""

from __future__ import annotations

from .search import MOST_TRACES, Found

# What finds more.
GOES_ON = "name a service, a job, a commit, a version or a time to see more"


def said_extent(found: Found, when: str, goes_on: str = GOES_ON) -> str:
    """Return what a list has; "" if it has all there is down to its end.

    ``when``: ``looked_ns`` in words. ``goes_on``: what to do to see more.
    """
    if found.whole:
        return ""
    if not found.looked_ns:
        return f"not all traces of that time were read; {goes_on}"
    if found.told:
        return f"all is here back to {when}; of what is older, only what {found.told} itself; {goes_on}"
    return f"looked at the newest {MOST_TRACES} traces, back to {when}; there may be older ones; {goes_on}"
