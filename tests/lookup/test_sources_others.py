"""Spans of other tools in ClickHouse: commands find them there as in the local store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import support
from support import clickhouse_schema, others, told
from support.clickhouse import Engine, needs_engine

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_engine]

HOUR_NS = 3_600 * 10**9


def deploys(names: str) -> list[Span]:
    return [*others.failed_tests(names=names), *others.deployed(names=names)]


SENT: dict[str, Callable[[], list[Span]]] = {
    "the plugin's own names": lambda: deploys(others.OWN),
    "the plugin's names of the conventions": lambda: deploys(others.STANDARD),
    "the plugin's names, both": lambda: deploys(others.BOTH),
    "a workflow of GitHub": others.workflow_run,
    "a pipeline of GitLab": lambda: others.gitlab_pipeline(failing="test"),
    "an action of GitHub": others.action_run,
}


@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("as_json", [False, True], ids=["map", "json"])
def test_answers_are_those_of_the_store(tmp_path: Path, env: dict[str, str], sent: str, as_json: bool) -> None:
    spans = told.moved(SENT[sent](), time.time_ns() - HOUR_NS)
    support.store_spans(env, spans)
    runs = [span for span in spans if c.PLUGIN_JOB in span.attributes]
    builds = [f"{run.attributes[c.PLUGIN_JOB]}#{run.attributes[c.PLUGIN_NUMBER]}" for run in runs]
    asked = [[name, of] for name in ("show", "why", "path") for of in (*builds, "latest", spans[0].trace_id)]
    asked += [["path", others.COMMIT], ["path", others.COMMIT[:8]]]
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine, as_json=as_json)
        clickhouse_schema.insert(engine, spans, as_json=as_json)
        for words in asked:
            expected = support.trace(*words, env=env)
            found = support.trace(*words, "--from", f"clickhouse://127.0.0.1:{engine.port}/default", env=env)
            said = found.stderr.partition(" (looked in ")[0].strip()
            assert (found.stdout, said) == (expected.stdout, expected.stderr.strip()), words
