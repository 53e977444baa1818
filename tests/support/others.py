"""Traces as other tools send them: Jenkins' OpenTelemetry plugin, receivers of GitHub's and GitLab's webhooks, an action."""

from __future__ import annotations

from itertools import count
from typing import Any

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import ERROR, INTERNAL, OK, SERVER, UNSET, Event, Span

SECOND = 1_000_000_000
DAY = 1_795_000_000 * SECOND
COMMIT = "c" * 40
JENKINS = "http://jenkins.example.com"
# What the plugin is told to send: its own names (the default), both, or the conventions' names.
OWN, BOTH, STANDARD = "JENKINS", "JENKINS_OTEL_DUP", "OTEL"


class Sent:
    """Spans of one trace, made one after another. Times are seconds since a day began."""

    def __init__(self, name: str, resource: dict[str, Any]) -> None:
        self.trace, self.spans = trace_id((name,)), list[Span]()
        self.resource = resource
        self._name, self._ids = name, count()

    def add(self, name: str, start: float, end: float, parent: Span | None = None, status: str = UNSET, **more: Any) -> Span:
        made = Span(
            self.trace,
            span_id((self._name, str(next(self._ids)))),
            parent.span_id if parent else None,
            name,
            DAY + round(start * SECOND),
            DAY + round(end * SECOND),
            kind=more.pop("kind", INTERNAL),
            status_code=status,
            status_message=more.pop("message", ""),
            resource=more.pop("resource", self.resource),
            attributes=more.pop("attributes", {}),
            events=more.pop("events", []),
        )
        assert not more
        self.spans.append(made)
        return made


class Plugin(Sent):
    """Builds as Jenkins' OpenTelemetry plugin tells them. ``names``: OWN, BOTH or STANDARD."""

    def __init__(self, name: str = "plugin", names: str = OWN) -> None:
        resource = {c.SERVICE_NAME: "jenkins", "service.namespace": "jenkins", "jenkins.url": JENKINS}
        super().__init__(name, resource)
        self._own, self._standard = names != STANDARD, names != OWN
        self._node = count(3)

    def build(
        self,
        job: str,
        number: int,
        start: float,
        end: float,
        result: str = "SUCCESS",
        parent: Span | None = None,
        **more: Any,
    ) -> Span:
        """Add a build, with its phases; return the phase in which it runs. Parameters have capital letters."""
        parameters = {key: more.pop(key) for key in list(more) if key.isupper()}
        url = f"{JENKINS}/job/{job.replace('/', '/job/')}/{number}/"
        attributes: dict[str, Any] = {
            "ci.pipeline.id": job,
            "ci.pipeline.run.number": number,
            "ci.pipeline.type": "workflow",
            "ci.pipeline.run.completed": result != "ABORTED",
            "ci.pipeline.run.durationMillis": round((end - start) * 1000),
        }
        if self._own:
            attributes |= {
                "ci.pipeline.name": job.replace("/", " » "),
                "ci.pipeline.run.url": url,
                "ci.pipeline.run.result": result,
            }
        if self._standard:
            words = {"SUCCESS": "success", "FAILURE": "failure", "ABORTED": "cancellation"}
            attributes |= {
                "cicd.pipeline.action.name": "BUILD",
                "cicd.pipeline.name": cut(job),
                "cicd.pipeline.run.id": f"{job}/{number}",
                "cicd.pipeline.run.url.full": url,
                "cicd.pipeline.result": words.get(result, result.lower()),
            }
        if "branch_type" in more:
            attributes["ci.pipeline.multibranch.type"] = more.pop("branch_type")
        if parameters:
            secret = [key.startswith("SECRET") for key in parameters]
            values = ["#REDACTED#" if hidden else value for hidden, value in zip(secret, parameters.values(), strict=True)]
            attributes |= {
                "ci.pipeline.parameter.name": list(parameters),
                "ci.pipeline.parameter.sensitive": secret,
                "ci.pipeline.parameter.value": values,
            }
        status, message = {"SUCCESS": OK, "FAILURE": ERROR, "UNSTABLE": ERROR}.get(result, UNSET), result
        if status == ERROR:
            attributes |= {"exception.type": f"PIPELINE_{result}", "exception.message": f"PIPELINE_{result}"}
        attributes |= more.pop("attributes", {})
        said = {} if status == UNSET else {"message": message}
        run = self.add(f"BUILD {cut(job)}", start, end, parent, status, kind=SERVER, attributes=attributes, **said)
        assert not more
        self.add("Phase: Start", start, start + 0.2, run)
        running = self.add("Phase: Run", start + 0.2, end - 0.2, run)
        self.add("Phase: Finalise", end - 0.2, end, run)
        return running

    def agent(self, start: float, end: float, parent: Span, label: str = "linux", status: str = OK) -> Span:
        """Add the block on an agent, with the wait for it."""
        told = {"attributes": {"jenkins.pipeline.step.agent.label": label}}
        block = self.step("Agent", start, end, parent, "node", status, named="agent", node="", **told)
        told = {"attributes": {"jenkins.pipeline.step.agent.label": label}}
        self.step("Agent Allocation", start, start + 2, block, "node", named="agent.allocate", node="", **told)
        return block

    def stage(self, name: str, start: float, end: float, parent: Span, status: str = OK, **more: Any) -> Span:
        return self.step(f"Stage: {name}", start, end, parent, "stage", status, named=name, node="", **more)

    def branch(self, name: str, start: float, end: float, parent: Span, status: str = OK, **more: Any) -> Span:
        return self.step(f"Parallel branch: {name}", start, end, parent, "parallel", status, named=name, node="", **more)

    def sh(self, start: float, end: float, parent: Span, exit_status: int = 0, label: str = "sh") -> Span:
        """Add a shell script. The plugin tells neither the script nor what it printed."""
        message = f"script returned exit code {exit_status}" if exit_status else ""
        exception = {"exception.type": "hudson.AbortException", "exception.message": message, "exception.stacktrace": "at …"}
        events = [Event("exception", DAY + round(end * SECOND), exception)] if exit_status else []
        status = ERROR if exit_status else OK
        told = {"named": "Shell Script", "events": events, "message": message}
        return self.step(label, start, end, parent, "sh", status, **told)

    def step(
        self,
        name: str,
        start: float,
        end: float,
        parent: Span,
        function: str,
        status: str = OK,
        *,
        named: str = "",
        **more: Any,
    ) -> Span:
        """Add any part of a build. ``function``: the step's. ``named``: its name for people. ``node``: it ran on."""
        attributes: dict[str, Any] = {"jenkins.pipeline.step.id": str(next(self._node)), **more.pop("attributes", {})}
        result, node = more.pop("result", {OK: "SUCCESS", ERROR: "FAILURE"}.get(status, "")), more.pop("node", "linux-1")
        if self._own:
            attributes |= {"jenkins.pipeline.step.type": function, "jenkins.pipeline.step.name": named or function}
            attributes |= {"jenkins.pipeline.step.result": result} if result else {}
            attributes |= {"jenkins.computer.name": node} if node else {}
        if self._standard:
            words = {"SUCCESS": "success", "FAILURE": "failure", "ABORTED": "cancellation"}
            attributes |= {
                "cicd.pipeline.task.run.id": attributes["jenkins.pipeline.step.id"],
                "cicd.pipeline.task.type": function,
                "cicd.pipeline.task.name": named or function,
            }
            attributes |= {"cicd.pipeline.task.run.result": words.get(result, result.lower())} if result else {}
            attributes |= {"cicd.worker.id": node, "cicd.worker.name": node} if node else {}
        return self.add(name, start, end, parent, status, attributes=attributes, **more)


def downstream_failed(build: str, failed: bool = True) -> dict[str, Any]:
    """Return what the plugin tells of a step, and of what is around it, that waited for a build that failed."""
    if not failed:
        return {"attributes": {}}
    cause = f"DownstreamFailureCause: {build} completed with status FAILURE (propagate: false to ignore)"
    return {
        "message": f"FlowInterruptedException: {cause}",
        "attributes": {"jenkins.pipeline.step.interruption.causes": [cause]},
    }


def cut(job: str) -> str:
    """Return a job's name as the plugin names its spans: all changes of a project alike."""
    project, _, last = job.rpartition("/")
    return f"{project}/PR-{{number}}" if last.startswith("PR-") else job


def failed_tests(job: str = "shop/main", number: int = 12, names: str = OWN, start: float = 0, **more: Any) -> list[Span]:
    """Return a build of a branch: a stage that builds, and one whose parallel branch `unit` fails in a shell script."""
    sent = Plugin(f"{job}#{number}", names)
    branch_type = "change_request" if "PR-" in job else "branch"
    running = sent.build(job, number, start, start + 60, "FAILURE", branch_type=branch_type, **more)
    block = sent.agent(start + 1, start + 58, running, status=ERROR)
    built = sent.stage("Build", start + 3, start + 20, block)
    checkout = {
        "git.repository": "team/shop",
        "git.branch": job.rpartition("/")[2],
        "url.full": "https://git.example.com/team/shop.git",
    }
    sent.step("checkout: git.example.com/team/shop", start + 3, start + 5, built, "checkout", attributes=checkout)
    sent.sh(start + 5, start + 20, built)
    test = sent.stage("Test", start + 20, start + 58, block, ERROR, message="script returned exit code 2")
    lint = sent.branch("lint", start + 20, start + 30, test)
    sent.sh(start + 21, start + 29, lint)
    unit = sent.branch("unit", start + 20, start + 57, test, ERROR, message="script returned exit code 2")
    sent.sh(start + 21, start + 56, unit, 2)
    return sent.spans


def deployed(
    job: str = "shop/main", number: int = 13, names: str = OWN, start: float = 100, failing: str = "", **more: Any
) -> list[Span]:
    """Return a build of a branch that starts a deploy to staging and to production. ``failing``: the one that fails."""
    sent = Plugin(f"{job}#{number}", names)
    ending = "FAILURE" if failing else "SUCCESS"
    running = sent.build(job, number, start, start + 100, ending, branch_type="branch", **more)
    block = sent.agent(start + 1, start + 10, running)
    sent.sh(start + 3, start + 9, sent.stage("Test", start + 3, start + 10, block))
    for at, place in enumerate(("staging", "production")):
        since, failed = start + 10 + 40 * at, place == failing
        status = ERROR if failed else OK
        told = downstream_failed(f"shop/deploy #{number * 10 + at}") if failed else {}
        stage = sent.stage(f"Deploy to {place}", since, since + 40, running, status, **told)
        if place == "production":
            sent.step("input", since, since + 10, stage, "input", named="Wait for interactive input", node="")
        started = {"named": "Build a job", "node": "", **downstream_failed(f"shop/deploy #{number * 10 + at}", failed)}
        started["attributes"] |= {"ci.pipeline.name": "shop/deploy"}
        step = sent.step("build: shop/deploy", since + 10, since + 39, stage, "build", status, **started)
        given = {"ENVIRONMENT": place, "COMMIT": COMMIT, "VERSION": "1.8.0", "SECRET_KEY": "hunter2"}
        ended = "FAILURE" if failed else "SUCCESS"
        below = sent.build("shop/deploy", number * 10 + at, since + 11, since + 38, ended, parent=step, **given)
        said = "script returned exit code 1" if failed else ""
        inside = sent.stage("Roll out", since + 12, since + 37, below, status, message=said)
        sent.sh(since + 13, since + 36, inside, 1 if failed else 0, label="./roll-out.sh")
        if failed:
            break
    return sent.spans


def workflow_run(
    number: int = 14460881260, start: float = 0, branch: str = "main", failing: str = "", commit: str = COMMIT
) -> list[Span]:
    """Return a run of a GitHub workflow as the Collector's receiver sends it: of three events, each with its resource."""
    page = f"https://github.com/team/shop/actions/runs/{number}"
    head = {
        "vcs.repository.name": "shop",
        "vcs.provider.name": "github",
        "vcs.ref.head": branch,
        "vcs.ref.head.revision": commit,
    }
    resource = {
        c.SERVICE_NAME: "shop",
        **head,
        "cicd.pipeline.name": "build-and-deploy",
        "cicd.pipeline.run.url.full": page,
        "cicd.pipeline.run.id": number,
        "cicd.pipeline.run.status": "failure" if failing else "success",
    }
    sent = Sent(f"github {number}", resource)
    words = {True: (ERROR, "failure"), False: (OK, "success")}
    status, message = words[bool(failing)]
    run = sent.add("build-and-deploy", start, start + 100, None, status, kind=SERVER, message=message)
    for at, name in enumerate(("test", "deploy-production")):
        since, (status, message) = start + 50 * at, words[name == failing]
        of_job = {
            c.SERVICE_NAME: "shop",
            **head,
            "cicd.pipeline.worker.name": "GitHub Actions 320",
            "cicd.pipeline.name": name,
            "cicd.pipeline.task.run.id": 40685651258 + at,
            "cicd.pipeline.task.run.url.full": f"{page}/job/{40685651258 + at}",
            "cicd.pipeline.run.task.status": message,
        }
        job = sent.add(name, since, since + 49, run, status, message=message, resource=of_job)
        queued = {"cicd.pipeline.run.queue.duration": 5e9}
        queue = sent.add(f"queue-{name}", since, since + 5, job, resource=of_job, attributes=queued)
        for step, (began, ended) in {"Set up job": (5, 8), "Run make": (8, 48)}.items():
            code, word = words[step == "Run make" and name == failing]
            told = {"cicd.pipeline.task.name": step, "cicd.pipeline.run.task.status": word}
            sent.add(step, since + began, since + ended, queue, code, message=message, resource=of_job, attributes=told)
        if name == failing:
            skipped = {"cicd.pipeline.task.name": "Report", "cicd.pipeline.run.task.status": "failure"}
            sent.add("Report", since + 48, since + 48, queue, resource=of_job, attributes=skipped)
            break
    return sent.spans


def gitlab_pipeline(number: int = 4711, start: float = 0, failing: str = "") -> list[Span]:
    """Return a pipeline of GitLab as the Collector's receiver sends it. It has no name."""
    resource = {
        c.SERVICE_NAME: "team/shop",
        "cicd.pipeline.name": "",
        "cicd.pipeline.result": "failed" if failing else "success",
        "cicd.pipeline.run.id": number,
        "cicd.pipeline.run.url.full": f"https://gitlab.example.com/team/shop/-/pipelines/{number}",
        "vcs.provider.name": "gitlab",
        "vcs.repository.name": "shop",
        "vcs.repository.url.full": "https://gitlab.example.com/team/shop",
        "vcs.ref.head.name": "main",
        "vcs.ref.head.type": "branch",
        "vcs.ref.head.revision": COMMIT,
    }
    sent = Sent(f"gitlab {number}", resource)
    words = {True: (ERROR, "failed"), False: (OK, "success")}
    run = sent.add("Add a basket", start, start + 100, None, words[bool(failing)][0], kind=SERVER)
    for at, (stage, job, place) in enumerate((("test", "unit", ""), ("deploy", "deploy-staging", "staging"))):
        since, (status, word) = start + 50 * at, words[job == failing]
        around = sent.add(stage, since, since + 49, run, status, kind=SERVER)
        attributes = {
            "cicd.pipeline.task.name": job,
            "cicd.pipeline.task.run.id": 900 + at,
            "cicd.pipeline.task.run.result": word,
            "cicd.worker.name": "runner-7",
            "cicd.pipeline.task.run.environment.name": place,
            "gitlab.environment.action": "start" if place else "",
        }
        sent.add(job, since, since + 48, around, status, kind=SERVER, attributes=attributes)
        if job == failing:
            break
    return sent.spans


def action_run(number: int = 21458831126, start: float = 0, result: str | None = "failure") -> list[Span]:
    """Return a run of a GitHub workflow as otel-cicd-action sends it. ``result``: None as its earlier versions do."""
    resource = {c.SERVICE_NAME: "otel-cicd-action", "service.namespace": "team/shop"}
    sent = Sent(f"action {number}", resource)
    attributes: dict[str, Any] = {
        "cicd.pipeline.name": "lint",
        "cicd.pipeline.run.id": number,
        "github.html_url": f"https://github.com/team/shop/actions/runs/{number}",
        "github.conclusion": "failure",
        "github.head_branch": "basket",
        "github.head_sha": COMMIT,
        "github.pull_requests.0.number": 77,
    }
    attributes |= {"cicd.pipeline.result": result} if result else {}
    run = sent.add("lint", start, start + 40, None, ERROR, attributes=attributes)
    sent.add("Queued", start, start + 2, run)
    told = {
        "cicd.pipeline.task.name": "Check titles",
        "cicd.pipeline.task.run.id": 61806350920,
        "github.job.runner_name": "runner-4",
        "github.conclusion": "failure",
    }
    job = sent.add("Check titles", start + 2, start + 39, run, ERROR, attributes=told)
    for at, (step, word) in enumerate((("Set up job", "success"), ("Run check-title", "failure"))):
        done = {"github.job.step.name": step, "github.job.step.conclusion": word, "github.job.step.number": at + 1}
        status = {"success": OK, "failure": ERROR}[word]
        sent.add(step, start + 3 + 5 * at, start + 8 + 5 * at, job, status, attributes=done)
    return sent.spans
