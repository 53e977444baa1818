"""What is read of the builds from which history tells: enough to know why they failed, and little else."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.ownership import judge
from pipeline_trace.ownership.log.rules import load_rules
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.queries import build_key
from pipeline_trace.trace.span import Link, Span

MINUTE = 60 * 10**9
DAY = 1_795_000_000 * 10**9
REFUSED = "connect to db1 port 5432: Connection refused"


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")})


def deploy(number: int, job: str) -> list[Span]:
    """Return a build whose playbook fails on one of its hosts."""
    at = DAY + number * MINUTE
    spans: list[Span] = []

    def add(parent: Span | None, name: str, **told: str) -> Span:
        made = Span(trace_id((job, str(number))), span_id((job, str(number), name)), parent and parent.span_id, name, at)
        made.end_ns, made.resource = at + MINUTE, {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
        made.attributes = {keys[key]: value for key, value in told.items()}
        spans.append(made)
        return made

    keys = {"jenkins": c.JENKINS_TYPE, "ansible": c.ANSIBLE_TYPE, "result": c.ANSIBLE_RESULT, "said": c.ANSIBLE_MESSAGE}
    run = add(None, "RUN", jenkins=c.TYPE_RUN)
    run.attributes |= {c.PIPELINE_RESULT: c.FAILURE, c.VCS_HEAD_REVISION: f"{number:040x}", c.WORKER_NAME: f"agent{number}"}
    playbook = add(run, "playbook", ansible=c.TYPE_PLAYBOOK)
    task = add(playbook, "task", ansible=c.TYPE_TASK)
    failed = add(task, "web0", ansible=c.TYPE_HOST, result="failed", said=REFUSED)
    for one in (run, playbook, task, failed):
        one.fail(REFUSED)
    for host in range(1, 20):
        add(task, f"web{host}", ansible=c.TYPE_HOST, result="ok")
    return spans


def test_hosts_on_which_nothing_failed_are_not_read_of_past_builds(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store(place.store)) as store:
        for number in range(1, 6):
            store.deliver(deploy(number, f"team{number}/deploy"), 5)
    read: list[str] = []
    from_dict = Span.from_dict

    def noted(data: dict[str, object]) -> Span:
        read.append(str(data["name"]))
        return from_dict(data)

    with closing(local_lookup(place)) as lookup:
        own = lookup.spans("team3/deploy#3")
        monkeypatch.setattr(Span, "from_dict", noted)
        verdict = judge.judged_trace(lookup, own, "team3/deploy#3", load_rules()).verdict
        assert not any(name.startswith("web") and name != "web0" for name in read)
        assert read.count("web0") == 4
        # With all hosts it is the same.
        whole = lookup.spans_of_build
        monkeypatch.setattr(lookup, "spans_of_builds", lambda runs: {build_key(run): whole(*build_key(run)) for run in runs})
        assert judge.judged_trace(lookup, own, "team3/deploy#3", load_rules()).verdict == verdict
    assert "5 projects have had the same error" in "\n".join(verdict.evidence)


def upstream(job: str, below: Span) -> list[Span]:
    """Return a build, in a trace that only it is in, whose last step started another build and fails with it."""
    ids = [(job, name) for name in ("run", "step")]
    run, step = (
        Span(trace_id((job,)), span_id(key), None, name, below.start_ns - 1)
        for key, name in zip(ids, ("RUN", "build"), strict=True)
    )
    step.parent_id = run.span_id
    for one in (run, step):
        one.end_ns, one.resource = below.end_ns + 1, {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: "1"}
        one.fail("shared » deploy #1 completed: FAILURE")
    run.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: c.FAILURE}
    step.attributes = {c.JENKINS_TYPE: c.TYPE_STEP}
    started = {c.JENKINS_LINK: c.LINK_STARTED, c.PIPELINE_NAME: "shared/deploy", c.PIPELINE_RUN_ID: "1"}
    step.links.append(Link(step.trace_id, below.span_id, started))
    return [run, step]


def test_a_build_that_several_projects_started_is_followed_from_each_and_fails_once(place: Home) -> None:
    below = deploy(1, "shared/deploy")
    jobs = [f"team{number}/build" for number in range(3)]
    with closing(Store(place.store)) as store:
        store.deliver([*below, *(span for job in jobs for span in upstream(job, below[0]))], 5)
    with closing(local_lookup(place)) as lookup:
        for reference in [f"{job}#1" for job in jobs]:
            said = "\n".join(judge.judged_for(lookup, reference, load_rules()).verdict.evidence)
            assert "build shared/deploy#1" in said
            assert REFUSED in said
            assert "projects" not in said
