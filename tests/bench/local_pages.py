"""What the pages of `serve` cost on a local store with a million spans, of a busy week: CPU for what each of them reads.

Usage: .venv/bin/python tests/bench/local_pages.py [--builds N --playbooks N]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from pipeline_trace.answers.verdicts import Verdicts
from pipeline_trace.change.for_board import find_for_board
from pipeline_trace.change.search import Search, find_builds, find_deploys
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import find_home
from pipeline_trace.figures.hosts import host_over_time
from pipeline_trace.figures.jobs import job_over_time, parts_over_time
from pipeline_trace.figures.periods import periods_of
from pipeline_trace.figures.platform import platform_over_time
from pipeline_trace.figures.recorded import recorded
from pipeline_trace.figures.services import service_over_time
from pipeline_trace.lookup.lookup import Lookup, local_lookup
from pipeline_trace.lookup.source import Window
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

SECOND = 10**9
DAY = 86_400 * SECOND
_SERVICES, _TASKS, _HOSTS = 40, 20, 50
_STAGES, _STEPS = 5, 4
_ENVIRONMENTS = ("staging", "production", "qa")
_FAILED = 0.1
_ROUNDS = 5
_AT_ONCE = 5000


class Week:
    """A week of builds and playbooks, the same ones each time, until now."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._random = random.Random(1)
        self._spans = 0

    def build(self, number: int) -> list[Span]:
        """Return a build with its waits, stages and steps."""
        job, start = f"service{number % _SERVICES}/build", self._start()
        run = self._span(None, f"RUN {job}", start, 600, {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: c.SUCCESS})
        run.attributes[c.VCS_HEAD_REVISION] = f"{number:040x}"
        if self._random.random() < _FAILED:
            run.attributes |= {c.PIPELINE_RESULT: c.FAILURE, c.FAILURE_OWNER: "dev", c.FAILURE_KIND: "test_failure"}
            run.fail("script returned exit code 1")
        found = [run]
        for kind in (c.TYPE_QUEUE, c.TYPE_AGENT):
            told = {c.JENKINS_TYPE: kind, c.JENKINS_AGENT_LABEL: "linux"}
            found.append(self._span(run, kind, start, self._random.randint(1, 60), told))
        for at in range(_STAGES):
            told = {c.JENKINS_TYPE: c.TYPE_STAGE, c.TASK_RUN_RESULT: c.SUCCESS}
            stage = self._span(run, f"Stage {at}", start + at * 100 * SECOND, 90, told)
            step = {c.JENKINS_TYPE: c.TYPE_STEP, c.TASK_RUN_RESULT: c.SUCCESS}
            found += [stage, *(self._span(stage, "Shell Script", stage.start_ns, 1, dict(step)) for _ in range(_STEPS))]
        for one in found:
            one.resource = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
        return found

    def playbook(self, number: int) -> list[Span]:
        """Return a deploy without a build: tasks on hosts, the last of which may fail on one."""
        start, failed = self._start(), self._random.random() < _FAILED
        result = c.FAILURE if failed else c.SUCCESS
        told = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_TYPE: c.DEPLOY, c.TASK_RUN_RESULT: result}
        told |= {c.DEPLOYMENT_NAME: f"service{number % _SERVICES}", c.ARTIFACT_VERSION: f"1.{number // _SERVICES}"}
        told |= {c.DEPLOYMENT_ENVIRONMENT: _ENVIRONMENTS[number % len(_ENVIRONMENTS)]}
        book = self._span(None, "playbook site.yml", start, 300, told)
        play = self._span(book, "Deploy", start, 300, {c.ANSIBLE_TYPE: c.TYPE_PLAY, c.TASK_RUN_RESULT: result})
        found, last = [book, play], [book, play]
        for at in range(_TASKS):
            told = {c.ANSIBLE_TYPE: c.TYPE_TASK, c.TASK_RUN_RESULT: c.SUCCESS}
            task = self._span(play, f"Task {at}", start + at * 10 * SECOND, 9, told)
            told = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: "ok", c.TASK_RUN_RESULT: c.SUCCESS}
            hosts = [self._span(task, f"web{host}", task.start_ns, 9, dict(told)) for host in range(_HOSTS)]
            found += [task, *hosts]
            last[2:] = [task, hosts[-1]]
        if failed:
            for one in last:
                one.attributes[c.TASK_RUN_RESULT] = c.FAILURE
                one.fail("No space left on device")
            last[-1].attributes[c.ANSIBLE_RESULT] = "failed"
        return found

    def _start(self) -> int:
        return self._now_ns - 3_600 * SECOND - int(self._random.random() * 7 * DAY)

    def _span(self, parent: Span | None, name: str, start_ns: int, seconds: int, attributes: dict[str, str]) -> Span:
        self._spans += 1
        trace = parent.trace_id if parent else f"{self._random.getrandbits(128):032x}"
        above, end_ns = parent.span_id if parent else None, start_ns + seconds * SECOND
        return Span(trace, f"{self._spans:016x}", above, name, start_ns, end_ns, attributes={**attributes})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=4156)
    parser.add_argument("--playbooks", type=int, default=833)
    options = parser.parse_args()
    now_ns = time.time_ns()
    with tempfile.TemporaryDirectory() as folder:
        home = find_home({"PIPELINE_TRACE_HOME": folder})
        week = Week(now_ns)
        makes = [
            *((week.build, at) for at in range(options.builds)),
            *((week.playbook, at) for at in range(options.playbooks)),
        ]
        random.Random(2).shuffle(makes)
        spans = _stored(home.store, (span for make, at in makes for span in make(at)))
        print(f"{spans:,} spans, {options.builds:,} builds, {options.playbooks:,} playbooks; the best of {_ROUNDS}\n")
        print("| page | CPU, s |\n|---|---|")
        for name, read in _pages(now_ns).items():
            seconds = []
            for _ in range(_ROUNDS):
                with closing(local_lookup(home)) as lookup:
                    before = time.process_time()
                    read(lookup)
                    seconds.append(time.process_time() - before)
            print(f"| {name} | {min(seconds):.2f} |", flush=True)


def _stored(path: Path, spans: Iterator[Span]) -> int:
    stored, waiting = 0, list[Span]()
    with closing(Store(path)) as store:
        for span in spans:
            waiting.append(span)
            if len(waiting) == _AT_ONCE:
                store.deliver(waiting, 60)
                stored, waiting = stored + len(waiting), []
        store.deliver(waiting, 60)
    return stored + len(waiting)


def _pages(now_ns: int) -> dict[str, Callable[[Lookup], object]]:
    """Return what each page reads. Verdicts are read in the first of the rounds."""
    judge = Verdicts()
    week, recent, failed = periods_of(7, now_ns), Search(began=Window(now_ns - 30 * DAY)), Search(result="failed")
    shop = Search(service="service3", environment="staging")
    return {
        "board": lambda lookup: judge.on_board(lookup, find_for_board(lookup, recent).entries),
        "service": lambda lookup: service_over_time(lookup, "service3", "", recorded(lookup, week), judge.on),
        "job": lambda lookup: job_over_time(lookup, "service3/build", recorded(lookup, week), judge.on),
        "tasks and hosts of a job": lambda lookup: parts_over_time(lookup, "service3/build", recorded(lookup, week)),
        "host": lambda lookup: host_over_time(lookup, "web3", recorded(lookup, week)),
        "platform": lambda lookup: platform_over_time(lookup, recorded(lookup, week), judge.on),
        "deploys": lambda lookup: find_deploys(lookup, Search(), 50),
        "deploys of a service to staging": lambda lookup: find_deploys(lookup, shop, 50),
        "deploys that failed": lambda lookup: judge.on(lookup, find_deploys(lookup, failed, 50).entries),
        "deploys with words that none has": lambda lookup: find_deploys(lookup, Search(words=("nothing",)), 50),
        "builds that failed": lambda lookup: find_builds(lookup, failed, 50),
    }


if __name__ == "__main__":
    main()
