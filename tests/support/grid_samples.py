"""Playbooks as the callback tells them, for the grid of hosts and tasks. Times are fixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Event, Span
from support.report_samples import REFUSED, make, seconds

# How a host ended a task; with its seconds if they matter. RUNNING: it has not.
Ended = str | tuple[str, float]
RUNNING, CANCELLED = "running", "cancelled"
_RESULTS = {"failed": c.FAILURE, "unreachable": c.ERROR, "skipped": c.SKIP, "ignored": c.FAILURE, "rescued": c.FAILURE}


class Book:
    """A playbook that is told task by task. ``spans``: what was told so far."""

    def __init__(self, name: str = "site.yml", *, parent: Span | None = None, begin: float = 0.0) -> None:
        """``begin``: seconds after the sample's start."""
        self.now = begin
        self.spans: list[Span] = []
        self._name = name
        self._open: dict[str, Span] = {}
        self.playbook = self._span(f"playbook {name}", c.TYPE_PLAYBOOK, parent)
        self._play = self.playbook

    def _span(self, name: str, kind: str, parent: Span | None, length: float = 0.0) -> Span:
        span = make(f"{self._name} {len(self.spans)}", None, name, self.now, self.now + length, ansible_type=kind)
        span.parent_id = parent.span_id if parent else None
        self.spans.append(span)
        return span

    def play(self, name: str, **attributes: str) -> Span:
        """Begin a play, or a batch of one: ``serial``, ``strategy``."""
        self._open = {}
        self._play = self._span(name, c.TYPE_PLAY, self.playbook)
        given = {"strategy": "linear", **attributes}
        self._play.attributes.update({f"{c.ANSIBLE_PLAY_PREFIX}{key}": value for key, value in given.items()})
        return self._play

    def inside(self, *names: str) -> Span:
        """Return the open role (``role …``) or block of these names, outer first; begins what is not open."""
        parent, path = self._play, ""
        for name in names:
            path = f"{path}/{name}"
            if path not in self._open:
                kind = c.TYPE_ROLE if name.startswith("role ") else c.TYPE_BLOCK
                self._open[path] = self._span(name, kind, parent)
            parent = self._open[path]
        return parent

    def task(self, name: str, hosts: Mapping[str, Ended], *, within: Sequence[str] = (), below: Span | None = None) -> Span:
        """Add a task that began when the one before ended. ``below``: the task that included it."""
        task = self._span(name, c.TYPE_TASK, below or self.inside(*within))
        ends = [self._host(task, host, how) for host, how in hosts.items()]
        self.now = max([self.now, *(end for end in ends if end)])
        task.end_ns = 0 if None in ends else seconds(self.now)
        for above in (self.playbook, self._play, *self._open.values(), *([below] if below else [])):
            above.end_ns = task.end_ns
        return task

    def _host(self, task: Span, host: str, how: Ended) -> float | None:
        result, length = how if isinstance(how, tuple) else (how, 1.0)
        span = self._span(host, c.TYPE_HOST, task, length)
        span.attributes[c.ANSIBLE_HOST_NAME] = host
        if result == RUNNING:
            span.end_ns = 0
            return None
        if result == CANCELLED:
            span.attributes[c.TASK_RUN_RESULT] = c.CANCELLATION
        else:
            span.attributes.update({c.ANSIBLE_RESULT: result, c.TASK_RUN_RESULT: _RESULTS.get(result, c.SUCCESS)})
        if result in ("failed", "unreachable"):
            span.fail(REFUSED if result == "failed" else "Failed to connect to the host via ssh: no route to host")
            for failed in (task, self._play, self.playbook):
                failed.fail()
        return self.now + length

    def recap(self, hosts: Mapping[str, Mapping[str, int]]) -> None:
        """Add the recap."""
        for host, counts in hosts.items():
            self.playbook.events.append(Event("recap", seconds(self.now), {c.ANSIBLE_HOST_NAME: host, **counts}))


def all_kinds() -> list[Span]:
    """Return a playbook in which a cell of each kind can be seen, but those of runs that still go on."""
    book = Book()
    book.play("Web servers")
    web = [f"web{number}.shop.example.org" for number in range(1, 9)]
    book.task("Gathering Facts", {**dict.fromkeys(web[:7], ("ok", 2.4)), web[7]: ("unreachable", 10.0)})
    install = {web[0]: ("ok", 31.2), web[1]: ("failed", 3.0), web[5]: ("ok", 4.0), web[6]: ("ok", 0.2)}
    book.task("Install packages", {**dict.fromkeys(web[2:5], ("changed", 33.8)), **install}, within=["role nginx"])
    left = [web[0], *web[2:7]]
    book.task("Copy the configuration", {**dict.fromkeys(left, "ok"), web[2]: ("changed", 0.1)}, within=["role nginx"])
    book.task("Migrate", {**dict.fromkeys(left, ("skipped", 0.02)), web[0]: ("changed", 8.0)}, within=["role app"])
    book.task(
        "Warm up", {**dict.fromkeys(left, "ok"), web[3]: ("rescued", 0.4), web[4]: "ignored"}, within=["role app", "Guarded"]
    )
    book.task("Restart", {**dict.fromkeys(left, ("changed", 0.03)), web[5]: CANCELLED}, within=["role app"])
    book.play("Databases")
    book.task("Vacuum", {"db1.shop.example.org": ("ok", 120.0)})
    return book.spans


def running() -> list[Span]:
    """Return a playbook that runs: two hosts are at its third task, the others wait or have ended it."""
    book = Book()
    book.play("Web servers")
    hosts = [f"web{number}" for number in range(1, 9)]
    book.task("Gathering Facts", dict.fromkeys(hosts, ("ok", 2.0)))
    book.task(
        "Install packages", {**dict.fromkeys(hosts, ("changed", 31.0)), "web8": ("failed", 4.0)}, within=["role nginx"]
    )
    book.task("Drain", {"web1": "ok", "web2": "ok", "web3": RUNNING, "web4": RUNNING}, within=["role nginx"])
    return book.spans


def one_host() -> list[Span]:
    """Return a playbook of one host, and of names that are longer than their place."""
    book = Book("a-playbook-with-a-name-of-some-length.yml")
    book.play("Everything that has to be done before the release can be announced to the customers")
    host = "only-host-of-the-whole-inventory.production.eu-west-1.compute.internal.shop.example.org"
    for number in range(6):
        name = f"Task {number}: wait until the load balancer has taken the host out of the pool of all services"
        book.task(name, {host: ("ok", number * 3.0)}, within=[f"role {'very-' * 8}long-{number // 3}"])
    return book.spans


def no_hosts() -> list[Span]:
    """Return a playbook whose play matched no host."""
    book = Book()
    book.play("Nobody", no_hosts="matched")
    book.playbook.end_ns = book.spans[-1].end_ns
    return book.spans


def of_failures_only() -> list[Span]:
    """Return a playbook with the option detail = task: of hosts only what failed has spans."""
    book = Book()
    book.play("All")
    for number in range(4):
        task = book.task(f"Task {number}", {"web3": ("failed", 2.0)} if number == 2 else {})
        task.attributes.update({f"{c.ANSIBLE_HOSTS_PREFIX}ok": 2, f"{c.ANSIBLE_HOSTS_PREFIX}changed": 1})
    counts = {"web1": {"ok": 4, "changed": 0}, "web2": {"ok": 4, "changed": 2}, "web3": {"ok": 2, "failures": 1}}
    book.recap({host: {"failures": 0, "unreachable": 0, **told} for host, told in counts.items()})
    return book.spans


def two_playbooks() -> list[Span]:
    """Return a build of two stages, each with a playbook; the second one failed."""
    run = make("run", None, "RUN app-deploy", 0, 100, jenkins_type="run", cicd_pipeline_result="failure")
    found = [run]
    for at, (place, how) in enumerate([("staging", "changed"), ("production", "failed")]):
        stage = make(place, "run", f"Deploy {place}", at * 50, at * 50 + 40, jenkins_type="stage")
        book = Book(f"deploy-{place}.yml", parent=stage, begin=at * 50 + 1.0)
        book.play("Deploy")
        book.task("Copy", {f"{place}1": "changed", f"{place}2": "ok"})
        book.task("Restart", {f"{place}1": ("ok", 8.0), f"{place}2": (how, 2.0)})
        found += [stage, *book.spans]
    return found


def large(hosts: int = 500, tasks: int = 200) -> list[Span]:
    """Return a playbook of many hosts and tasks: a host in a hundred is lost, a tenth of the cells changed something."""
    book = Book()
    book.play("All hosts")
    names = [f"web{number:03}.shop.example.org" for number in range(hosts)]
    lost: set[int] = set()
    for task in range(tasks):
        results: dict[str, Ended] = {}
        for at, name in enumerate(names):
            if at in lost:
                continue
            result = ("ok", "changed", "skipped", "ok", "ok", "ok", "ok", "ok", "ok", "ok")[(at * 7 + task * 3) % 10]
            if at % 100 == 37 and task == 20 + at // 4:
                result = "unreachable" if at % 200 == 37 else "failed"
                lost.add(at)
            results[name] = (result, 0.05 * (1 + (at * task) % 13) ** 2)
        book.task(f"Task {task}: a step of the roll-out", results, within=[f"role part{task // 12}"])
    return book.spans


def middling() -> list[Span]:
    """Return a playbook of more hosts and tasks than a screen has."""
    return large(60, 70)


def hosts_of(spans: Iterable[Span]) -> list[Span]:
    """Return the spans of hosts."""
    return [span for span in spans if span.attributes.get(c.ANSIBLE_TYPE) == c.TYPE_HOST]
