"""The judges on labelled failures: those of real tools, and our own of other tools."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import support

BENCH = support.ROOT / "tests/bench/corpus.py"
CORPUS = support.ROOT / "tests/corpus"
FILES = ("visible.jsonl", "visible-history.jsonl", "held-out.jsonl")
LABELS = ("id", "what", "why", "owner", "kind")


@pytest.fixture(scope="session")
def bench() -> ModuleType:
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("corpus", BENCH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["corpus"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", FILES)
def test_owners_are_right_and_the_wrong_team_is_rare(bench: ModuleType, name: str) -> None:
    outcomes = bench.judge(CORPUS / name)
    assert len(outcomes) >= 10
    assert sum(outcome.right for outcome in outcomes) / len(outcomes) >= 0.92, bench.summary(outcomes)
    assert sum(outcome.wrong_team for outcome in outcomes) / len(outcomes) <= 0.03, bench.summary(outcomes)


@pytest.mark.parametrize("name", FILES)
def test_labels_do_not_reach_the_judge(bench: ModuleType, name: str, tmp_path: Path) -> None:
    cases = [json.loads(line) for line in (CORPUS / name).read_text(encoding="utf-8").splitlines()]
    blank = [{**case, **dict.fromkeys(LABELS, "")} for case in cases]
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, blank)), encoding="utf-8")
    said = [outcome.verdict for outcome in bench.judge(CORPUS / name)]
    assert [outcome.verdict for outcome in bench.judge(path)] == said


@pytest.mark.process
def test_bench_prints_a_json_line_a_case_and_the_figures() -> None:
    command = [sys.executable, str(BENCH), *(str(CORPUS / name) for name in FILES[:2])]
    # As from a fresh checkout: only the package installed, the project's root as the place.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=support.ROOT, env=environment, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 79 + 13
    assert all(set(line) == {"id", "owner", "kind"} for line in lines)
    assert "92 cases: right owner" in done.stderr
    assert "CPU time a case" in done.stderr


@pytest.mark.process
def test_bench_shows_wrong_cases(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    case = {
        "id": "one",
        "command": "make",
        "exit_code": 2,
        "log": "main.c:1:1: error: expected ';'",
        "owner": "ops",
        "kind": "x",
    }
    path.write_text(json.dumps(case), encoding="utf-8")
    done = subprocess.run([sys.executable, str(BENCH), str(path)], capture_output=True, text=True, check=True)
    assert "wrong: one: ops (x), judged dev (compile_error)" in done.stderr
    assert "right owner 0.0%, wrong team 100.0%" in done.stderr


@pytest.mark.process
def test_bench_says_what_it_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("{", encoding="utf-8")
    done = subprocess.run([sys.executable, str(BENCH), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("corpus.py: ")


def test_no_rule_names_a_string_of_one_case() -> None:
    """Names of the given cases' hosts, files, jobs and people are in no rule."""
    rules = (support.ROOT / "shared/pipeline_trace/ownership/log/rules.yaml").read_text(encoding="utf-8").lower()
    for word in (
        "billing",
        "tariff",
        "app3",
        "db01",
        "app01",
        "pool_size",
        "footer_links",
        "cache.ttl",
        "is-oddd",
        "pyhton3",
        "base_tari",
    ):
        assert word not in rules
