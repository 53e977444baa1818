"""`demo --incident` tells of a host that refuses ssh and of a change that breaks itself, by real playbooks."""

from __future__ import annotations

from pathlib import Path

import pytest
import support
from support import told as stories

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
