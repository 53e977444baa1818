"""`demo --incident` tells of a host that refuses ssh and of a change that breaks itself, by real playbooks."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
import support
from support import told as stories
from support.serving import Server

from pipeline_trace.delivery.home import Home
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.lookup.tree import build_tree
from pipeline_trace.report.heading import facts_of, heading_of

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The incidents, told once: their folder and what a reader sees."""
    done = stories.incidents(tmp_path_factory.getbasetemp())
    return done.folder / "told", done.stdout


def answer(told: str, question: str) -> list[str]:
    """Return the lines below a question."""
    return told.split(f"$ pipeline-trace {question}\n")[1].split("\n\n")[0].splitlines()


def test_a_host_that_refuses_ssh_is_named_and_is_ops(told: tuple[Path, str]) -> None:
    lines = answer(told[1], "why shop/build#47")
    assert lines[0] == "Ops should look at web2: Ansible could not reach it, and 1 other project fails alike."
    assert lines[1].endswith("% sure, host_unreachable)")
    assert any("2 projects have had the same error" in line and "orders" in line for line in lines)
    # What ssh itself said to the real playbook.
    assert any("connect to host 127.0.0.1 port" in line and "Connection refused" in line for line in lines)
    assert "Next        Ops looks at web2; the change is not the cause." in lines


def test_staging_is_what_blocks_the_way(told: tuple[Path, str]) -> None:
    lines = answer(told[1], "path 9e0a338")
    assert lines[1].startswith("Can I deploy? no: staging failed 4 times with the same error")


def test_a_change_that_breaks_itself_is_dev_and_the_commit_is_named(told: tuple[Path, str]) -> None:
    lines = answer(told[1], "why shop/build#64")
    assert lines[0].startswith("Dev should look at what 63d034dacd changed: ")
    assert "Evidence    version 1.8.0 reports: missing setting DB_URL" in lines
    assert any("built since: 63d034dacd87" in line for line in lines)
    assert answer(told[1], "path 63d034d")[1].startswith("Can I deploy? no: integration failed 3 times with the same error")


@pytest.mark.parametrize(("name", "hosts"), [("host-down", {"web2"}), ("broken-change", {"web1", "web2", "web3"})])
def test_the_real_playbooks_failed_at_those_hosts_within_the_builds(
    told: tuple[Path, str], name: str, hosts: set[str]
) -> None:
    spans = support.stored({"PIPELINE_TRACE_HOME": str(told[0] / name)})
    failed = [span for span in support.by_type(spans, "host") if span["status"]["code"] == "ERROR"]
    assert {span["name"] for span in failed} == hosts
    ids = {span["span_id"] for span in support.by_type(spans, "stage")}
    assert {span["parent_span_id"] for span in support.by_type(spans, "playbook")} <= ids
    assert (told[0] / name / "report.html").stat().st_size > 10_000


def compared(told: tuple[Path, str], name: str, build: str) -> dict[str, Any]:
    """Return what `compare` says of a build in an incident."""
    env = {**support.environ(told[0].parent), "PIPELINE_TRACE_HOME": str(told[0] / name)}
    done = support.trace("compare", build, "--format", "json", env=env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_host_that_refuses_ssh_is_all_that_differs_of_the_same_commit(told: tuple[Path, str]) -> None:
    found = compared(told, "host-down", "shop/build#47")
    # The one that `why` calls the last green.
    assert "shop/deploy#131" in told[1]
    assert found["base"]["name"] == "shop/build#43"
    (failed,) = found["failed"]
    assert (failed["run"]["kind"], failed["hosts"]) == ("task", ["web2"])
    assert "Connection refused" in failed["cause"]
    assert (found["commits"], found["parameters"]) == ([], [])
    assert "Deploy production" in [part["name"] for part in found["not_reached"]]
    deploy = compared(told, "host-down", "shop/deploy#140")
    assert deploy["base"]["name"] == "shop/deploy#131"


def test_a_change_that_breaks_itself_is_another_commit_and_version(told: tuple[Path, str]) -> None:
    found = compared(told, "broken-change", "shop/build#64")
    assert found["base"]["name"] == "shop/build#61"
    (failed,) = found["failed"]
    assert (failed["hosts"], failed["cause"]) == (
        ["web1", "web2", "web3"],
        "version 1.8.0 reports: missing setting DB_URL",
    )
    (commit,) = found["commits"]
    assert (commit["run"][:7], commit["base"][:7]) == ("63d034d", "4e3d223")
    assert [(one["name"], one["run"], one["base"]) for one in found["parameters"]] == [
        ("VERSION of shop/deploy", "1.8.0", "1.7.3")
    ]


@pytest.mark.parametrize("width", [60, 120])
def test_the_comparison_fits_the_terminal_in_whole_words(told: tuple[Path, str], width: int) -> None:
    env = {**support.environ(told[0].parent), "PIPELINE_TRACE_HOME": str(told[0] / "broken-change")}
    wide = {**env, "FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": str(width)}
    done = support.run(support.BIN / "pipeline-trace", "compare", "shop/build#64", "--utc", env=wide)
    lines = [re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;.*?\x1b\\", "", line).rstrip() for line in done.stdout.splitlines()]
    assert max(map(len, lines)) <= width
    plain = support.run(support.BIN / "pipeline-trace", "compare", "shop/build#64", "--utc", env=env)
    assert " ".join(" ".join(lines).split()) == " ".join(plain.stdout.split())


def test_the_head_of_the_page_says_what_was_deployed_and_by_whom(told: tuple[Path, str]) -> None:
    with closing(local_lookup(Home(told[0] / "host-down"))) as lookup:
        heading = heading_of(build_tree(lookup.spans("shop/build#47")))
    rows = {fact.label: ", ".join(one.text for one in fact.said) for fact in facts_of(heading)}
    assert (heading.name, heading.build and heading.build.url.rpartition("/job/")[2]) == ("shop/build#47", "build/47/")
    assert rows.pop("Ran on").startswith("linux-agent-")
    assert rows == {
        "Service": "shop",
        "Version": "1.7.3",
        "Environments": "integration, staging",
        "Commit": "9e0a3389c124",
        "Branch": "main",
        "Repository": "app",
        "Started by": "admin",
    }


def test_the_chat_gets_what_why_says(told: tuple[Path, str]) -> None:
    page = (told[0] / "host-down" / "report.html").read_text()
    data = json.loads(page.partition('id="trace-data">')[2].partition("</script>")[0])
    text, markdown = data["copies"]["text"].splitlines(), data["copies"]["markdown"]
    assert text[0].startswith("Failed: shop/build#47, shop 1.7.3 to integration and staging, ")
    # Times apart, which `why` tells in local time.
    assert text[1:3] == answer(told[1], "why shop/build#47")[:2]
    assert markdown.partition("\n\n")[2].startswith("**Ops should look at web2")


@pytest.mark.parametrize("name", ["host-down", "broken-change"])
def test_an_exported_trace_gives_the_same_spans_elsewhere(told: tuple[Path, str], tmp_path: Path, name: str) -> None:
    env = {**support.environ(told[0].parent), "PIPELINE_TRACE_HOME": str(told[0] / name)}
    exported = support.trace("show", "--format", "otlp", env=env).stdout
    elsewhere = support.environ(tmp_path)
    with Server(elsewhere) as server:
        for line in exported.splitlines():
            sent = requests.post(server.traces, line.encode(), headers={"content-type": "application/json"}, timeout=60)
            assert (sent.status_code, sent.json()) == (200, {})
    assert json.loads(support.trace("show", "--format", "json", env=elsewhere).stdout) == json.loads(
        support.trace("show", "--format", "json", env=env).stdout
    )
