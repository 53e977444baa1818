"""Finds what failed in a trace: from a build or playbook down to the span that failed first. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..lookup.tree import parents_of
from ..trace import conventions as c
from ..trace.queries import (
    attribute_text,
    build_name_of,
    environment_of,
    has_times,
    is_around,
    is_of_pipeline,
    is_playbook,
    is_run,
    order_of,
    revision_of,
    type_of,
)
from ..trace.span import ERROR, Link, Span
from .caught import attempt_of, way_to_caught

_EXIT_STATUS = re.compile(r"script returned exit code (\d+)")
_BAD_HOSTS = ("failed", "unreachable")


@dataclass(frozen=True)
class Failure:
    """A failure. ``path``: the spans from the one that was asked for down to the one that failed.

    ``hosts``: the hosts on which ``task`` failed, if an Ansible task failed. ``playbook``: its playbook, if a step ran it.
    """

    path: Sequence[Span]
    hosts: Sequence[Span] = ()
    task: Span | None = None
    playbook: Span | None = None

    @property
    def span(self) -> Span:
        """Return the span that failed."""
        return self.path[-1]

    @cached_property
    def run(self) -> Span | None:
        """Return the run span of the build that the failure is in; None if there is none."""
        return next((span for span in reversed(self.path) if is_run(span)), None)

    @cached_property
    def log(self) -> str:
        """Return the end of the log: of the failed step, else the messages of the failed hosts."""
        logged = next((span for span in reversed(self.path) if c.JENKINS_LOG in span.attributes), None)
        if logged:
            return str(logged.attributes[c.JENKINS_LOG])
        return "\n".join(str(host.attributes.get(c.ANSIBLE_MESSAGE) or host.status_message) for host in self.hosts)

    @property
    def command(self) -> str:
        """Return the script that failed; "" if Jenkins does not tell it."""
        return str(self.span.attributes.get(c.JENKINS_STEP_DESCRIPTION) or "")

    @property
    def stages(self) -> list[str]:
        """Return the names of the stages around what failed, innermost first."""
        return [span.name for span in reversed(self.path) if type_of(span) == c.TYPE_STAGE]

    @property
    def exit_status(self) -> int | None:
        """Return the exit status; None if it is not known."""
        match = _EXIT_STATUS.search(self.span.status_message)
        code = self.span.attributes.get(c.PROCESS_EXIT_CODE)
        return int(match[1]) if match else code if isinstance(code, int) else None

    @property
    def task_result(self) -> list[dict[str, Any]] | None:
        """Return Ansible's result for each failed host; None without a task."""
        if not self.task:
            return None
        return [
            {
                "event": "unreachable" if host.attributes.get(c.ANSIBLE_RESULT) == "unreachable" else "failed",
                "host": host.name,
                "task": self.task.name,
                "action": str(self.task.attributes.get(c.ANSIBLE_TASK_ACTION) or ""),
                "result": {"msg": str(host.attributes.get(c.ANSIBLE_MESSAGE) or host.status_message)},
            }
            for host in self.hosts
        ] or None

    @property
    def downstream(self) -> bool:
        """Return whether it failed because of a downstream build that is not in this trace."""
        return bool(self.started)

    @property
    def started(self) -> Sequence[Link]:
        """Return the links to the builds that the failed step started."""
        return [link for link in self.span.links if link.attributes.get(c.JENKINS_LINK) == c.LINK_STARTED]

    @property
    def environment(self) -> str:
        """Return the environment of the deploy, from the nearest playbook or run around the failure; "" for none."""
        around = [*([self.playbook] if self.playbook else []), *reversed(self.path)]
        return next(filter(None, map(environment_of, around)), "")

    @property
    def agent(self) -> str:
        """Return the agent that it ran on; "" if it is not known."""
        return next((name for span in reversed(self.path) if (name := attribute_text(span, c.WORKER_NAME))), "")


class Trace:
    """The spans of a trace as a tree."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = list(spans)
        self._by_id = {span.span_id: span for span in self.spans}
        self._children: dict[str, list[Span]] = {}
        for span in self.spans:
            if span.parent_id:
                self._children.setdefault(span.parent_id, []).append(span)

    def roots(self) -> list[Span]:
        """Return the spans whose parent is not in this trace, and the earliest one of each cycle, oldest first."""
        found = [span for span, parent in zip(self.spans, parents_of(self.spans), strict=True) if parent is None]
        return sorted(found, key=lambda span: span.start_ns)

    def beyond(self, spans: Iterable[Span]) -> Trace | None:
        """Return this trace with these spans of other traces too; None if all of them are here already."""
        new = [span for span in spans if span.span_id not in self._by_id]
        return Trace([*self.spans, *new]) if new else None

    def failed_so_far(self) -> Failure | None:
        """Return what failed first on hosts of a playbook that still runs; None if nothing did.

        What an open block may rescue does not count yet.
        """
        bad = (one for one in self.spans if one.end_ns and one.attributes.get(c.ANSIBLE_RESULT) in _BAD_HOSTS)
        host = min((one for one in bad if self._is_final(one)), key=lambda one: one.end_ns, default=None)
        task = self._by_id.get(host.parent_id or "") if host else None
        if host is None or task is None:
            return None
        hosts = [one for one in self._children[task.span_id] if one.attributes.get(c.ANSIBLE_RESULT) in _BAD_HOSTS]
        way = [*reversed(list(self._above(host))), host]
        return Failure(way, hosts, task, next(filter(is_playbook, way), None))

    def _is_final(self, host: Span) -> bool:
        """Return whether the failure of a host makes a playbook fail that still runs."""
        above = list(self._above(host))
        caught = any(
            one.status_code != ERROR if one.end_ns else one.attributes.get(c.ANSIBLE_TYPE) == c.TYPE_BLOCK for one in above
        )
        return not caught and any(not one.end_ns for one in above)

    def _above(self, span: Span) -> Iterator[Span]:
        seen = {span.span_id}
        while (parent := self._by_id.get(span.parent_id or "")) and parent.span_id not in seen:
            yield parent
            seen.add(parent.span_id)
            span = parent

    def failure(self, start: Span) -> Failure | None:
        """Return what made a span fail, also in a downstream build; None if the span did not fail."""
        if start.status_code != ERROR:
            return None
        path = self._path(start)
        playbook = self._playbook_beside(path)
        if playbook:
            hosts = self._failed_hosts(playbook)
            if hosts:
                return Failure(path, hosts, self._by_id.get(hosts[0].parent_id or ""), playbook)
        if path[-1].attributes.get(c.ANSIBLE_TYPE) == c.TYPE_HOST:
            task = self._by_id.get(path[-1].parent_id or "")
            hosts = [
                s
                for s in self._children.get(path[-1].parent_id or "", ())
                if s.attributes.get(c.ANSIBLE_RESULT) in _BAD_HOSTS
            ]
            return Failure(path, hosts, task)
        return Failure(path)

    def _path(self, start: Span) -> list[Span]:
        """Return the spans from one that failed down to the cause."""
        path = [start]
        while True:
            below = self._cause(path[-1])
            way = [below] if below else way_to_caught(path[-1], self._children)
            if not way or way[-1] in path:
                return path
            path += way

    def _cause(self, span: Span) -> Span | None:
        """Return the child that failed first, in the last attempt of a retry.

        A playbook counts only if no step failed, and a block around others only if none of them did.
        """
        failed = [one for one in self._below(span) if one.status_code == ERROR]
        last = max(map(attempt_of, failed), default=0)
        failed = [one for one in failed if attempt_of(one) == last]
        return min(
            failed,
            key=lambda one: (
                is_around(one),
                c.ANSIBLE_TYPE in one.attributes and is_of_pipeline(span),
                one.end_ns,
                order_of(one),
            ),
            default=None,
        )

    def _below(self, span: Span) -> Iterator[Span]:
        """Yield what is directly below a span, and what is in the blocks there."""
        todo, seen = [span], {span.span_id}
        while todo:
            for one in self._directly_below(todo.pop()):
                if one.span_id not in seen:
                    seen.add(one.span_id)
                    todo += [one] if is_around(one) else []
                    yield one

    def _directly_below(self, span: Span) -> Iterator[Span]:
        yield from self._children.get(span.span_id, ())
        for link in span.links:
            # A link leads to a downstream build that has a trace of its own, or that another build started, too.
            if link.attributes.get(c.JENKINS_LINK) == c.LINK_STARTED and link.span_id in self._by_id:
                yield self._by_id[link.span_id]

    def _playbook_beside(self, path: Sequence[Span]) -> Span | None:
        """Return the failed playbook that a failed step ran: a child of the step's stage or of its run, not of the step."""
        step = path[-1]
        if type_of(step) != c.TYPE_STEP:
            return None
        for above in path[-2::-1]:
            for one in self._children.get(above.span_id, ()):
                within = step.start_ns <= one.start_ns <= step.end_ns or not has_times(step)
                if is_playbook(one) and one.status_code == ERROR and within:
                    return one
        return None

    def _failed_hosts(self, above: Span) -> list[Span]:
        """Return the failed hosts of the last failed task below a span."""
        tasks: dict[str, list[Span]] = {}
        todo, seen = [above], {above.span_id}
        while todo:
            span = todo.pop()
            below = [one for one in self._children.get(span.span_id, ()) if one.span_id not in seen]
            seen.update(one.span_id for one in below)
            todo.extend(below)
            if span.attributes.get(c.ANSIBLE_RESULT) in _BAD_HOSTS and span.parent_id:
                tasks.setdefault(span.parent_id, []).append(span)
        return max(tasks.values(), key=lambda hosts: max(host.end_ns for host in hosts), default=[])


def named_facts(failure: Failure) -> Mapping[str, str]:
    """Return the known facts to show with a failure: build, commit, environment, agent."""
    run = failure.run
    found = {
        "build": build_name_of(run) if run else "",
        "commit": revision_of(run) if run else "",
        "environment": failure.environment,
        "agent": failure.agent,
    }
    return {name: value for name, value in found.items() if value}
