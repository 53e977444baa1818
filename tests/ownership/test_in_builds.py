"""Failures of the lab inside real builds: the trace, the stage and the other builds decide where the log alone may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import in_builds
import pytest
from support import lab_builds
from support.lab_builds import FIRST, LATER, Case, case_of

from pipeline_trace.ownership import Verdict
from pipeline_trace.ownership.log.rules import load_rules

_SYNTAX = {
    "id": "python-syntax", "owner": "dev", "kind": "compile_error", "tool": "python",
    "command": "python3 -m compileall -q app", "exit_code": 1,
    "log": '+ python3 -m compileall -q app\n  File "app/cart.py", line 3\nSyntaxError: expected \':\'',
}  # fmt: skip
_REFUSED = {
    "id": "pip-refused", "owner": "ops", "kind": "network_refused", "tool": "pip", "fault": "refused",
    "command": "pip install -r requirements.txt", "exit_code": 1,
    "log": "+ pip install -r requirements.txt\nERROR: Could not connect to mirror.internal port 443: Connection refused",
}  # fmt: skip
_FULL = {
    "id": "tar-full", "owner": "ops", "kind": "disk_full", "tool": "tar", "fault": "disk-full",
    "command": "tar xf app.tar", "exit_code": 2,
    "log": "+ tar xf app.tar\ntar: app/data: Cannot write: No space left on device",
}  # fmt: skip
_BARE = {
    "id": "bare-3", "owner": "unknown", "kind": "unknown", "tool": "sh", "command": "./check", "exit_code": 3,
    "log": "+ ./check",
}  # fmt: skip
_AWAY = {
    "id": "ansible-away", "tool": "ansible", "owner": "ops", "kind": "host_unreachable",
    "command": "ansible-playbook -i hosts site.yml",
    "exit_code": 4, "log": "+ ansible-playbook -i hosts site.yml\nTASK [Copy] ****\nfatal: [web2]: UNREACHABLE! => {}",
    "task_result": {
        "event": "unreachable", "host": "web2", "task": "Copy", "action": "ansible.builtin.copy",
        "result": {"unreachable": True, "msg": "ssh: connect to host web2 port 22: Connection refused"},
    },
}  # fmt: skip


def judged(tmp_path: Path, moment: str, *cases: dict[str, Any]) -> list[tuple[Case, Verdict]]:
    found = list(lab_builds.verdicts(map(case_of, cases), moment, tmp_path, load_rules()))
    assert [case.id for case, _ in found] == [case["id"] for case in cases]
    return found


@pytest.mark.parametrize("moment", lab_builds.MOMENTS)
def test_owners_are_right_at_the_first_failure_and_later(tmp_path: Path, moment: str) -> None:
    for case, verdict in judged(tmp_path, moment, _SYNTAX, _REFUSED, _FULL, _BARE, _AWAY):
        assert (case.id, verdict.owner) == (case.id, case.owner), verdict


def test_the_way_leads_through_the_stage_to_the_step(tmp_path: Path) -> None:
    ((_, verdict),) = judged(tmp_path, FIRST, _SYNTAX)
    assert "shop/build > Build > Shell Script" in verdict.evidence
    assert any("agent linux-1" in line for line in verdict.evidence)


def test_a_deploy_is_followed_from_the_build_that_started_it_to_the_host(tmp_path: Path) -> None:
    ((_, verdict),) = judged(tmp_path, FIRST, _AWAY)
    assert verdict.evidence[0] == "web2 could not be reached"
    assert any(line.startswith("shop/build > Deploy > ") and "shop/deploy > Deploy" in line for line in verdict.evidence)
    assert "environment staging" in "\n".join(verdict.evidence)


def test_a_service_that_is_down_is_seen_in_other_projects(tmp_path: Path) -> None:
    ((_, verdict),) = judged(tmp_path, LATER, _REFUSED)
    assert "3 projects have had the same error since" in "\n".join(verdict.evidence)


def test_cases_on_one_controller_are_no_history_of_each_other(tmp_path: Path) -> None:
    said = [verdict for _, verdict in judged(tmp_path / "both", LATER, _REFUSED, {**_REFUSED, "id": "again"})]
    ((_, alone),) = judged(tmp_path / "alone", LATER, _REFUSED)
    assert [verdict.confidence for verdict in said] == [alone.confidence] * 2
    assert all("3 projects" in "\n".join(verdict.evidence) for verdict in said)


@pytest.mark.parametrize("moment", [FIRST, LATER])
def test_right_and_wrong_are_counted_at_both_moments(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(map(json.dumps, [_SYNTAX, {**_REFUSED, "owner": "dev"}])), encoding="utf-8")
    outcomes = in_builds.judged([path], moment)
    assert [(one.right, one.wrong_team) for one in outcomes] == [(True, False), (False, True)]
