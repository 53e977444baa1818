"""Says for how long builds held executors of agents and what that costs: cards and lines of tables. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from ..figures.cost import Held, Prices
from ..figures.held import AgentTime, HeldOverTime, Told
from ..figures.periods import Periods
from ..figures.slower import Compared
from ..lookup import wording
from .figure_parts import Card, before
from .period import NOT_KNOWN, plural

_MINUTE_NS = 60 * 10**9
_NO_PRICE = "no price"


def held_cards(held: AgentTime, time: Periods, prices: Prices) -> list[Card]:
    """Return the cards: agent-minutes, and what they cost if there are prices. None where no build tells them."""
    if not held.now.told + held.before.told:
        return []
    whole = held.whole
    minutes = Card(
        "Agent-minutes",
        said_minutes(whole.now_ns) if held.now.told else NOT_KNOWN,
        _said_told(held.now),
        [],
        before(time, f"{said_minutes(whole.before_ns)}, {_said_told(held.before)}") if held.before.told else NOT_KNOWN,
    )
    if not prices:
        return [minutes]
    cost = Card(
        "Cost of agents",
        _said_cost(whole.now, prices) if held.now.told else NOT_KNOWN,
        _said_unpriced(whole.now, prices),
        [],
        before(time, _said_cost(whole.before, prices)) if held.before.told else NOT_KNOWN,
    )
    return [minutes, cost]


def held_lines(
    lines: Sequence[HeldOverTime],
    time: Periods,
    prices: Prices,
    waits: Mapping[str, Compared],
    address: Callable[[str], str] = lambda name: "",
) -> list[dict[str, object]]:
    """Return the lines of a table: the dearest first, where there are prices. ``waits``: by name. ``address``: by name."""
    ordered = sorted(lines, key=lambda one: (-prices.cost(one.now).amount, -prices.cost(one.before).amount))
    return [_line(one, time, prices, waits.get(one.name, Compared()), address(one.name)) for one in ordered]


def said_minutes(length_ns: int) -> str:
    """Return a length in minutes. One that is not none at all is not 0."""
    minutes = length_ns / _MINUTE_NS
    if 0 < minutes < 0.1:
        return "less than 0.1"
    return f"{minutes:,.0f}" if minutes >= 10 else f"{minutes:.1f}".removesuffix(".0")


def said_money(amount: Decimal, currency: str) -> str:
    """Return an amount of money. One that is not none at all is not 0."""
    said = "less than 0.01" if 0 < amount < Decimal("0.01") else f"{amount:,.2f}"
    return f"{said} {currency}".rstrip()


def _line(one: HeldOverTime, time: Periods, prices: Prices, waits: Compared, address: str) -> dict[str, object]:
    return {
        "name": wording.visible(one.name) or "job not known",
        "address": address if one.name else "",
        "agent": not any(held.label for held in one.now),
        "now": said_minutes(one.now_ns),
        "before": before(time, said_minutes(one.before_ns)),
        "cost": _said_part(one.now, prices),
        "cost_before": before(time, _said_part(one.before, prices)),
        "waited": said_minutes(waits.now.total_ns) if waits.now else "",
        "waited_before": before(time, said_minutes(waits.before.total_ns)) if waits.before else "",
    }


def _said_told(told: Told) -> str:
    if told.told == told.builds:
        return f"told by all {plural(told.builds, 'build')}" if told.builds > 1 else "told by the one build"
    return f"told by {told.told} of {plural(told.builds, 'build')}"


def _said_cost(held: Sequence[Held], prices: Prices) -> str:
    """Return what was held costs, as far as it has a price; that it has none, if nothing of it has."""
    cost = prices.cost(held)
    if cost.unpriced_ns and cost.unpriced_ns == _length_ns(held):
        return _NO_PRICE
    return said_money(cost.amount, prices.currency)


def _said_unpriced(held: Sequence[Held], prices: Prices) -> str:
    """Return how much of what was held has no price, and what to do; "" if all has one."""
    unpriced_ns = prices.cost(held).unpriced_ns
    if not unpriced_ns:
        return ""
    said = f"{said_minutes(unpriced_ns)} min that have no price"
    return f"{said}; give one, such as --cost '*=0.05/min'" if unpriced_ns == _length_ns(held) else f"without {said}"


def _said_part(held: Sequence[Held], prices: Prices) -> str:
    """Return what a line costs."""
    said, unpriced_ns = _said_cost(held, prices), prices.cost(held).unpriced_ns
    return f"{said} and more without a price" if unpriced_ns and said != _NO_PRICE else said


def _length_ns(held: Sequence[Held]) -> int:
    return sum(one.length_ns for one in held)
