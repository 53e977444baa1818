"""The command that a page offers lists what the page lists."""

from __future__ import annotations

import shlex
import time

import pytest
from click.testing import CliRunner

from pipeline_trace.commands.deploys import command
from pipeline_trace.serve.in_terminal import command_of_list, deploys_command
from pipeline_trace.serve.searching import read_search


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"service": "shop"}, "pipeline-trace deploys shop"),
        (
            {"service": "shop", "environment": "staging", "when": "7d", "zone": "60"},
            "pipeline-trace deploys --environment staging --since 7d shop",
        ),
        ({"host": "web 3", "sort": "longest"}, "pipeline-trace deploys --host 'web 3' --sort longest"),
        ({"service": "-x"}, "pipeline-trace deploys -- -x"),
        # It lists deploys of a service or a host, and has no other filter.
        ({}, ""),
        ({"environment": "staging"}, ""),
        ({"service": "shop", "result": "failed"}, ""),
        ({"service": "shop", "when": "today"}, ""),
    ],
)
def test_a_list_has_a_command_where_one_says_the_same(given: dict[str, str], said: str) -> None:
    assert command_of_list(read_search(given, time.time_ns()), "") == said


def test_it_names_the_source_and_is_understood() -> None:
    said = deploys_command("shop", "clickhouse://db:8123/otel", environment="qa", host="web3")
    assert said == "pipeline-trace deploys --environment qa --host web3 --from clickhouse://db:8123/otel shop"
    # Every option is one that the command has.
    answer = CliRunner().invoke(command, [*shlex.split(said)[2:], "--help"])
    assert answer.exit_code == 0
