"""Prices of executors: what can be written, which price counts, and what has none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipeline_trace.figures.cost import Held, PriceError, prices_of

MINUTE = 60 * 10**9


def cost(label: str, *prices: str, worker: str = "", minutes: int = 10) -> tuple[Decimal, int]:
    found = prices_of(prices).cost([Held(label, worker, minutes * MINUTE)])
    return round(found.amount, 6), found.unpriced_ns // MINUTE


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        ("linux=0.12/min", "1.2"),
        ("linux=7.2/h", "1.2"),
        (" linux = 7.20 EUR / h", "1.2"),
        ("linux=3€/min", "30"),
        ("linux=0/min", "0"),
        ("lin*=1/min", "10"),
        ("*=1/min", "10"),
    ],
)
def test_a_price_is_by_the_minute_or_the_hour(price: str, amount: str) -> None:
    assert cost("linux", price) == (Decimal(amount), 0)


@pytest.mark.parametrize("label", ["linux && docker", "linux&&docker", "linux  &&  docker"])
def test_a_label_may_be_an_expression_with_or_without_blanks(label: str) -> None:
    assert cost(label, "linux && docker=1/min") == (10, 0)
    assert cost(label, "linux=1/min") == (0, 10)


def test_the_label_itself_counts_before_patterns_and_these_in_their_order() -> None:
    prices = ("lin*=2/min", "*=3/min", "linux=1/min")
    assert [cost(label, *prices)[0] for label in ("linux", "linux-arm", "gpu")] == [10, 20, 30]


def test_an_agent_has_its_name_as_a_label() -> None:
    assert cost("", "linux-1=1/min", worker="linux-1") == (10, 0)
    # The label that was asked for is known: the agent's name says nothing.
    assert cost("linux", "linux-1=1/min", worker="linux-1") == (0, 10)


def test_only_a_star_stands_for_others() -> None:
    assert cost("linux1", "linux?=1/min") == (0, 10)
    assert cost("a[1]", "a[1]=1/min") == (10, 0)


def test_the_currency_is_that_of_all_prices() -> None:
    assert prices_of(["a=1 EUR/min", "b=2/min"]).currency == "EUR"
    assert not prices_of([])


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["linux"], "'linux' is no price of a label; write for example linux=0.12/min"),
        (["linux="], "is no price"),
        (["=1/min"], "is no price"),
        (["linux=0.12"], "is no price"),
        (["linux=-1/min"], "is no price"),
        (["linux=1,5/min"], "is no price"),
        (["linux=nan/min"], "is no price"),
        (["linux=1/s"], "is no price"),
        (["linux=1/min", "linux=2/min"], "'linux' has two prices; give one"),
        (["a&&b=1/min", "a && b=2/min"], "has two prices"),
        (["a=1 EUR/min", "b=2 USD/min"], "prices are in EUR and USD; give all of them in one currency"),
    ],
)
def test_what_is_no_price_is_said(texts: list[str], said: str) -> None:
    with pytest.raises(PriceError) as told:
        prices_of(texts)
    assert said in str(told.value)
    assert "\n" not in str(told.value)
