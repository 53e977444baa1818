"""Reads the address of a page over time, and says figures in words. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NamedTuple

from ..figures.cost import NO_PRICES, Prices
from ..lookup.source import Window
from ..lookup.wording import human_duration
from .searching import address_of

SERVICE, JOB, HOST, PLATFORM = "/service", "/job", "/host", "/platform"
CHOICES = (7, 30, 90)
_USUAL_DAYS = 30
_LONGEST = 500
NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Asked:
    """What an address asks for. ``days``: one of CHOICES. ``environment``: "" for the usual one.

    ``parts``: whether tasks and hosts of a job are wanted, too.
    """

    name: str
    days: int
    environment: str = ""
    parts: bool = False

    def address(self, path: str, **changed: str | int) -> str:
        """Return the address of a page, with some of this changed."""
        parts = "1" if self.parts else ""
        fields = {"name": self.name, "days": self.days, "environment": self.environment, "parts": parts, **changed}
        return address_of(path, **{name: str(value) for name, value in fields.items() if value})


class Around(NamedTuple):
    """What stands around the figures. ``store``: where the spans are, in words. ``notice``: what was not read, or "".

    ``prices``: of executors. ``source``: where the spans are, as --from takes it; "" for this machine's store.
    """

    store: str
    notice: str = ""
    prices: Prices = NO_PRICES
    source: str = ""


def read_asked(given: Mapping[str, str]) -> Asked:
    """Read the fields of an address. Days that are none of CHOICES are the usual ones."""
    days = given.get("days", "")
    known = int(days) if days in {str(number) for number in CHOICES} else _USUAL_DAYS
    name, environment = (given.get(field, "").strip()[:_LONGEST] for field in ("name", "environment"))
    return Asked(name, known, environment, given.get("parts") == "1")


def list_of(path: str, window: Window, **filters: str) -> str:
    """Return the address of a list of deploys or builds that began in a window of whole seconds."""
    return address_of(path, **filters, **{"from": _typed(window.from_ns), "to": _typed(window.to_ns)})


def choices(asked: Asked, path: str) -> list[tuple[str, str, bool]]:
    """Return the periods that can be chosen: in words, their addresses, and whether each is shown."""
    return [(f"{days} days", asked.address(path, days=days), days == asked.days) for days in CHOICES]


def said_length(length_ns: int | None) -> str:
    """Return a length of time in words."""
    return NOT_KNOWN if length_ns is None else human_duration(length_ns)


def said_share(share: float | None) -> str:
    """Return a share as percent. One that is not none at all is not 0 %, and one that is not all not 100 %."""
    if share is None:
        return NOT_KNOWN
    percent = round(share * 100)
    if 0 < share < 1:
        percent = min(max(percent, 1), 99)
    return f"{percent} %"


def said_frequency(count: int, days: float) -> str:
    """Return how often something happened, by the unit that says it best."""
    if not count:
        return "none"
    for length, unit in ((1, "a day"), (7, "a week")):
        if count * length >= days:
            return f"{count * length / days:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} in {round(days)} days"


def _typed(time_ns: int) -> str:
    """Return a time as an address has it."""
    return datetime.fromtimestamp(time_ns // 10**9, timezone.utc).replace(tzinfo=None).isoformat()


def plural(count: int, unit: str) -> str:
    """Return a number with its unit."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
