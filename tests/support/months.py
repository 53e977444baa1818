"""Months of builds and playbooks made at random, with all that sources of spans must tell alike.

A seed makes the same months for ever, as long before a given moment.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import ERROR, OK, SERVER, AttributeValue, Event, Link, Span

CONTROLLER = "https://ci.example.com"
SECOND_NS = 10**9
HOUR_NS, DAY_NS = 3_600 * SECOND_NS, 86_400 * SECOND_NS
JOBS = ("shop/build", "shop/deploy", "orders/deploy", "Team Ärger/lang 😀", 'o\'hara \\ `x` "y" 100%', "{p0:String}/?x=1#2")
# How many days ago builds began: most of them lately.
_AGES = (0, 0, 0, 1, 1, 2, 3, 5, 6, 7, 8, 12, 20, 29, 31, 45, 70, 95, 130, 200, 300, 390)
_ENVIRONMENTS = ("staging", "PROD", " Stage ", "pre-production", "Non Prod", "eu-Live", "live", "qa", "Größe")
_RESULTS = (c.SUCCESS,) * 5 + (c.FAILURE, c.FAILURE, c.ERROR, c.TIMEOUT, c.CANCELLATION, c.SKIP)
_HOST_RESULTS = ("ok",) * 6 + ("changed", "failed", "unreachable", "ignored", "rescued", "skipped")
# Texts and names that have been somebody's SQL, JSON or path.
HOSTILE = (
    "'; DROP TABLE otel_traces; --",
    "\\' OR 1=1 \\\\",
    "{p0:String}",
    "a.b..c. d",
    '`back` "quoted"',
    "tab\t line\n nul\x00 \u2028",
    "100%_",
    "half ?",
    "é😀\U0010ffff",
    " ",
    "null",
    "[1,2]",
    '{"a":1}',
    "5",
    "true",
)
# Of each type one attribute whose name tells it.
TYPED: dict[str, AttributeValue] = {
    c.JENKINS_TESTS_TOTAL: 2**53,
    c.JENKINS_CLOCK_SKEW_MS: -5,
    c.JENKINS_TESTS_FAILED: 0,
    c.FAILURE_CONFIDENCE: 0.85,
    c.JENKINS_TIMES_UNKNOWN: True,
    c.ANSIBLE_TASK_HANDLER: False,
    c.JENKINS_AGENTS: ["linux-1", 'a "b"\\', "é"],
    c.JENKINS_LOG: "[1, 2]\n5",
    c.JENKINS_HELD_MS: 61_500,
    c.JENKINS_HELD_LABELS: ["linux && docker", ""],
    c.JENKINS_HELD_WORKERS: ["", 'a "b"\\é'],
    c.JENKINS_HELD_LENGTHS_MS: [60_000, 1500],
}


class Months:
    """Makes the spans. ``now_ns``: the moment that they lead to, ns since the epoch; few end after it."""

    def __init__(self, seed: int, now_ns: int) -> None:
        self._random = random.Random(seed)
        self._seed, self._now_ns = seed, now_ns
        self._numbers = dict.fromkeys(JOBS, seed * 1000)
        self._spans: list[Span] = []

    def spans(self) -> list[Span]:
        """Return all spans, in no order."""
        for age in _AGES:
            for _ in range(self._random.choice((1, 2, 3))):
                start = self._now_ns - age * DAY_NS - self._random.randrange(3 * HOUR_NS, 20 * HOUR_NS)
                self._build(self._random.choice(JOBS), start)
        # Clocks that are wrong.
        self._build(JOBS[0], self._now_ns + 3 * HOUR_NS)
        self._build(JOBS[1], self._now_ns + 2 * DAY_NS)
        self._of_others()
        self._random.shuffle(self._spans)
        return self._spans

    def _maybe(self, chance: float) -> bool:
        return self._random.random() < chance

    def _add(self, span: Span) -> Span:
        self._spans.append(span)
        return span

    def _build(self, job: str, start: int, parent: Span | None = None) -> Span:
        """Make a build with what it did. ``parent``: the step that started it."""
        self._numbers[job] += 1
        build = Build(CONTROLLER, job, self._numbers[job])
        below = parent is not None and self._maybe(0.7)
        trace = parent.trace_id if parent and below else build.trace_id
        resource: dict[str, AttributeValue] = {
            c.SERVICE_NAME: "ci.example.com",
            c.PIPELINE_NAME: job,
            c.PIPELINE_RUN_ID: str(build.number),
            c.PIPELINE_RUN_URL: f"{CONTROLLER}/{build.path}",
            **({"host.ip": ["10.0.0.1", "::1"], "service.version": ""} if self._maybe(0.3) else {}),
            **({c.VCS_HEAD_REVISION: self._commit()} if self._maybe(0.1) else {}),
        }
        run = Span(trace, build.run_span_id, parent.span_id if parent and below else None, f"RUN {job}", start)
        run.kind, run.resource = SERVER, resource
        result = self._random.choice(_RESULTS)
        run.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: result, **self._said(job)}
        run.events = [Event("trigger", start, {c.JENKINS_CAUSE: "user", c.JENKINS_CAUSE_USER: "Jörg"})]
        if parent and not below:
            run.links.append(Link(parent.trace_id, parent.span_id, {c.JENKINS_LINK: c.LINK_UPSTREAM}))
            parent.links.append(Link(trace, run.span_id, {c.JENKINS_LINK: c.LINK_STARTED}))
        _judge(run, result)
        self._add(run)
        if self._maybe(0.5):
            queue = self._inside(build, run, "Schedule", c.TYPE_QUEUE, start - 60 * SECOND_NS)
            queue.end_ns = start
            queue.attributes |= {name: self._random.randrange(90_000) for name in c.JENKINS_QUEUE_PHASES.values()}
        end = start + SECOND_NS
        for number in range(self._random.randrange(4)):
            end = self._stage(build, run, number, end)
        run.end_ns = end + self._random.randrange(5) * SECOND_NS
        return run

    def _said(self, job: str) -> dict[str, AttributeValue]:
        """Return what a run says of itself."""
        said: dict[str, AttributeValue] = {}
        if self._maybe(0.6):
            said[c.VCS_HEAD_REVISION] = self._commit()
        if self._maybe(0.2):
            said[c.VCS_CHANGE_ID] = str(self._random.randrange(5))
        if "deploy" in job:
            parameters = {
                "ENV": self._random.choice(("", *_ENVIRONMENTS)),
                "TARGET_ENV": self._random.choice(("", "integration")),
                "APP_NAME": self._random.choice(("", "shop", "Bücher")),
                "VERSION": f"1.{self._random.randrange(4)}.0",
                "COMMIT": self._random.choice(("", "main", self._commit().upper())),
            }
            said |= {c.JENKINS_PARAMETER_PREFIX + name: value for name, value in parameters.items() if self._maybe(0.6)}
        if self._maybe(0.3):
            said |= TYPED
        if self._maybe(0.3):
            said |= {f"odd {text}": text for text in self._random.sample(HOSTILE, 4)}
            said |= {"http": "a", "http.method": "b", "http.method.x": "", "UPPER.Case": "c"}
        return said

    def _commit(self) -> str:
        return f"{self._random.randrange(6) + 0xA0:02x}" * 20

    def _inside(self, build: Build, parent: Span, name: str, kind: str, start: int) -> Span:
        """Return a new span of a build."""
        key = (kind, name, str(len(self._spans)), str(self._seed))
        span = Span(parent.trace_id, build.span_id(*key), parent.span_id, name, start, start + 2 * SECOND_NS)
        span.attributes = {c.JENKINS_TYPE: kind}
        span.resource = parent.resource
        return self._add(span)

    def _stage(self, build: Build, run: Span, number: int, start: int) -> int:
        """Make a stage; return when it ended."""
        kind = self._random.choice((c.TYPE_STAGE, c.TYPE_STAGE, c.TYPE_BRANCH))
        name = self._random.choice(("Build", "Test", "Deploy staging", "Deploy", *HOSTILE[:3]))
        stage = self._inside(build, run, name, kind, start)
        result = self._random.choice(_RESULTS)
        stage.attributes |= {c.TASK_RUN_RESULT: result, c.TASK_RUN_ID: str(number), c.WORKER_NAME: f"linux-{number}"}
        _judge(stage, result)
        end = start + self._random.randrange(400) * SECOND_NS
        for at in range(self._random.randrange(3)):
            step = self._inside(build, stage, f"sh {at}", c.TYPE_STEP, start + at)
            if self._maybe(0.3):
                step.attributes[c.JENKINS_RETRY_ATTEMPT] = at + 1
                _judge(step, self._random.choice(_RESULTS))
            if self._maybe(0.25) and build.job != JOBS[1]:
                started = self._build(JOBS[1], step.end_ns + 10 * SECOND_NS, step)
                step.end_ns = started.end_ns + SECOND_NS
                end = max(end, step.end_ns)
        if self._maybe(0.5):
            end = max(end, self._playbook(build, stage, start + SECOND_NS))
        # By a clock that went back.
        stage.end_ns = end if self._maybe(0.95) else start - 7 * SECOND_NS
        return end

    def _playbook(self, build: Build, stage: Span, start: int) -> int:
        """Make a playbook in a stage, perhaps in a trace of its own; return when it ended."""
        own = trace_id(("playbook", stage.span_id)) if self._maybe(0.3) else stage.trace_id
        playbook = self._part(stage, own, "playbook site.yml", c.TYPE_PLAYBOOK, start)
        playbook.attributes[c.ANSIBLE_PLAYBOOK_NAME] = "site.yml"
        playbook.resource = {**stage.resource, c.SERVICE_NAME: "ansible", c.HOST_NAME: "runner-1"}
        if self._maybe(0.7):
            playbook.attributes |= {
                c.DEPLOYMENT_ENVIRONMENT: self._random.choice(_ENVIRONMENTS),
                c.DEPLOYMENT_NAME: self._random.choice(("shop", "orders")),
                c.ARTIFACT_VERSION: f"1.{self._random.randrange(4)}.0",
                c.TASK_TYPE: c.DEPLOY,
                c.VCS_HEAD_REVISION: self._commit(),
            }
        counts = dict.fromkeys(("ok", "changed", "failures"), 1)
        playbook.events = [Event("recap", start, {c.ANSIBLE_HOST_NAME: name, **counts}) for name in ("web1", "web2")]
        playbook.attributes |= {f"{c.ANSIBLE_STATS_PREFIX}{name}": value for name, value in counts.items()}
        play = self._part(playbook, own, "All hosts", c.TYPE_PLAY, start)
        at = start
        for number in range(self._random.randrange(1, 4)):
            task = self._part(play, own, f"Task {number}: é", c.TYPE_TASK, at)
            for name in ("web1", "web2"):
                host = self._part(task, own, name, c.TYPE_HOST, at)
                result = self._random.choice(_HOST_RESULTS)
                host.attributes |= {c.ANSIBLE_RESULT: result, c.ANSIBLE_MESSAGE: self._random.choice(HOSTILE)}
                _judge(host, c.FAILURE if result in ("failed", "unreachable") else c.SUCCESS)
                host.events = [Event("item", at, {c.ANSIBLE_ITEM_LABEL: "x", c.ANSIBLE_DURATION_MS: number})]
            at += self._random.randrange(1, 50) * SECOND_NS
            task.end_ns = at
        play.end_ns = playbook.end_ns = at
        return at

    def _part(self, parent: Span, trace: str, name: str, kind: str, start: int) -> Span:
        key = ("part", parent.span_id, name, str(len(self._spans)), str(self._seed))
        span = Span(trace, span_id(key), parent.span_id, name, start, start + SECOND_NS)
        span.attributes = {c.ANSIBLE_TYPE: kind, c.TASK_RUN_RESULT: c.SUCCESS}
        span.resource = parent.resource
        return self._add(span)

    def _of_others(self) -> None:
        """Make what is no build of Jenkins': commands, runs of other systems, spans that say nothing."""
        start = self._now_ns - 2 * DAY_NS
        for number, text in enumerate(HOSTILE):
            trace, key = trace_id(("other", text, str(self._seed))), ("other", text, str(self._seed))
            root = self._add(Span(trace, span_id(key), None, text, start + number, start + SECOND_NS * number))
            root.status_code = self._random.choice((OK, ERROR))
            root.attributes = {text: text, "empty": ""}
            root.resource = {c.SERVICE_NAME: text, text: text}
            root.events = [Event(text, root.start_ns, {text: text})]
            root.links = [Link(root.trace_id, root.span_id, {text: text})]
            if number % 3 == 0:
                root.attributes |= {c.VCS_HEAD_REVISION: self._commit(), c.PROCESS_EXIT_CODE: 2}
            if number % 3 == 1:
                root.attributes |= {c.PIPELINE_NAME: "pipeline.yml", c.PIPELINE_RUN_ID: str(number)}
                root.attributes[c.PIPELINE_RESULT] = self._random.choice(_RESULTS)
                root.resource = {**root.resource, c.VCS_HEAD_REVISION: self._commit(), c.VCS_CHANGE_ID: "3"}


def _judge(span: Span, result: str) -> None:
    if result in c.FAILED_RESULTS:
        span.fail(f"ended with {result}: é \x1b[31m")


def traces_of(spans: Sequence[Span]) -> list[str]:
    """Return the ids of all traces."""
    return sorted({span.trace_id for span in spans})
