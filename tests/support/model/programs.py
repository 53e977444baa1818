"""What a Pipeline may consist of. A program is a tree of these; ``play`` runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SUCCESS, UNSTABLE, FAILURE, ABORTED = "SUCCESS", "UNSTABLE", "FAILURE", "ABORTED"


@dataclass(frozen=True)
class Started:
    """A build that a step starts. ``waits``: the step ends with that build."""

    job: str
    number: int
    waits: bool = True


@dataclass(frozen=True)
class Step:
    """A step. ``name``: as the graph shows it. ``argument``: empty where the step has a label. ``ms``: how long it runs.

    ``message``: of its exception, if it fails. ``starts``: the build that it starts. ``asks``: the question to a person,
    if it waits for one. ``tests``: how many tests fail that it reports.
    """

    name: str
    ms: int = 1000
    argument: str = ""
    result: str = SUCCESS
    log: str = ""
    message: str | None = None
    starts: Started | None = None
    asks: str = ""
    tests: int | None = None


@dataclass(frozen=True)
class Throw:
    """An exception of the script itself, of no step."""

    message: str = "Cannot invoke method trim() on null object"


@dataclass(frozen=True)
class Stage:
    """A stage. ``skipped``: its ``when`` is false. ``left_out``: the build was restarted from a later one.

    ``always``: runs after a failure too, as the post actions do.
    """

    name: str
    body: Sequence[Item] = ()
    skipped: bool = False
    left_out: bool = False
    always: bool = False


@dataclass(frozen=True)
class Branch:
    """A branch of a parallel."""

    name: str
    body: Sequence[Item] = ()


@dataclass(frozen=True)
class Parallel:
    """Branches that run at once. ``fail_fast``: the first failure stops the others."""

    branches: Sequence[Branch]
    fail_fast: bool = False


@dataclass(frozen=True)
class Agent:
    """A ``node`` block. ``wait_ms``: until the agent is there; None: it never comes, the build is stopped before."""

    name: str
    body: Sequence[Item] = ()
    label: str = "linux"
    wait_ms: int | None = 80


@dataclass(frozen=True)
class Retry:
    """A ``retry`` block, with what each of its attempts does."""

    attempts: Sequence[Sequence[Item]]


@dataclass(frozen=True)
class Limit:
    """A ``timeout`` block of so many milliseconds."""

    ms: int
    body: Sequence[Item] = ()


@dataclass(frozen=True)
class Catch:
    """A ``catchError`` block: what it makes of the stage's and the build's result if the body fails."""

    body: Sequence[Item] = ()
    stage: str = FAILURE
    build: str = UNSTABLE


@dataclass(frozen=True)
class Try:
    """``try`` and ``catch``: no node tells of them."""

    body: Sequence[Item] = ()
    handler: Sequence[Item] = ()


@dataclass(frozen=True)
class Wrap:
    """Any other block, such as ``withEnv``, ``lock`` or ``dir``. ``wait_ms``: before its body begins. ``log``: its own."""

    name: str = "Set environment variables"
    body: Sequence[Item] = ()
    wait_ms: int = 0
    log: str = ""


Item = Step | Throw | Stage | Parallel | Agent | Retry | Limit | Catch | Try | Wrap


@dataclass(frozen=True)
class Program:
    """A Jenkinsfile. ``declarative``: stages after a failure are skipped instead of missing.

    ``marks_skips``: a skipped stage has an internal step, as in newer versions of the plugin. ``stopped_after_ms``: a
    user stops the build then. ``compiles``: False for a Jenkinsfile that does not compile, which has no graph.
    """

    name: str
    body: Sequence[Item] = field(default=())
    declarative: bool = False
    marks_skips: bool = True
    stopped_after_ms: int | None = None
    compiles: bool = True


def sh(script: str, ms: int = 1000, *, status: int = 0, label: str = "", log: str = "") -> Step:
    """Return a shell step. ``status``: its exit status."""
    text = f"+ {script}\n{log}"
    result = FAILURE if status else SUCCESS
    message = f"script returned exit code {status}" if status else None
    return Step(label or "Shell Script", ms, "" if label else script, result, text, message)


def echo(text: str, ms: int = 30) -> Step:
    return Step("Print Message", ms, text, log=f"{text}\n")


def sleep(seconds: int) -> Step:
    return Step("Sleep", seconds * 1000 + 20, str(seconds), log=f"Sleeping for {seconds} sec\n")


def junit(failed: int = 0, ms: int = 200) -> Step:
    result = UNSTABLE if failed else SUCCESS
    return Step("Archive JUnit-formatted test results", ms, "r/*.xml", result, "Recording test results\n", tests=failed)


def error(message: str) -> Step:
    return Step("Error signal", 40, message, FAILURE, message=message)


def build(job: str, number: int, ms: int = 5000, *, result: str = SUCCESS, waits: bool = True) -> Step:
    """Return a step that starts a build. ``result``: of that build, and so of the step."""
    started = Started(job, number, waits)
    shown = " » ".join(job.split("/"))
    return Step(f"Building {shown}", ms if waits else 20, result=result, starts=started)


def ask(question: str, ms: int = 20_000, *, result: str = SUCCESS) -> Step:
    """Return an ``input`` step. ``ms``: how long the person takes. ``result``: ABORTED if the person says no."""
    return Step("Wait for interactive input", ms, result=result, asks=question)


def declarative_parallel(*branches: Branch, fail_fast: bool = False) -> Parallel:
    """Return a parallel as Declarative makes it: each branch holds a stage of its own name."""
    return Parallel([Branch(one.name, [Stage(one.name, one.body)]) for one in branches], fail_fast)


def matrix(cells: Sequence[str], body: Sequence[Item]) -> Parallel:
    """Return a declarative matrix. ``cells``: such as ``OS = 'debian'``."""
    return declarative_parallel(*(Branch(f"Matrix - {cell}", [Wrap(body=body)]) for cell in cells))


def post(*body: Item) -> Stage:
    """Return the post actions of a declarative Pipeline."""
    return Stage("Declarative: Post Actions", body, always=True)
