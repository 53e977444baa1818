"""Asks the controller for facts about a build, from inside the build, within a strict time limit.

A forked child process asks, and is killed at the time limit: timeouts do not apply to DNS lookups and slow responses. A
thread is not possible, because ansible-playbook forks.
"""

from __future__ import annotations

import io
import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from . import stages
from .chain import BuildPlace, Gone, Unanswered, place_of_build
from .client import SECONDS, Client, Refused
from .graph import Stage
from .graph import nodes_by_id as read_graph
from .identity import Build
from .inside import ControllerAnswer

_MOST_LOGS = 8


def ask_controller(build: Build, environ: Mapping[str, str], known: BuildPlace | None = None) -> ControllerAnswer | None:
    """Return the controller's answer about a build, or None if there is none within SECONDS.

    Uses JENKINS_USER and JENKINS_API_TOKEN if both are set, else anonymous access. ``known``: the build's place, if known;
    then this does not ask for the builds that started it. Raises Refused.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns about a fork with threads. This child only asks, and ends with _exit.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _child(writing, build, environ, known)
    os.close(writing)
    try:
        data = _read(reading, time.monotonic() + SECONDS)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)
    answer = _last(data)
    if isinstance(answer, Refused):
        raise answer
    return answer


def _child(pipe: int, build: Build, environ: Mapping[str, str], known: BuildPlace | None) -> None:
    """Ask, write the answers, and end the process without the parent's exit handlers."""
    try:
        for answer in _answers(build, Client(environ), environ, known):
            data = pickle.dumps(answer)
            while data:
                data = data[os.write(pipe, data) :]
    except BaseException:  # noqa: S110 - after any error here, the parent continues without an answer
        pass
    finally:
        os._exit(0)


def _read(pipe: int, deadline: float) -> bytes:
    """Return the data until the end of the pipe or until the deadline."""
    chunks: list[bytes] = []
    # Not select(): it takes no descriptor above 1023, and Ansible may have many forks.
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            return b"".join(chunks)
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def _last(data: bytes) -> ControllerAnswer | Refused | None:
    """Return the last whole answer in the data, or None. Each one says more than the one before it."""
    stream, answer = io.BytesIO(data), None
    with suppress(EOFError, pickle.UnpicklingError):
        while True:
            # Safe to unpickle: our own child process wrote it.
            answer = pickle.load(stream)
    return answer


def _answers(
    build: Build, client: Client, environ: Mapping[str, str], known: BuildPlace | None
) -> Iterator[ControllerAnswer | Refused]:
    """Yield the answer as far as it is known: the build's own facts, its place, the flow graph, then the process' stage.

    The trace comes first: the time may not be enough for all of it. Yields none if there is no answer.
    """
    # Imported here, in the child process: it would slow the start of `exec` down.
    from concurrent.futures import ThreadPoolExecutor

    wants_stage = bool(environ.get("STAGE_NAME")) and not build.cell
    try:
        # A process that need not ask for the place gets all with one request.
        facts = client.facts(build, graph=bool(known) and wants_stage)
    except Refused as refused:
        yield refused
        return
    except (Gone, Unanswered):
        return
    starter = next((cause.build for cause in facts.causes if cause.build), None)
    # The id of the stage does not depend on the trace, so the parent span is right also without the builds above.
    answer = ControllerAnswer(
        known or BuildPlace(build.trace_id), facts.parameters, {}, client.clock_skew_ms, bool(known), starter
    )
    yield answer
    # The graph of a long build takes its time. Meanwhile, this asks for the builds above. The process ends without a join.
    nodes = ThreadPoolExecutor(1).submit(client.graph, build) if wants_stage else None
    if not known:
        with suppress(Gone, Unanswered):
            answer = replace(answer, place=place_of_build(build, client), whole=True)
            yield answer
    if nodes:
        answer = replace(answer, nodes=read_graph(nodes.result()))
        yield answer
        yield from _with_stage(build, client, environ, answer)


def _with_stage(
    build: Build, client: Client, environ: Mapping[str, str], answer: ControllerAnswer
) -> Iterator[ControllerAnswer]:
    """Yield the answer with the process' stage, if several of its name run and the logs of agents tell which it is."""
    found = stages.candidates(environ.get("STAGE_NAME", ""), answer.nodes, environ)
    if len(found) > 1 and all(map(stages.is_running, found)):
        stage = _stage_by_agent(build, client, found, answer)
        if stage:
            yield replace(answer, stage=stage)


def _stage_by_agent(build: Build, client: Client, found: Sequence[Stage], answer: ControllerAnswer) -> str:
    """Return the node id of the only stage on the agent and in the workspace of this process; empty if there is none."""
    blocks = stages.agents_of(found, answer.nodes)
    asked = list(dict.fromkeys(block for own in blocks.values() for block in own))[:_MOST_LOGS]
    here = {block for block in asked if stages.runs_here(client.log(build, block), client.environ)}
    told = [id_ for id_, own in blocks.items() if here & set(own)]
    return told[0] if len(told) == 1 else ""
