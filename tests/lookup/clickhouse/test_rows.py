"""Rows of ClickHouse as spans, without a server."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from pipeline_trace.lookup.clickhouse.rows import spans_of
from pipeline_trace.trace import conventions as c

SENT = {
    "jenkins.parameter.DB_PASSWORD": "Zq7xVrT4mKp9",
    "team": "web",
    c.PLUGIN_PARAMETER_NAMES: '["DB_PASSWORD","ENV"]',
    c.PLUGIN_PARAMETER_VALUES: '["Zq7xVrT4mKp9","prod"]',
}
LISTS = {name: json.loads(text) if text.startswith("[") else text for name, text in SENT.items()}


@pytest.mark.parametrize("attributes", [SENT, json.dumps(LISTS)], ids=["map", "json"])
def test_what_a_name_calls_a_secret_is_hidden(attributes: Mapping[str, str] | str) -> None:
    row = ["3" * 32, "4" * 16, "", "x", "Internal", 1, 1, "Unset", "", "", "", {}, attributes, [], [], [], [], [], []]
    (found,) = spans_of([row])
    assert found.attributes == {
        "jenkins.parameter.DB_PASSWORD": "***",
        "team": "web",
        c.PLUGIN_PARAMETER_NAMES: ["DB_PASSWORD", "ENV"],
        c.PLUGIN_PARAMETER_VALUES: ["***", "prod"],
    }
