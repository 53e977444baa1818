"""A Map has every value as text; the names of attributes say what they were."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import support
from support.clickhouse_schema import as_text

from pipeline_trace.lookup.clickhouse import types
from pipeline_trace.lookup.clickhouse.types import typed
from pipeline_trace.trace import conventions as c


def back(name: str, value: object) -> object:
    """Return what comes back of an attribute."""
    return typed({name: as_text(value)})[name]


def of_each_type() -> Iterator[tuple[str, list[Any]]]:
    integers = [0, 5, -5, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
    yield from ((name, integers) for name in types._INTEGERS)
    yield from ((f"{prefix}{name}", integers) for prefix in types._INTEGER_PREFIXES for name in ("ok", "failures"))
    yield from ((name, [True, False]) for name in types._BOOLEANS)
    yield from ((name, [0.0, 0.5, 1.0, 1e-7, 1e21, 1e22, 5e-324, math.inf, -math.inf]) for name in types._FLOATS)
    lists = [[], ["a"], ['b "c" <d>\\', "é", ""], ["[1]", "x,y"]]
    yield from ((name, lists) for name in types._LISTS)


@pytest.mark.parametrize(("name", "values"), sorted(of_each_type()))
def test_values_come_back_with_the_type_of_their_name(name: str, values: list[Any]) -> None:
    found = [back(name, value) for value in values]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]


TEXTS = ("", "5", "-1", "1.5", "true", "null", "[1, 2]", '["a"]', '{"a":1}', " ", "é😀", "007")


@pytest.mark.parametrize(
    "name",
    [
        "custom",
        "jenkins.parameter.COUNT",
        c.PIPELINE_RUN_ID,
        c.ARTIFACT_VERSION,
        c.VCS_CHANGE_ID,
        c.TASK_RUN_ID,
        "a.b c",
        "",
    ],
)
def test_texts_stay_texts(name: str) -> None:
    assert [back(name, text) for text in TEXTS] == list(TEXTS)


def test_what_others_said_as_another_type_stays_text() -> None:
    """Unknown names: the table does not say what they were."""
    assert back("custom", 5) == "5"
    assert back("custom", True) == "true"
    assert back("custom", ["a", "b"]) == '["a","b"]'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (c.JENKINS_TESTS_TOTAL, "many"),
        (c.JENKINS_TESTS_TOTAL, ""),
        (c.JENKINS_TESTS_TOTAL, "1.5"),
        (c.JENKINS_TESTS_TOTAL, "٣"),
        (c.JENKINS_TESTS_TOTAL, "5\n"),
        (c.JENKINS_TESTS_TOTAL, "9" * 40),
        (c.JENKINS_TESTS_TOTAL, "9" * 5000),
        (c.JENKINS_TIMES_UNKNOWN, "yes"),
        (c.FAILURE_CONFIDENCE, "high"),
        (c.FAILURE_CONFIDENCE, ""),
        (c.JENKINS_AGENTS, "linux-1"),
        (c.JENKINS_AGENTS, '{"a": 1}'),
        (c.JENKINS_AGENTS, "[1"),
        (c.JENKINS_AGENTS, "[" * 100_000),
    ],
)
def test_what_does_not_fit_the_type_of_its_name_stays_text(name: str, text: str) -> None:
    assert typed({name: text}) == {name: text}


def test_every_name_with_a_type_is_told_in_the_docs_or_is_of_the_conventions() -> None:
    told = (support.ROOT / "docs/spans.md").read_text(encoding="utf-8")
    ours = (*types._INTEGERS, *types._BOOLEANS, *types._FLOATS, *types._LISTS)
    unknown = [name for name in ours if name not in told and name.rpartition(".")[2] not in told]
    # OpenTelemetry's alone.
    groups = {"client", "code", "host", "http", "network", "otel", "process", "server", "thread"}
    assert {name.partition(".")[0] for name in unknown} <= groups
