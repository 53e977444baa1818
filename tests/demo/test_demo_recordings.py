"""The demo replays a controller of today: Pipeline Graph View tells stages and steps, Stage View is not there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import support

from pipeline_trace_demo.exchanges import split_build
from pipeline_trace_demo.recording import Recording
from pipeline_trace_demo.replay import Replay

RECORDINGS = sorted(support.DEMO.glob("*.jsonl"))


def walk(stages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield stages, outer before inner."""
    for stage in stages:
        yield stage
        yield from walk(stage["children"])


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_graph_view_answers_and_stage_view_does_not(file: Path) -> None:
    with Replay(Recording.load(file)) as replay, requests.Session() as session:
        builds = [path for path in replay.documents if split_build(path)]
        assert builds
        for build in builds:
            assert session.get(f"{replay.url}{build}/wfapi/describe").status_code == 404
            (job, _) = split_build(build) or ("", 0)
            assert session.get(f"{replay.url}{job}/wfapi/runs").status_code == 404
            tree = session.get(f"{replay.url}{build}/stages/tree").json()["data"]
            steps = session.get(f"{replay.url}{build}/stages/allSteps").json()["data"]
            assert tree["complete"]
            assert steps["runIsComplete"]
            assert {step["stageId"] for step in steps["steps"]} <= {stage["id"] for stage in walk(tree["stages"])}
            assert all(stage["startTimeMillis"] > 0 and "agent" in stage for stage in tree["stages"])


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_they_keep_nothing_of_stage_view(file: Path) -> None:
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    assert not [line["path"] for line in lines if "wfapi" in line["path"]]


@pytest.mark.process
def test_a_recording_with_stage_view_becomes_one_with_graph_view(tmp_path: Path) -> None:
    source, target = support.RECORDINGS / "96-incident-host-down-2.jsonl", tmp_path / "made.jsonl"
    script = support.ROOT / "scripts" / "graph_view_recording.py"
    made = support.run(sys.executable, script, source, target, env=support.environ(tmp_path))
    assert made.returncode == 0, made.stderr
    before, after = (Recording.load(file).at().answers for file in (source, target))
    described = {
        path: answer for path, answer in before.items() if path.endswith("/wfapi/describe") and "/node/" not in path
    }
    assert described
    for path, answer in described.items():
        build = path.removesuffix("/wfapi/describe")
        tree = after[f"{build}/stages/tree"]["data"]["stages"]
        times = {stage["id"]: stage["startTimeMillis"] for stage in walk(tree)}
        assert times == {stage["id"]: stage["startTimeMillis"] for stage in answer["stages"]}
    failed = [path for path in after if "/stages/log?nodeId=" in path]
    assert failed
    assert all(after[path].splitlines()[-1].startswith("script returned exit code ") for path in failed)
    assert not [path for path in after if "wfapi" in path]
