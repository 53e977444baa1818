"""Writes the command that says in a terminal what a page says. Does no I/O."""

from __future__ import annotations

import shlex

from .searching import Asked

# The filters that the command has, by its option. A service is its argument.
_OPTIONS = {"environment": "--environment", "host": "--host", "sort": "--sort"}
_SINCE = {"24h": "24h", "7d": "7d"}


def command_of_list(asked: Asked, source: str) -> str:
    """Return the command that lists the deploys of a list; "" where none does, such as for a filter that it lacks.

    ``source``: as --from takes it; "" for this machine's store.
    """
    typed = {name: text for name, text in asked.typed.items() if name != "zone"}
    service, since = typed.pop("service", ""), _SINCE.get(typed.get("when", ""), "")
    if since:
        del typed["when"]
    if not (service or "host" in typed) or not typed.keys() <= _OPTIONS.keys():
        return ""
    return deploys_command(service, source, since=since, **typed)


def deploys_command(service: str, source: str, *, since: str = "", **filters: str) -> str:
    """Return the command that lists deploys. ``filters``: by the names of an address; "" wants nothing."""
    options = [*((_OPTIONS[name], text) for name, text in filters.items()), ("--since", since), ("--from", source)]
    words = [word for option, text in options if text for word in (option, text)]
    # A name that begins with a hyphen is no option.
    last = ["--"] * service.startswith("-") + [service] * bool(service)
    return shlex.join(["pipeline-trace", "deploys", *words, *last])
