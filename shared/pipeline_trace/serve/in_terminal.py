"""Writes the command that says in a terminal what a page says. Does no I/O."""

from __future__ import annotations

import shlex

from .searching import Asked

# The filters that are options of the command, too, by the same names. A service is its argument.
_OPTIONS = {"environment", "host", "sort"}
# The times that the command understands.
_AGES = {"24h", "7d"}


def command_of_list(asked: Asked, source: str) -> str:
    """Return the command that lists the deploys of a list; "" where none does, such as for a filter that it lacks.

    ``source``: as --from takes it; "" for this machine's store.
    """
    typed = {name: text for name, text in asked.typed.items() if name != "zone"}
    service = typed.pop("service", "")
    since = typed.pop("when") if typed.get("when") in _AGES else ""
    if not (service or "host" in typed) or not typed.keys() <= _OPTIONS:
        return ""
    return deploys_command(service, source, **typed, since=since)


def deploys_command(service: str, source: str, **options: str) -> str:
    """Return the command that lists deploys. ``options``: by their names; "" leaves one out."""
    words = ["pipeline-trace", "deploys"]
    for name, text in {**options, "from": source}.items():
        words += [f"--{name}", text] if text else []
    # A name that begins with a hyphen is no option.
    words += ["--"] if service.startswith("-") else []
    words += [service] if service else []
    return shlex.join(words)
