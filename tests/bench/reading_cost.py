"""What reading costs where a store or a journal is large: history, the list of `serve`, large journals, the first page.

    .venv/bin/python tests/bench/reading_cost.py [--host-tasks 60000] [--spans 1000000] [--output FILE]

Prints Markdown; ``--output`` puts it between the marks in a file. Each measurement runs in a new process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import support
from environment import processor
from load_client import _MARK, template
from serve_load import _cpu_s, _get
from support.serving import Server
from tables import put, spread, table

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup, local_lookup
from pipeline_trace.lookup.usual import other_builds
from pipeline_trace.serve.bodies import PROTOBUF, parse
from pipeline_trace.serve.budget import Budget
from pipeline_trace.serve.limits import Limits
from pipeline_trace.serve.receiver import receive
from pipeline_trace.serve.running import RunningTraces
from pipeline_trace.serve.summary import summarise
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.lines import Lines
from pipeline_trace.trace.span import Span, encode

SECOND = 1_000_000_000
DAY = 1_795_000_000 * SECOND
BUILDS, STAGES = 100, 10
A_TRACE = 20
MB = 1 << 20


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of this process for some work."""
    before = time.process_time()
    work()
    return time.process_time() - before


def alone(work: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """Return what a function measures in a new process, and the process's peak memory beyond its start, in MB."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_with_peak, (work, arguments))


def _with_peak(work: Callable[..., dict[str, float]], arguments: tuple[object, ...]) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = work(*arguments)
    return {**found, "peak": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000}


def build(number: int, trace: str) -> list[Span]:
    """Return a build's run and stages; one of four failed, and each commit is built four times."""
    at, failed = DAY + number * 600 * SECOND, number % 4 == 0
    run = Span(trace, span_id(("run", str(number))), None, "RUN deploy", at, at + 300 * SECOND)
    run.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.VCS_HEAD_REVISION: f"{number // 4:040x}"}
    run.attributes[c.PIPELINE_RESULT] = c.FAILURE if failed else c.SUCCESS
    spans = [run]
    for stage in range(STAGES):
        made = Span(trace, span_id(("stage", str(number), str(stage))), run.span_id, f"stage {stage}", at, at + 30 * SECOND)
        made.attributes = {c.JENKINS_TYPE: c.TYPE_STAGE, c.TASK_RUN_RESULT: c.FAILURE if failed else c.SUCCESS}
        spans.append(made)
    for span in spans:
        span.resource = {c.SERVICE_NAME: "ci", c.PIPELINE_NAME: "deploy", c.PIPELINE_RUN_ID: str(number)}
    return spans


def history(path: Path) -> dict[str, float]:
    """Compare a trace with other builds: at once, and each build of it alone."""
    with closing(Store(path)) as store:
        spans = store.trace(trace_id(("large",)))
        by_build = [[s for s in spans if s.resource[c.PIPELINE_RUN_ID] == str(n)] for n in range(300, 300 + BUILDS)]
        lookup = Lookup(LocalSource(store), Journals(None))
        each = cpu(lambda: [other_builds(lookup, one) for one in by_build])
        return {"each": each, "now": cpu(lambda: other_builds(lookup, spans))}


def history_rows(folder: Path) -> list[list[str]]:
    """Return the figures of a trace with many builds of one job."""
    path = folder / "history.db"
    with closing(Store(path)) as store:
        for number in range(300):
            store.deliver(build(number, trace_id(("small", str(number)))), 5)
        for number in range(300, 300 + BUILDS):
            store.deliver(build(number, trace_id(("large",))), 5)
    found = alone(history, path)
    return [
        [
            f"history of a trace with {BUILDS} builds of one job: CPU, s",
            f"{found['each']:.2f}",
            f"{found['now']:.2f}",
            "0.3",
        ],
    ]


def write_playbook(writer: Writer, first: int, count: int) -> None:
    """Write host-tasks as the callback does: 500 hosts a task."""
    trace, resource_ = trace_id(("playbook",)), encode({c.SERVICE_NAME: "ansible", "host.name": "agent-1"})
    for number in range(first, first + count):
        task = span_id(("task", str(number // 500)))
        top = Lines(trace, span_id(("play",)), resource_)
        if number % 500 == 0:
            writer.open_line(top.open(task, f'"task {number // 500}"', DAY, encode({c.ANSIBLE_TYPE: c.TYPE_TASK})))
        lines, own = Lines(trace, task, resource_), span_id(("host", str(number)))
        told = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_HOST_RESULT: "changed", "ansible.task.action": "ansible.builtin.copy"}
        writer.open_line(lines.open(own, f'"web{number % 500}"', DAY, encode(told)))
        writer.span_line(lines.span(own, f'"web{number % 500}"', DAY, DAY + SECOND, encode(told)))
    writer.sync()


def whole(home: Path) -> dict[str, float]:
    """Read all spans of the running trace, as the list did for each page."""
    with closing(local_lookup(Home(home))) as lookup:
        (trace,) = lookup.running_traces()
        return {"cpu": cpu(lambda: summarise(trace, lookup.spans(trace)))}


def followed(home: Path, more: Path) -> dict[str, float]:
    """Follow the journal: the first look, one with nothing new, and one after the writer has gone on."""
    traces = RunningTraces(Home(home))
    found = {"first": cpu(lambda: traces.look(1000)), "idle": cpu(lambda: traces.look(1000))}
    more.touch()
    while more.exists():
        time.sleep(0.05)
    return {**found, "more": cpu(lambda: traces.look(1000))}


def list_rows(folder: Path, host_tasks: int) -> list[list[str]]:
    """Return the figures of the list while a playbook writes a journal."""
    home = find_home({"PIPELINE_TRACE_HOME": str(folder / "running")})
    writer = Writer(home.journals)
    trace = trace_id(("playbook",))
    writer.open(Span(trace, span_id(("play",)), None, "playbook site.yml", DAY))
    write_playbook(writer, 0, host_tasks)
    more = folder / "more"
    before = alone(whole, home.path)
    with get_context("spawn").Pool(1) as pool:
        measured = pool.apply_async(_with_peak, (followed, (home.path, more)))
        while not more.exists():
            time.sleep(0.05)
        write_playbook(writer, host_tasks, 500)
        more.unlink()
        now = measured.get()
    writer.discard()
    named = f"the list, {host_tasks:,} host-tasks in a journal that is written"
    return [
        [f"{named}: CPU of the first page, s", f"{before['cpu']:.2f}", f"{now['first']:.2f}", ""],
        [f"{named}: CPU of a page after 500 more, s", f"{before['cpu']:.2f}", f"{now['more']:.3f}", ""],
        [f"{named}: CPU of a page without news, s", f"{before['cpu']:.2f}", f"{now['idle']:.4f}", ""],
        [f"{named}: memory, MB", f"{before['peak']:.0f}", f"{now['peak']:.0f}", ""],
    ]


def large(home: Path) -> dict[str, float]:
    """Look for the newest trace."""
    found: list[int] = []

    def look() -> None:
        with closing(local_lookup(Home(home))) as lookup:
            found.append(len(lookup.spans("latest")))

    return {"cpu": cpu(look), "spans": found[0]}


def large_rows(folder: Path) -> list[list[str]]:
    """Return the figures of a journal that is too large to be read whole."""
    home = find_home({"PIPELINE_TRACE_HOME": str(folder / "large")})
    writer = Writer(home.journals)
    writer.open(Span(trace_id(("playbook",)), span_id(("play",)), None, "playbook site.yml", DAY))
    first = 0
    while writer.size < 400 * MB:
        write_playbook(writer, first, 5000)
        first += 5000
    found = alone(large, home.path)
    size = writer.size / MB
    writer.discard()
    return [
        [f"`show`, a journal of {size:.0f} MiB: CPU, s", "nothing was found", f"{found['cpu']:.1f}", ""],
        [f"`show`, a journal of {size:.0f} MiB: memory, MB", "", f"{found['peak']:.0f}", ""],
        [f"`show`, a journal of {size:.0f} MiB: spans of {first:,}", "0", f"{found['spans']:,.0f}", ""],
    ]


def intake(server: Server, seconds: int) -> float:
    """Return how many spans a second one client brings in, 512 in a request."""
    words = [sys.executable, Path(__file__).with_name("load_client.py"), "http", server.url.removeprefix("http://")]
    done = subprocess.run([*map(str, words), "1", "512", str(seconds), "7"], check=True, capture_output=True, text=True)
    said = json.loads(done.stdout)
    return 512 * len(said["took"]) / float(said["elapsed"])


def first_page_rows(folder: Path, spans: int) -> list[list[str]]:
    """Return the figures of a server that begins with a large store whose traces have no lines yet."""
    env = support.environ(folder)
    home = find_home({"PIPELINE_TRACE_HOME": env["PIPELINE_TRACE_HOME"]})
    traces = spans // A_TRACE
    with closing(Store(home.store)) as store:
        for start in range(0, traces, 500):
            batch: list[Span] = []
            for number in range(start, min(start + 500, traces)):
                body = template(A_TRACE, number * 100 + 1).replace(_MARK, (number + 1).to_bytes(16, "big"))
                made = receive(parse(body, PROTOBUF, Budget(Limits())), Budget(Limits())).spans
                for span in made:
                    span.start_ns += number * SECOND
                    span.end_ns += number * SECOND
                batch += made
            store.deliver(batch, 60)
    (folder / "idle").mkdir()
    idle_env = support.environ(folder / "idle")
    with Server(env) as server, Server(idle_env) as idle:
        began = time.monotonic()
        first, text = _get(f"{server.url}/")
        behind_at_first = "Still reading" in text
        rates: list[float] = []
        rates_idle: list[float] = []
        for _ in range(5):
            rates.append(intake(server, 2))
            # So that it takes nothing of the processor while the other one is measured.
            os.kill(server.process.pid, signal.SIGSTOP)
            rates_idle.append(intake(idle, 2))
            os.kill(server.process.pid, signal.SIGCONT)
        still_behind = "Still reading" in _get(f"{server.url}/")[1]
        pages = []
        while "Still reading" in text:
            took, text = _get(f"{server.url}/")
            pages.append(took)
            time.sleep(1)
        until_whole = time.monotonic() - began
        before = _cpu_s(server.process.pid)
        later = [_get(f"{server.url}/")[0] for _ in range(10)]
        page_cpu = (_cpu_s(server.process.pid) - before) / 10
    if not (behind_at_first and still_behind):
        raise SystemExit("the store is too small: all lines were made before the measurement ended")
    named = f"`serve`, a store of {spans:,} spans in {traces:,} traces"
    return [
        [f"{named}: the first page, s", f"{until_whole:.1f}", f"{first:.2f}", "1"],
        [f"{named}: pages while lines are made, s", "", spread(pages or [first], 2), "1"],
        [f"{named}: pages when all are made, s", "", spread(later, 2), ""],
        [f"{named}: CPU of such a page, s", "", f"{page_cpu:.2f}", ""],
        [f"{named}: spans taken in a second while lines are made", spread(rates_idle, 0), spread(rates, 0), ""],
    ]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host-tasks", type=int, default=60_000)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, help="a file with marks, e.g. docs/performance.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        load = os.getloadavg()[0]
        rows = [*history_rows(folder), *list_rows(folder, options.host_tasks), *large_rows(folder)]
        rows += first_page_rows(folder, options.spans)
    command = shlex.join([".venv/bin/python", "tests/bench/reading_cost.py", *sys.argv[1:]])
    lines = [
        f"{os.cpu_count()} cores ({processor()}); Python {sys.version.split()[0]}; load average before: {load:.1f}.",
        "",
    ]
    lines += [f"Command: `{command}`", "", *table(["what", "without this", "now", "target"], rows), ""]
    text = "\n".join(lines)
    print(text)
    if options.output:
        put(options.output, "reading_cost.py", text)


if __name__ == "__main__":
    main()
