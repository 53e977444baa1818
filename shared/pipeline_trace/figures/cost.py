"""Prices of executors, as `serve --cost` has them, and what was held at these prices. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

_PRICE = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(?P<currency>[^\W\d_]{1,12}|[$€£¥])?\s*/\s*(?P<unit>min|h)")
_NS: dict[str, int] = {"min": 60 * 10**9, "h": 3600 * 10**9}
_FORM = "write for example linux=0.12/min, 'linux && docker=7.20 EUR/h' or '*=0.05/min'"


class PriceError(ValueError):
    """A price that cannot be read. The text says what is wrong and what to write."""


class Price(NamedTuple):
    """What an executor costs, per nanosecond. ``label``: an expression as Pipelines ask for, or a pattern with ``*``."""

    label: str
    per_ns: Decimal
    currency: str


class Held(NamedTuple):
    """For how long executors were held, in nanoseconds. ``worker``: the agent, where the label is not known."""

    label: str
    worker: str
    length_ns: int


class Cost(NamedTuple):
    """What was held costs. ``unpriced_ns``: how much of it has no price, in nanoseconds."""

    amount: Decimal
    unpriced_ns: int


class Prices:
    """The prices of executors, by label. If no label is known, the agent's name counts as the label, as in Jenkins."""

    def __init__(self, prices: Sequence[Price] = ()) -> None:
        self._prices = prices
        self.currency = next((one.currency for one in prices if one.currency), "")

    def __bool__(self) -> bool:
        return bool(self._prices)

    def cost(self, held: Iterable[Held]) -> Cost:
        """Return what was held costs."""
        amount, unpriced = Decimal(0), 0
        for one in held:
            price = self._of(one.label or one.worker)
            if price is None:
                unpriced += one.length_ns
            else:
                amount += price * one.length_ns
        return Cost(amount, unpriced)

    def _of(self, name: str) -> Decimal | None:
        """Return the price of a label; the label itself counts before patterns, and these in their order."""
        exact = (one for one in self._prices if _plain(one.label) == _plain(name))
        patterns = (one for one in self._prices if _fits(_plain(name), _plain(one.label)))
        return next((one.per_ns for some in (exact, patterns) for one in some), None)


NO_PRICES = Prices()


def prices_of(texts: Iterable[str]) -> Prices:
    """Return the prices that texts such as ``linux=0.12/min`` name. Raises PriceError."""
    found = [_price(text) for text in texts]
    labels = [_plain(one.label) for one in found]
    twice = next((label for label in labels if labels.count(label) > 1), "")
    if twice:
        raise PriceError(f"{twice!r} has two prices; give one")
    currencies = sorted({one.currency for one in found if one.currency})
    if len(currencies) > 1:
        raise PriceError(f"prices are in {' and '.join(currencies)}; give all of them in one currency")
    return Prices(found)


def _price(text: str) -> Price:
    label, sign, price = text.rpartition("=")
    told = _PRICE.fullmatch(price.strip())
    if not sign or not label.strip() or told is None:
        raise PriceError(f"{text!r} is no price of a label; {_FORM}")
    return Price(label.strip(), Decimal(told["number"]) / _NS[told["unit"]], told["currency"] or "")


def _fits(name: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def _plain(label: str) -> str:
    """Return a label without the blanks that mean nothing: linux&&docker is linux && docker."""
    return re.sub(r"\s*(&&|\|\||[()!])\s*", r"\1", label.strip())
