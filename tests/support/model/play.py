"""Runs a program on a clock of its own and yields the truth about the build: nodes, exact times, elements."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .documents import display_name
from .programs import (
    FAILURE,
    SUCCESS,
    Agent,
    Catch,
    Item,
    Limit,
    Parallel,
    Program,
    Retry,
    Stage,
    Started,
    Step,
    Throw,
    Try,
    Wrap,
)
from .running import COLORS, RESULTS, Draft, Run, Sketch, Stop, Thread, sooner, worse, written
from .truth import AGENT, ATOM, BRANCH, FIRST, LAST, NOT_BUILT, SKIPPED, STAGE, STEP, Error, Played, interruption

_BY_USER = interruption("jenkins.model.CauseOfInterruption$UserInterruption", "Aborted by jane")
_BY_LIMIT = interruption(
    "org.jenkinsci.plugins.workflow.steps.TimeoutStepExecution$ExceededTimeout", "Timeout has been exceeded"
)
_REJECTED = interruption("org.jenkinsci.plugins.workflow.support.steps.input.Rejection", "Rejected by jane")
_FAIL_FAST = interruption("org.jenkinsci.plugins.workflow.cps.steps.ParallelStep$FailFastCause", "Failed in a branch")
_DOWNSTREAM = "org.jenkinsci.plugins.workflow.support.steps.build.DownstreamFailureCause"
_INTERNAL = "Get contextual object from internal APIs"
# What a shell step says when it is stopped.
_KILLED = "Sending interrupt signal to process\nTerminated\nscript returned exit code 143\n"


def play(
    program: Program,
    *,
    start_ms: int,
    job: str = "",
    number: int = 1,
    upstream: Started | None = None,
    parameters: Sequence[tuple[str, str]] = (),
    commit: str = "",
    branch: str = "main",
) -> Played:
    """Return the build of a program. ``job``: full name, by default the program's. ``upstream``: what started it.

    ``commit`` and ``branch``: see Played.
    """
    run, chance = Run(program), random.Random(program.name)
    run_ms = start_ms + chance.randint(4, 60)
    built = Played(job or program.name, number, start_ms, run_ms, run_ms + 200, FAILURE, (), (), upstream=upstream)
    built = replace(built, parameters=tuple(parameters), declarative=program.declarative, commit=commit, branch=branch)
    if not program.compiles:
        return built
    first = Draft(FIRST, "Start of Pipeline", run_ms + 10, [])
    run.drafts.append(first)
    after_ms = program.stopped_after_ms
    stop = None if after_ms is None else Stop(start_ms + after_ms, _BY_USER)
    thread = Thread(run_ms + 20, first, chance, stop=stop)
    error = _body(run, program.body, thread)
    run.node(LAST, "End of Pipeline", thread).error = error
    nodes, elements = written(run)
    return replace(
        built,
        end_ms=thread.now_ms + 5,
        result=worse(run.warned, RESULTS[error.color] if error else SUCCESS),
        nodes=nodes,
        raw=elements,
        skipped=frozenset(element.id for element in elements if element.result == SKIPPED),
        left_out=frozenset(element.id for element in elements if element.result == NOT_BUILT),
        tests=run.tests,
        error=error,
    )


def _body(run: Run, items: Sequence[Item], thread: Thread) -> Error | None:
    """Play items in a row. Return the exception that left them."""
    error: Error | None = None
    for item in items:
        if error is None:
            error = _PLAYERS[type(item)](run, item, thread)
        elif run.program.declarative and isinstance(item, Stage):
            if item.always:
                _stage(run, item, thread)
            else:
                _not_run(run, item, thread, SKIPPED, error)
    return error


def _step(run: Run, item: Step, thread: Thread) -> Error | None:
    node = run.node(ATOM, item.name, thread)
    node.argument, node.log, node.starts, node.asked = item.argument, item.log, item.starts, item.asks
    node.started_result = item.result if item.starts and item.starts.waits else ""
    sketch = run.sketch(STEP, item.name, node, thread)
    sketch.result = item.result
    end_ms = thread.now_ms + item.ms
    if thread.stop is not None and end_ms > thread.stop.at_ms:
        thread.now_ms = max(thread.stop.at_ms, thread.now_ms + 1)
        # What is stopped once goes on to its end.
        node.error, thread.stop = thread.stop.error, None
        node.log += _KILLED if item.name == "Shell Script" else ""
        sketch.result = RESULTS["aborted"]
        return node.error
    thread.now_ms = end_ms
    if item.tests is not None:
        run.tests = (run.tests or 0) + item.tests
    if COLORS[item.result] in RESULTS:
        node.error = _error(item)
        return node.error
    node.warned = item.result
    run.warn(thread, item.result, item.result)
    return None


def _error(step: Step) -> Error:
    """Return the exception of a step that fails by itself."""
    color = COLORS[step.result]
    if step.asks:
        return _REJECTED
    if step.starts:
        shown = display_name(step.starts.job, step.starts.number)
        why = f"{shown} completed with status {step.result} (propagate: false to ignore)"
        return replace(interruption(_DOWNSTREAM, why), color=color)
    return Error(color, step.message, "hudson.AbortException")


def _throw(run: Run, item: Throw, thread: Thread) -> Error | None:
    return Error("red", item.message, "java.lang.NullPointerException")


def _stage(run: Run, item: Stage, thread: Thread) -> Error | None:
    if item.skipped or item.left_out:
        _not_run(run, item, thread, SKIPPED if item.skipped else NOT_BUILT, None)
        return None
    return _in_stage(run, item, thread, lambda: _body(run, item.body, thread))[1]


def _not_run(run: Run, item: Stage, thread: Thread, result: str, error: Error | None) -> None:
    """Play a stage that does not run: only the stages in it have nodes. ``error``: of a stage before."""

    def inside() -> Error | None:
        if run.program.marks_skips and result == SKIPPED:
            run.node(ATOM, _INTERNAL, thread)
            thread.tick()
        for inner in item.body:
            if isinstance(inner, Stage):
                _not_run(run, inner, thread, result, error)
        return error

    sketch, _ = _in_stage(run, item, thread, inside)
    sketch.result = result
    end = sketch.node.closed_by
    assert end is not None
    sketch.node.untold = end.untold = result == NOT_BUILT


def _in_stage(run: Run, item: Stage, thread: Thread, inside: Callable[[], Error | None]) -> tuple[Sketch, Error | None]:
    outer, around = run.open("Stage : Start", thread), thread.around
    outer.argument = item.name
    start = run.open(item.name, thread)
    thread.around = sketch = run.sketch(STAGE, item.name, start, thread)
    error = inside()
    thread.around = around
    run.close(start, "Stage : Body : End", thread, error)
    run.close(outer, "Stage : End", thread, error)
    sketch.result = RESULTS[error.color] if error else sketch.warned
    return sketch, error


def _parallel(run: Run, item: Parallel, thread: Thread) -> Error | None:
    start = run.open("Execute in parallel : Start", thread)
    start.gap = len(item.branches) - 1
    mark = run.mark()
    threads, errors = _branches(run, item, thread)
    failed = [one.now_ms for one, error in zip(threads, errors, strict=True) if error and error.color == "red"]
    if item.fail_fast and failed:
        run.go_back(mark)
        first = Stop(min(failed), _FAIL_FAST)
        threads, errors = _branches(run, item, replace(thread, stop=sooner(thread.stop, first)))
    elif any(one.stop is None for one in threads):
        thread.stop = None
    thread.now_ms = max([thread.now_ms, *(one.now_ms for one in threads)])
    # Of several exceptions the first one goes on.
    found = [error for _, error in sorted(zip(threads, errors, strict=True), key=lambda pair: pair[0].now_ms) if error]
    error = found[0] if found else None
    run.close(start, "Execute in parallel : End", thread, error, [one.at for one in threads])
    return error


def _branches(run: Run, item: Parallel, thread: Thread) -> tuple[list[Thread], list[Error | None]]:
    """Play the branches. Return a thread for each, at its end, and the exceptions that left them."""
    threads: list[Thread] = []
    errors: list[Error | None] = []
    for number, branch in enumerate(item.branches):
        seed = f"{run.program.name} {thread.now_ms} {branch.name}"
        own = replace(thread, now_ms=thread.now_ms + number, chance=random.Random(seed))
        threads.append(own)
        start = run.open(f"Branch: {branch.name}", own)
        # No branch goes on before the last one has begun.
        own.now_ms += len(item.branches)
        own.around = sketch = run.sketch(BRANCH, branch.name, start, own)
        error = _body(run, branch.body, own)
        sketch.result = RESULTS[error.color] if error else sketch.warned
        run.close(start, "Execute in parallel : Body : End", own, error)
        errors.append(error)
    return threads, errors


def _agent(run: Run, item: Agent, thread: Thread) -> Error | None:
    start, outer = run.open("Allocate node : Start", thread), thread.agent
    start.argument = item.label
    sketch = run.sketch(AGENT, start.name, start, thread)
    stop, error = thread.stop, None
    if item.wait_ms is None or (stop is not None and start.at_ms + item.wait_ms > stop.at_ms):
        assert stop is not None, "an agent that never comes: say when the build is stopped"
        thread.now_ms, thread.stop = max(stop.at_ms, thread.now_ms), None
        error = stop.error
        sketch.result = RESULTS["aborted"]
    else:
        thread.now_ms = start.at_ms + item.wait_ms
        start.agent = thread.agent = item.name
        sketch.given_ms, sketch.result = thread.now_ms, SUCCESS
        error = _inner(run, "Allocate node", item.body, thread)
        thread.agent = outer
    run.close(start, "Allocate node : End", thread, error)
    return error


def _inner(run: Run, name: str, items: Sequence[Item], thread: Thread) -> Error | None:
    """Play the body of a block."""
    start = run.open(f"{name} : Body : Start", thread)
    error = _body(run, items, thread)
    run.close(start, f"{name} : Body : End", thread, error)
    return error


def _retry(run: Run, item: Retry, thread: Thread) -> Error | None:
    name, outer = "Retry the body up to N times", thread.attempt
    start = run.open(f"{name} : Start", thread)
    error: Error | None = None
    for number, attempt in enumerate(item.attempts, 1):
        thread.attempt = number
        error = _inner(run, name, attempt, thread)
        if error is None or error.color == "aborted":
            break
    thread.attempt = outer
    run.close(start, f"{name} : End", thread, error)
    return error


def _limit(run: Run, item: Limit, thread: Thread) -> Error | None:
    outer = thread.stop
    thread.stop = now = sooner(outer, Stop(thread.now_ms + item.ms, _BY_LIMIT))
    error = _block(run, "Enforce time limit", item.body, thread)
    # Where the limit has ended it, the build may still be stopped later.
    thread.stop = None if thread.stop is None and now is outer else outer
    return error


def _catch(run: Run, item: Catch, thread: Thread) -> Error | None:
    name = "Catch error and set build result to failure"
    start = run.open(f"{name} : Start", thread)
    error = _inner(run, name, item.body, thread)
    if error:
        start.warned = item.stage
        run.warn(thread, item.stage, item.build)
    run.close(start, f"{name} : End", thread, None)
    return None


def _try(run: Run, item: Try, thread: Thread) -> Error | None:
    error = _body(run, item.body, thread)
    return _body(run, item.handler, thread) if error else None


def _wrap(run: Run, item: Wrap, thread: Thread) -> Error | None:
    return _block(run, item.name, item.body, thread, item.wait_ms, item.log)


def _block(run: Run, name: str, items: Sequence[Item], thread: Thread, wait_ms: int = 0, log: str = "") -> Error | None:
    start = run.open(f"{name} : Start", thread)
    start.log = log
    thread.now_ms += wait_ms
    error = _inner(run, name, items, thread)
    run.close(start, f"{name} : End", thread, error)
    return error


_PLAYERS: dict[type[Item], Callable[[Run, Any, Thread], Error | None]] = {
    Step: _step,
    Throw: _throw,
    Stage: _stage,
    Parallel: _parallel,
    Agent: _agent,
    Retry: _retry,
    Limit: _limit,
    Catch: _catch,
    Try: _try,
    Wrap: _wrap,
}
