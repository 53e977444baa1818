"""Spans as a poller and a callback would make them, for the views' tests. Times are fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_trace.lookup.flaky import Flaky
from pipeline_trace.lookup.usual import OtherBuilds, Usual
from pipeline_trace.report.headline import Headline
from pipeline_trace.trace import conventions as names
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import ERROR, SERVER, Event, Link, Span
from support.accounts import account

# 2025-03-05T15:30:12.250Z: Wednesday, half past four in Berlin.
START_NS = 1_741_188_612_250_000_000
ROOT_URL = "https://ci.example.org"
TRACE = trace_id(("jenkins", ROOT_URL, "app-build", "42"))
JENKINS = {"service.name": "ci.example.org", "cicd.pipeline.name": "app-build", "cicd.pipeline.run.id": "42"}
ANSIBLE = {"service.name": "ansible", "ansible.version": "2.18.3", "cicd.pipeline.name": "app-deploy"}
REFUSED = (
    "Unable to start service app: Job for app.service failed because the control process exited with error code.\n"
    "app[2211]: could not connect to server: Connection refused\n"
    '\tIs the server running on host "db1.staging.example.org" (10.0.4.17) and accepting TCP/IP connections on port 5432?'
)
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<!--<script>",
    "{{ 7 * 7 }}{% raw %}",
    "invoice\u202efdp.exe",
    "broken \ud800 half",
    "line\u2028separator",
    "nul\x00 bell\x07",
    "\"'><svg onload=alert(3)>",
    "javascript:alert(4)",
]


def seconds(value: float) -> int:
    """Return seconds after the sample's start as nanoseconds since the epoch."""
    return START_NS + round(value * 1_000_000_000)


def make(key: str, parent: str | None, name: str, begin: float, end: float | None, **attributes: Any) -> Span:
    """Return a span of the sample's trace. Times in seconds after its start; without an end it is open.

    Attributes: ``_`` stands for a dot, ``__`` for an underscore.
    """
    return Span(
        trace_id=TRACE,
        span_id=span_id(("sample", key)),
        parent_id=span_id(("sample", parent)) if parent else None,
        name=name,
        start_ns=seconds(begin),
        end_ns=seconds(end) if end is not None else 0,
        attributes={k.replace("__", "\0").replace("_", ".").replace("\0", "_"): v for k, v in attributes.items()},
        resource=JENKINS,
    )


def sample() -> list[Span]:
    """Return a build that deploys by way of another build and fails on one host of three."""
    return [*_build(), *_deploy_build(), *_playbook()]


def _jenkins(key: str, parent: str | None, name: str, kind: str, begin: float, end: float, result: str = "") -> Span:
    span = make(key, parent, name, begin, end, jenkins_type=kind)
    if result:
        span.attributes[names.PIPELINE_RESULT if kind == names.TYPE_RUN else names.TASK_RUN_RESULT] = result
    if result in names.FAILED_RESULTS:
        span.fail()
    return span


def _build() -> list[Span]:
    run = _jenkins("run", None, "RUN app-build", "run", 0, 318.4, "failure")
    run.kind = SERVER
    run.attributes.update(
        {
            names.PIPELINE_NAME: "app-build",
            names.PIPELINE_RUN_ID: "42",
            names.PIPELINE_RUN_URL: f"{ROOT_URL}/job/app-build/42/",
            names.VCS_REPOSITORY_URL: "https://git.example.org/shop/app",
            names.VCS_HEAD_NAME: "main",
            names.VCS_HEAD_REVISION: "4f1c2d9e0b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d",
            "jenkins.parameters": ["DEPLOY_TO=staging", "DRY_RUN=false"],
        }
    )
    run.events.append(Event("trigger", seconds(-2.4), {"jenkins.cause": "GitHub push by mara"}))
    run.links.append(Link(trace_id(("other",)), span_id(("other",)), {"jenkins.link": "rebuild of #41"}))
    tests = _jenkins("tests", "run", "Unit test", "stage", 21.2, 96.9, "success")
    tests.attributes.update({"jenkins.tests.passed": 1288, "jenkins.tests.failed": 0, "jenkins.tests.skipped": 4})
    deploy = _jenkins("step-build", "deploy", "Building app-deploy", "step", 158.2, 316.9, "failure")
    deploy.fail("app-deploy #17 completed with result FAILURE")
    return [
        run,
        _jenkins("queue", "run", "Schedule", "queue", -2.4, 0),
        _jenkins("agent", "run", "Allocate agent linux", "agent", 0.3, 14.8),
        _jenkins("checkout", "run", "Checkout", "stage", 14.9, 21.1, "success"),
        _jenkins("git", "checkout", "Check out from version control", "step", 15.0, 21.0, "success"),
        tests,
        _jenkins("unit", "tests", "linux-py311", "branch", 21.4, 96.8, "success"),
        _jenkins("sh", "unit", "make test", "step", 22.0, 96.6, "success"),
        _jenkins("lint", "tests", "lint", "branch", 21.4, 40.3, "success"),
        _jenkins("sh2", "lint", "make lint", "step", 21.9, 40.2, "success"),
        _jenkins("approve", "run", "Approve", "stage", 97.0, 158.0, "success"),
        _jenkins("input", "approve", "Wait for input", "input", 97.2, 157.9),
        _jenkins("deploy", "run", "Deploy staging", "stage", 158.1, 317.0, "failure"),
        deploy,
        _jenkins("prod", "run", "Deploy production", "stage", 317.0, 317.0, "skip"),
        _jenkins("cleanup", "run", "Clean up", "cleanup", 317.1, 318.4),
    ]


def _deploy_build() -> list[Span]:
    run = _jenkins("run2", "step-build", "RUN app-deploy", "run", 164.0, 316.6, "failure")
    run.kind = SERVER
    run.attributes[names.PIPELINE_RUN_URL] = f"{ROOT_URL}/job/app-deploy/17/"
    shell = _jenkins("sh3", "run-playbook", "ansible-playbook -i staging deploy.yml", "step", 172.5, 316.0, "failure")
    shell.fail("script returned exit code 2")
    return [
        run,
        _jenkins("queue2", "run2", "Schedule", "queue", 158.6, 164.0),
        _jenkins("agent2", "run2", "Allocate agent deploy", "agent", 164.2, 172.1),
        _jenkins("run-playbook", "run2", "Run playbook", "stage", 172.3, 316.2, "failure"),
        shell,
    ]


def _ansible(key: str, parent: str, name: str, kind: str, begin: float, end: float, result: str = "") -> Span:
    span = make(key, parent, name, begin, end, ansible_type=kind)
    span.resource = ANSIBLE
    if result:
        span.attributes["ansible.result"] = result
    if result in ("failed", "unreachable"):
        span.fail()
    return span


def _playbook() -> list[Span]:
    spans = [
        _ansible("playbook", "sh3", "playbook deploy.yml", "playbook", 174.0, 315.4),
        _ansible("play", "playbook", "Deploy the application", "play", 174.6, 315.3),
    ]
    spans[0].fail("1 of 3 hosts failed")
    spans[0].attributes[names.DEPLOYMENT_ENVIRONMENT] = "staging"
    spans[0].attributes[names.TASK_TYPE] = "deploy"
    tasks = [
        ("Gathering Facts", 174.8, ("ok", 2.4), ("ok", 2.9), ("ok", 11.7)),
        ("Install packages", 186.7, ("changed", 31.2), ("changed", 33.8), ("ok", 8.1)),
        ("Copy the configuration", 220.7, ("changed", 1.171), ("changed", 1.3), ("changed", 0.984)),
        ("Migrate the database", 222.2, ("skipped", 0.02), ("skipped", 0.02), ("changed", 48.6)),
        ("Restart the service", 271.0, ("ok", 4.6), ("ok", 4.9), ("failed", 38.2)),
        ("Smoke test", 309.4, ("ok", 3.3), ("ignored", 5.6)),
    ]
    for number, (name, begin, *hosts) in enumerate(tasks):
        task = f"task{number}"
        end = begin + max(length for _, length in hosts)
        spans.append(_ansible(task, "play", name, "task", begin, end))
        for host, (result, length) in enumerate(hosts, 1):
            spans.append(_ansible(f"{task}-{host}", task, f"web{host}", "host", begin, begin + length, result))
    failed = next(s for s in spans if s.status_code == ERROR and s.name == "web3")
    failed.fail(REFUSED)
    items = next(s for s in spans if s.name == "web1" and s.attributes["ansible.result"] == "changed")
    for at, item in enumerate(["nginx", "python3", "app=4.2.0"]):
        items.events.append(Event("item", seconds(192 + 9 * at), {"ansible.item": item, "ansible.result": "changed"}))
    return spans


def story() -> tuple[list[Span], Headline, OtherBuilds]:
    """Return the sample with all that a page can show besides its spans."""
    spans = sample()
    for span in spans:
        if span.name == "web3" and span.status_code == ERROR:
            span.attributes["ansible.message"] = f"{REFUSED}\n" + "\n".join(f"line {n} of the journal" for n in range(30))
        elif span.name == "make lint":
            span.attributes["jenkins.retry.attempt"] = 2
    verdict = Verdict("ops", "host_unreachable", 0.93, ["web3: Connection refused", "main is green"], "Ops looks at web3.")
    usual = {("app-build", "Unit test"): _usual(60, 70), ("app-build", "Checkout"): _usual(6, 9)}
    flaky = [Flaky("app-build", "Unit test", "41", "42"), Flaky("app-build", "CartTest adds twice", "41", "42", True)]
    return spans, Headline(verdict, PATH, account=account()), OtherBuilds(usual, flaky)


def _usual(median: int, p95: int) -> Usual:
    return Usual(median * 1_000_000_000, p95 * 1_000_000_000, 14)


@dataclass(frozen=True)
class Verdict:
    """As pipeline_trace.ownership gives it."""

    owner: str
    kind: str
    confidence: float
    evidence: Sequence[str]
    next: str


PATH: dict[str, Any] = {
    "answer": {
        "answer": "no",
        "reason": "staging failed 3 times with the same error",
        "next": "pipeline-trace why app-deploy#17",
    },
    "services": [
        {
            "service": None,
            "steps": [
                {"step": "review", "state": "not known", "last": None, "failures": 0},
                {
                    "step": "merge",
                    "state": "success",
                    "failures": 0,
                    "last": {
                        "run": "app-build#42",
                        "url": f"{ROOT_URL}/job/app-build/42/",
                        "started": "2025-03-05T15:30:12.250+00:00",
                        "ran_ms": 318400,
                        "waited": [
                            {"for": "machine", "what": "queue", "ms": 3, "who": None},
                            {"for": "person", "what": "input", "ms": 60700, "who": "mara"},
                        ],
                    },
                },
                {
                    "step": "staging",
                    "state": "failure",
                    "failures": 3,
                    "last": {"run": "app-deploy#17", "url": "javascript:1"},
                },
                {"step": "production", "state": "not reached", "last": None, "failures": 0},
            ],
        }
    ],
    "notes": ["Only what this store holds is told."],
}


def many(count: int) -> list[Span]:
    """Return a playbook run of about ``count`` spans: tasks of 100 hosts; a host in every 1,000 failed."""
    spans = [
        _jenkins("run", None, "RUN nightly", "run", 0, 3600, "failure"),
        _jenkins("stage", "run", "Run playbook", "stage", 1, 3599, "failure"),
        _ansible("playbook", "stage", "playbook site.yml", "playbook", 2, 3598),
        _ansible("play", "playbook", "All hosts", "play", 3, 3597),
    ]
    tasks = max(1, (count - len(spans)) // 101)
    length = 3500 / tasks
    for number in range(tasks):
        begin = 3 + number * length
        spans.append(_ansible(f"t{number}", "play", f"Task {number}: a step of the roll-out", "task", begin, begin + length))
        spans[-1].attributes.update({"ansible.task.action": "ansible.builtin.command", "code.line.number": number})
        for host in range(100):
            result = "failed" if (number * 100 + host) % 1000 == 999 else "ok"
            key = f"t{number}h{host}"
            span = _ansible(key, f"t{number}", f"web{host:03}", "host", begin, begin + length * 0.9, result)
            span.attributes.update(
                {
                    "server.address": f"web{host:03}.example.org",
                    names.TASK_NAME: f"Task {number}: a step of the roll-out",
                    names.TASK_RUN_RESULT: "failure" if result == "failed" else "success",
                    "ansible.task.action": "ansible.builtin.command",
                    "ansible.host.attempts": 1,
                }
            )
            if result == "failed":
                span.fail(f"non-zero return code {number}")
            spans.append(span)
    return spans


def hostile_spans() -> list[Span]:
    """Return spans that hold each hostile text wherever a text may stand."""
    spans = [make("root", None, "root", 0, 5)]
    for number, text in enumerate(HOSTILE):
        span = make(f"h{number}", "root", text, number, number + 1)
        span.fail(text)
        span.attributes = {text: text, "list": [text, text], "url": "javascript:alert(5)"}
        span.events.append(Event(text, span.start_ns, {text: text}))
        span.links.append(Link(span.trace_id, span.span_id, {text: text}))
        span.resource = {text: text}
        spans.append(span)
    return spans
