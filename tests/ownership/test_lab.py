"""The fault lab's kept logs: each has a label, a fault that is known, the right part, and nothing of a machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import support
from lab import keep
from lab.__main__ import known, load
from lab.faults import FAULTS
from lab.model import Case
from lab.split import HELD, SEEN, part

from pipeline_trace.ownership.verdict import OWNERS
from pipeline_trace.trace import redact

FILES = sorted(keep.CORPUS.rglob("*.jsonl"))
FIELDS = ["id", "tool", "fault", "what", "command", "exit_code", "log", "task_result", "owner", "why", "kind"]


def records(path: Path) -> list[dict[str, Any]]:
    """Return the cases of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_kept_cases_are_whole_and_in_their_part(path: Path) -> None:
    for case in records(path):
        assert list(case) == FIELDS, case["id"]
        assert case["owner"] in OWNERS
        assert case["fault"] in FAULTS
        assert case["exit_code"] != 0
        assert case["id"].split("/")[:2] == [case["tool"], case["fault"]]
        assert case["tool"] == path.stem
        assert part(case["tool"], case["fault"]) == path.parent.name, case["id"]
        assert len(case["log"]) <= keep.CHARACTERS
        assert len(case["log"].splitlines()) <= keep.LINES or "\x0c" in case["log"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_kept_logs_name_no_machine_and_no_secret(path: Path) -> None:
    for case in records(path):
        said = json.dumps([case["log"], case["task_result"]])
        assert not keep.MACHINE.search(said), case["id"]
        assert keep.neutral(case["log"]) == case["log"], case["id"]
        assert redact.masked(case["log"]) == case["log"], case["id"]


def test_ids_are_of_one_case_each() -> None:
    identities = [case["id"] for path in FILES for case in records(path)]
    assert len(identities) == len(set(identities)) > 100


def test_kept_tools_have_a_file() -> None:
    assert {path.stem for path in FILES} <= {load(name).name for name in known()}


@pytest.mark.parametrize("name", known())
def test_cases_have_known_faults_and_ids_that_differ(name: str) -> None:
    tool = load(name)
    cases = list(tool.cases())
    assert [case.fault for case in cases if case.fault not in FAULTS] == []
    identities = [keep.name(tool, case) for case in cases]
    assert [each for each in identities if identities.count(each) > 1] == []


def test_a_third_of_tools_is_held_out_whole_and_a_third_of_faults_of_the_others() -> None:
    tools = [f"tool{number}" for number in range(300)]
    whole = [tool for tool in tools if all(part(tool, fault) == HELD for fault in FAULTS)]
    assert 80 <= len(whole) <= 120
    drawn = [part(tool, fault) == HELD for tool in tools if tool not in whole for fault in FAULTS]
    assert 0.3 <= sum(drawn) / len(drawn) <= 0.37


def test_parts_do_not_change() -> None:
    assert [part("pip", "refused"), part("npm", "tls-expired"), part("npm", "refused")] == [HELD, SEEN, HELD]


def test_cases_that_nobody_can_tell_apart_have_no_owner() -> None:
    one = {"command": "pip install x", "log": "none found (0x1f, 3 s)", "exit_code": 1, "owner": "ops", "why": "503"}
    other = {**one, "log": "none found (0x2e, 4 s)", "owner": "dev", "why": "misspelt"}
    third = {**one, "log": "certificate has expired"}
    assert [each["owner"] for each in keep.judged([one, other, third])] == ["unknown", "unknown", "ops"]


def test_a_case_whose_tool_says_nothing_has_no_owner() -> None:
    silent = {"command": "curl -s x", "log": "+ curl -s x\n", "exit_code": 22, "owner": "ops", "why": "503"}
    assert [each["owner"] for each in keep.judged([silent])] == ["unknown"]


def test_a_log_is_cut_at_lines_from_its_end() -> None:
    log = "".join(f"line {number} {'x' * 90}\n" for number in range(500))
    kept = keep.cut(log)
    assert kept.endswith(log.splitlines(keepends=True)[-1])
    assert re.match(r"line \d+ x", kept)
    assert len(kept) <= keep.CHARACTERS


def test_names_of_public_registries_become_neutral() -> None:
    assert (
        keep.neutral("GET https://files.pythonhosted.org/a from /tmp/lab-x1_y/3")
        == "GET https://registry.example/a from /tmp/run/3"
    )


def test_the_logs_are_small_together() -> None:
    assert sum(path.stat().st_size for path in FILES) < 15_000_000
    assert support.ROOT in keep.CORPUS.parents


@pytest.mark.parametrize(("log", "owner"), [("fatal error: out of memory", "ops"), ("Segmentation fault", "unknown")])
def test_a_program_without_memory_that_says_no_word_of_it_has_no_owner(log: str, owner: str) -> None:
    record = {"command": "tool", "exit_code": 139, "log": f"+ tool\n{log}", "fault": "out-of-memory", "owner": "ops"}
    assert [each["owner"] for each in keep.judged([record])] == [owner]


def test_results_of_ansible_are_masked_too() -> None:
    tool = load("ansible")
    result = {"event": "failed", "result": {"msg": "password=hunter2", "lines": ["token: abcdef0123456789abcdef"]}}
    kept = keep.record(tool, Case("playbook", "ansible-playbook site.yml"), "+ x", 2, result)
    assert "hunter2" not in json.dumps(kept)
    assert kept["task_result"]["event"] == "failed"
