"""Builds and deploys of the last days, as a poller tells them: for what pages show, find and count from now on."""

from __future__ import annotations

from typing import Any

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import Event, Span

SECOND = 10**9
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
JENKINS = "https://jenkins.example.org"
COMMITS = {
    "1.7.1": "1a8f90d2c4b6e8f1a3d5c7b9e0f2a4c6d8e1b3f5",
    "1.7.2": "4f1c2d9e0b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d",
    "1.7.3": "9e0a338c41d27b5f60e8a9d3c2b1f4e5d6a7b8c9",
}
UNREACHABLE = "web3: Failed to connect to the host via ssh: No route to host"


def build(job: str, number: int, start_ns: int, state: str = c.SUCCESS, *, took_ns: int = 2 * MINUTE, **more: Any) -> Span:
    """Return the run of a build, in a trace of its own.

    ``who``: who started it. ``version`` and ``commit``. ``environment``: a parameter. ``service``, ``branch``, ``agent``.
    ``url``: instead of that of its job. ``message``, ``owner`` and ``kind``: of its failure.
    """
    key = ("shop", job, str(number))
    made = Span(trace_id(key), span_id(key), None, f"RUN {job}", start_ns, start_ns + took_ns, kind="SERVER")
    url = more.get("url", f"{JENKINS}/job/{job.replace('/', '/job/')}/{number}/")
    told = {
        c.JENKINS_TYPE: c.TYPE_RUN,
        c.PIPELINE_RESULT: state,
        c.PIPELINE_NAME: job,
        c.PIPELINE_RUN_ID: str(number),
        c.PIPELINE_RUN_URL: url,
        c.VCS_HEAD_NAME: more.get("branch", ""),
        c.VCS_HEAD_REVISION: more.get("commit", ""),
        "jenkins.parameter.ENVIRONMENT": more.get("environment", ""),
        "jenkins.parameter.SERVICE": more.get("service", ""),
        "jenkins.parameter.VERSION": more.get("version", ""),
        c.FAILURE_OWNER: more.get("owner", ""),
        c.FAILURE_KIND: more.get("kind", ""),
    }
    made.attributes = {name: text for name, text in told.items() if text}
    made.attributes[c.JENKINS_AGENTS] = [more.get("agent", "agent-1")]
    made.resource = {c.SERVICE_NAME: "jenkins.example.org", c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
    made.events = [Event("trigger", start_ns, {c.JENKINS_CAUSE_USER: more.get("who", "mara")})]
    if state in c.FAILED_RESULTS:
        made.fail(more.get("message", UNREACHABLE))
    return made


def deploy(
    number: int, start_ns: int, environment: str, version: str, state: str = c.SUCCESS, *, service: str = "shop", **more: Any
) -> list[Span]:
    """Return a build of ``SERVICE/deploy`` with the stage that deploys. ``more``: see build."""
    if state in c.FAILED_RESULTS:
        more = {"owner": "ops", "kind": "host_unreachable", **more}
    told = {"commit": COMMITS.get(version, ""), "environment": environment, "version": version, "branch": "main", **more}
    run = build(f"{service}/deploy", number, start_ns, state, **told)
    stage = Span(run.trace_id, span_id((run.span_id, "stage")), run.span_id, "Run playbook", run.start_ns, run.end_ns)
    stage.attributes = {c.JENKINS_TYPE: c.TYPE_STAGE, c.TASK_RUN_RESULT: state}
    stage.resource = dict(run.resource)
    if state in c.FAILED_RESULTS:
        stage.fail(run.status_message)
    return [run, stage]


def last_days(now_ns: int) -> list[Span]:
    """Return builds and deploys of the shop, and of orders: the deploy of 1.7.3 to staging failed yesterday, and others did.

    1.7.3 is in integration, 1.7.2 in staging, 1.7.1 in production.
    """

    def ago(days: float) -> int:
        return now_ns - round(days * DAY)

    builds = [
        build("shop/build", 45, ago(6.1), version="1.7.1", commit=COMMITS["1.7.1"], branch="main", who="jonas"),
        build("shop/build", 46, ago(4.1), version="1.7.2", commit=COMMITS["1.7.2"], branch="main", who="jonas"),
        build("shop/build", 47, ago(1.3), version="1.7.3", commit=COMMITS["1.7.3"], branch="main", who="jonas"),
        build(
            "shop/build",
            44,
            ago(7),
            c.FAILURE,
            branch="feature/basket",
            message="3 tests failed",
            owner="dev",
            agent="agent-2",
        ),
    ]
    deploys = [
        deploy(134, ago(6), "integration", "1.7.1"),
        deploy(135, ago(5.9), "staging", "1.7.1", c.FAILURE, message="db1: no space left on device", kind="disk_full"),
        deploy(136, ago(5.8), "staging", "1.7.1"),
        deploy(137, ago(5), "production", "1.7.1", who="adam", agent="prod-deploy-1"),
        deploy(138, ago(4), "integration", "1.7.2"),
        deploy(139, ago(3), "staging", "1.7.2", took_ns=4 * MINUTE),
        deploy(140, ago(1.2), "integration", "1.7.3"),
        deploy(141, ago(1), "staging", "1.7.3", c.FAILURE),
        deploy(142, ago(0.1), "production", "1.7.2", c.CANCELLATION, who="adam", agent="prod-deploy-1"),
        deploy(21, ago(2), "staging", "4.2.0", service="orders", who="eve"),
        deploy(22, ago(1), "staging", "4.2.1", c.FAILURE, service="orders", who="eve"),
    ]  # fmt: skip
    return [*builds, *(span for spans in deploys for span in spans)]
