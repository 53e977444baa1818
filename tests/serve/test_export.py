"""GET /trace/ID.json gives a trace as OTLP's JSON, and what it gives can be sent again."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
import support
from support import others
from support.pathways import Story
from support.report_samples import TRACE, sample
from support.serving import Server

from pipeline_trace.delivery import journal
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.trace.span import Span

pytestmark = pytest.mark.process


def shown(env: dict[str, str], trace: str = TRACE) -> list[dict[str, Any]]:
    """Return the spans as `show --format json` prints them."""
    done = support.trace("show", trace, "--format", "json", env=env)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_what_is_exported_can_be_sent_again_and_gives_the_same_spans(env: dict[str, str], tmp_path: Path) -> None:
    support.store_spans(env, sample())
    with Server(env) as server:
        answer = requests.get(f"{server.url}/trace/{TRACE}.json", timeout=20)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == f'attachment; filename="trace-{TRACE[:12]}.json"'
    (tmp_path / "again").mkdir()
    elsewhere = support.environ(tmp_path / "again")
    with Server(elsewhere) as server:
        sent = requests.post(server.traces, answer.content, headers={"content-type": "application/json"}, timeout=20)
        assert (sent.status_code, sent.json()) == (200, {})
        # Again: a span is stored once.
        requests.post(server.traces, answer.content, headers={"content-type": "application/json"}, timeout=20)
    assert shown(elsewhere) == shown(env)


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="curl is not installed")
def test_curl_sends_the_file_as_the_docs_say(env: dict[str, str], tmp_path: Path) -> None:
    support.store_spans(env, sample())
    done = support.trace("show", TRACE, "--format", "otlp", env=env)
    (tmp_path / "trace.json").write_text(done.stdout)
    (tmp_path / "again").mkdir()
    elsewhere = support.environ(tmp_path / "again")
    with Server(elsewhere) as server:
        words = [
            "curl",
            "-sS",
            "-H",
            "content-type:application/json",
            "--data",
            f"@{tmp_path / 'trace.json'}",
            server.traces,
        ]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "{}"
    assert shown(elsewhere) == shown(env)


def test_latest_and_builds_have_a_file_too_and_an_unknown_trace_none(env: dict[str, str]) -> None:
    support.store_spans(env, sample())
    with Server(env) as server:
        whole = requests.get(f"{server.url}/trace/{TRACE}.json", timeout=20)
        for reference in ("latest", "app-build%2342"):
            found = requests.get(f"{server.url}/trace/{reference}.json", timeout=20)
            assert found.content == whole.content
        missing = requests.get(f"{server.url}/trace/{'f' * 32}.json", timeout=20)
    assert (missing.status_code, missing.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "there is no trace" in missing.text


def test_secrets_in_the_parameters_of_builds_are_nowhere(env: dict[str, str]) -> None:
    word, plugin = "Zq7xVrT4mKp9", others.Plugin()
    plugin.build("ci/deploy", 2, 0, 9, "FAILURE", DB_PASSWORD=word, ENV="prod")
    own = Story("own")
    own.run("sec/deploy", 2, 0, 9, DB_PASSWORD=word, ENV="prod")
    support.store_spans(env, [*plugin.spans, *own.spans])
    with Server(env) as server:
        for trace in (plugin.trace, own.trace):
            for page in (f"/trace/{trace}.json", f"/trace/{trace}"):
                text = requests.get(f"{server.url}{page}", timeout=20).text
                assert "DB_PASSWORD" in text
                assert word not in text
    for trace in (plugin.trace, own.trace):
        for form in ("json", "otlp"):
            assert word not in support.trace("show", trace, "--format", form, env=env).stdout


def test_a_token_guards_it_like_all_pages(env: dict[str, str]) -> None:
    support.store_spans(env, sample())
    with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": "correct-horse-battery-staple"}) as server:
        refused = requests.get(f"{server.url}/trace/{TRACE}.json", timeout=20, allow_redirects=False)
    assert refused.status_code in (303, 401)
    assert "resourceSpans" not in refused.text


def test_show_says_what_otlp_does_not_have(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    # A process does not see its own locks.
    monkeypatch.setattr(Reader, "written", lambda _: True)
    support.store_spans(env, sample())
    folder = Path(env["PIPELINE_TRACE_HOME"]) / "journals"
    folder.mkdir(mode=0o700)
    writer = journal.Writer(folder)
    writer.open(Span(TRACE, "9" * 16, sample()[0].span_id, "still runs", sample()[0].start_ns))
    try:
        done = support.trace("show", TRACE, "--format", "otlp", env=env)
    finally:
        writer.discard()
    assert done.returncode == 0
    assert done.stderr == "pipeline-trace: left out 1 span that still runs: OTLP has only those that have ended\n"
    (line,) = done.stdout.splitlines()
    assert "still runs" not in line
    assert len(re.findall('"spanId"', line)) == len(sample()) + 1
