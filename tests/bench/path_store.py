"""How long `pipeline-trace path` takes in a large store: python tests/bench/path_store.py [SPANS]."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import Link, Span

SECOND = 1_000_000_000
DAY = 1_795_000_000 * SECOND
PLACES = ("integration", "staging", "production")
A_TRACE = 100
ROUNDS = 5


def trace(number: int, commit: str) -> list[Span]:
    """Return a build of one of four services with its three deploys; what is left of A_TRACE are hosts of playbooks."""
    name, service, at = trace_id(("bench", str(number))), f"team{number % 4}", DAY + number * 600 * SECOND
    spans: list[Span] = []

    def add(parent: Span | None, what: str, job: str, run: int, seconds: int, **told: str) -> Span:
        made = Span(name, span_id((str(number), str(len(spans)))), parent.span_id if parent else None, what, at)
        made.end_ns = at + seconds * SECOND
        made.attributes = {names.get(key, f"jenkins.parameter.{key}"): value for key, value in told.items()}
        made.resource = {c.SERVICE_NAME: "ci.example.com", c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(run)}
        if told.get("type") == c.TYPE_RUN:
            made.attributes |= {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(run), c.PIPELINE_RESULT: c.SUCCESS}
        spans.append(made)
        return made

    names = {"type": c.JENKINS_TYPE, "ansible": c.ANSIBLE_TYPE, "commit": c.VCS_HEAD_REVISION, "branch": c.VCS_HEAD_NAME}
    names |= {"result": c.TASK_RUN_RESULT}
    build = add(None, "RUN build", f"{service}/build", number, 90, type=c.TYPE_RUN, commit=commit, branch="main")
    deploys = []
    for i, place in enumerate(PLACES):
        stage = add(build, f"Deploy {place}", f"{service}/build", number, 20 + 10 * i, type=c.TYPE_STAGE, result=c.SUCCESS)
        step = add(stage, "Building deploy", f"{service}/build", number, 10, type=c.TYPE_STEP, result=c.SUCCESS)
        told = {"type": c.TYPE_RUN, "commit": commit, "ENVIRONMENT": place, "VERSION": f"1.{number}"}
        deploys.append(add(step, "RUN deploy", f"{service}/deploy", 3 * number + i, 10, **told))
        step.links = [Link(name, deploys[-1].span_id, {"jenkins.link": "started"})]
    for i in range(A_TRACE - len(spans)):
        add(deploys[i % 3], f"web{i}", f"{service}/deploy", 3 * number + i % 3, 1, ansible=c.TYPE_HOST, pad="x" * 200)
    return spans


def cpu_seconds() -> float:
    """Return the processor time of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Fill a store with a commit for each four builds, and ask for the newest, an old commit and a version."""
    traces = int(sys.argv[1] if len(sys.argv) > 1 else "100000") // A_TRACE
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "traces.db")
        commits = [trace_id(("commit", str(number // 4))) + "0" * 8 for number in range(traces)]
        for number, commit in enumerate(commits):
            store.deliver(trace(number, commit), 5.0)
        store.close()
        (Path(folder) / "journals").mkdir()
        for asked in ("latest", commits[traces // 2], f"1.{traces // 3}"):
            took, cpu = [], []
            for _ in range(ROUNDS):
                started, before = time.perf_counter(), cpu_seconds()
                command = [Path(sys.executable).parent / "pipeline-trace", "path", asked]
                subprocess.run(
                    command, env={**os.environ, "PIPELINE_TRACE_HOME": folder}, check=True, stdout=subprocess.DEVNULL
                )
                took.append(round(time.perf_counter() - started, 2))
                cpu.append(round(cpu_seconds() - before, 2))
            print(json.dumps({"spans": traces * A_TRACE, "asked": asked[:12], "seconds": sorted(took), "cpu": sorted(cpu)}))


if __name__ == "__main__":
    main()
