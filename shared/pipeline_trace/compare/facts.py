"""Compares what two runs say of themselves: commits, parameters, agents, hosts, versions, tests. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

from ..lookup.states import span_type
from ..lookup.tree import Node, walk
from ..ownership.account.causes import cause_of
from ..ownership.account.codehost import compare_url, repository_of
from ..ownership.account.shown import clean
from ..trace import conventions as c
from ..trace.queries import agents_of, attribute_text, build_key, is_playbook, is_run, revision_of
from ..trace.span import Span
from .match import Matched, Place
from .record import Difference

_TESTS = {"tests": c.JENKINS_TESTS_TOTAL, "failed tests": c.JENKINS_TESTS_FAILED, "skipped tests": c.JENKINS_TESTS_SKIPPED}


def commits(run: Node, base: Node) -> list[Difference]:
    """Return the commits that differ: the application's, then those of other repositories that both checked out."""
    mine, its = _commit(run), _commit(base)
    found = [_difference("commit", revision_of(mine), revision_of(its), _compared(mine, its))] if mine and its else []
    others, base_others = _other_commits(run), _other_commits(base)
    found += (
        _difference(
            f"commit of {repository}",
            others.get(repository, ""),
            base_others.get(repository, ""),
            compare_url(repository, base_others.get(repository, ""), others.get(repository, "")),
        )
        for repository in dict.fromkeys([*others, *base_others])
    )
    return [one for one in found if one.run != one.base]


def same_commit(run: Node, base: Node) -> bool:
    """Return whether both runs say their commit, and it is the same one."""
    mine, its = _commit(run), _commit(base)
    return mine is not None and its is not None and revision_of(mine) == revision_of(its)


def parameters(found: Matched, told: Iterable[Difference]) -> list[Difference]:
    """Return the parameters that differ: of the run, then of builds that it started. ``told``: commits that are told."""
    differences: dict[tuple[str, str, str], Difference] = {}
    commits = {(one.run, one.base) for one in told}
    first = build_key(found.pairs[0][0].node.span)[0]
    for one, other in _runs(found):
        mine, its, job = _parameters(one), _parameters(other), build_key(one)[0]
        for name in dict.fromkeys([*mine, *its]):
            said = mine.get(name, ""), its.get(name, "")
            # What a build hands on is told once.
            key = (name, *said)
            if said[0] != said[1] and key not in differences and said not in commits:
                differences[key] = _difference(name if job == first else f"{name} of {job}", *said)
    return list(differences.values())


def others(run: Node, base: Node, found: Matched) -> list[Difference]:
    """Return what else differs: branch, version, who started it, agents, hosts, Ansible, tests."""
    hosts, base_hosts = _only_hosts(found, run, base)
    told = [
        _both("branch", run, base, lambda span: [attribute_text(span, c.VCS_HEAD_NAME)], is_run),
        _both("version", run, base, lambda span: [attribute_text(span, c.ARTIFACT_VERSION)]),
        _difference("started by", cause_of(run.span).words, cause_of(base.span).words),
        _difference("agent", *_only_agents(found)),
        _difference("only on hosts", hosts, base_hosts),
        _both("Ansible", run, base, lambda span: [attribute_text(span, c.ANSIBLE_VERSION)]),
        *(_difference(name, attribute_text(run.span, key), attribute_text(base.span, key)) for name, key in _TESTS.items()),
    ]
    return [one for one in told if one.run != one.base]


def _difference(name: str, run: str, base: str, url: str = "") -> Difference:
    return Difference(clean(name), clean(run), clean(base), clean(url))


def _commit(run: Node) -> Span | None:
    """Return the span that says the run's commit: the run, else the first build or playbook in it that says one."""
    spans = (node.span for node in walk([run]) if node is run or is_run(node.span) or is_playbook(node.span))
    return next(filter(revision_of, spans), None)


def _compared(run: Span, base: Span) -> str:
    """Return the page that compares the commits of two spans, if both are surely of one repository."""
    repository = repository_of(run)
    same = repository_of(base) == repository
    return compare_url(repository, revision_of(base), revision_of(run)) if same else ""


def _other_commits(run: Node) -> dict[str, str]:
    """Return the commits of other repositories by their address: of the run and of the builds that it started."""
    found: dict[str, str] = {}
    for node in (one for one in walk([run]) if is_run(one.span)):
        revisions, repositories = (
            _list(node.span, name) for name in (c.JENKINS_OTHER_REVISIONS, c.JENKINS_OTHER_REPOSITORIES)
        )
        for repository, revision in zip_longest(repositories, revisions, fillvalue=""):
            found.setdefault(repository, revision)
    return {repository: revision for repository, revision in found.items() if repository}


def _list(span: Span, name: str) -> list[str]:
    value = span.attributes.get(name)
    return list(map(str, value)) if isinstance(value, (list, tuple)) else []


def _runs(found: Matched) -> Iterator[tuple[Span, Span]]:
    for one, other in found.pairs:
        if is_run(one.node.span):
            yield one.node.span, other.node.span


def _parameters(span: Span) -> dict[str, str]:
    prefix = c.JENKINS_PARAMETER_PREFIX
    return {name.removeprefix(prefix): str(value) for name, value in span.attributes.items() if name.startswith(prefix)}


def _both(
    name: str,
    run: Node,
    base: Node,
    told: Callable[[Span], Iterable[str]],
    wanted: Callable[[Span], bool] = lambda span: True,
) -> Difference:
    """Return what the spans of both runs say, as lists. Where one of them says nothing, nothing differs."""
    mine, its = (
        ", ".join(sorted({text for node in walk([root]) if wanted(node.span) for text in told(node.span) if text}))
        for root in (run, base)
    )
    return _difference(name, mine, its) if mine and its else Difference(name, "", "")


def _only_agents(found: Matched) -> tuple[str, str]:
    """Return the agents that only one of both used, for parts that both have; else, as the runs themselves say it."""
    runs, parts = (
        [pair for pair in found.pairs if is_run(pair[0].node.span) == whole and all(_agents([one]) for one in pair)]
        for whole in (True, False)
    )
    pairs = parts or runs[:1]
    mine, its = _agents(one for one, _ in pairs), _agents(other for _, other in pairs)
    return ", ".join(sorted(mine - its)), ", ".join(sorted(its - mine))


def _agents(places: Iterable[Place]) -> set[str]:
    return {agent for place in places for agent in agents_of(place.node.span)}


def _only_hosts(found: Matched, run: Node, base: Node) -> tuple[str, str]:
    """Return the hosts that only one of both has, of the tasks that both have."""
    both = [(one, other) for one, other in found.pairs if span_type(one.node.span) == c.TYPE_TASK]
    mine, its = _hosts(one for one, _ in both), _hosts(other for _, other in both)
    # A host that failed is not in later tasks.
    anywhere, base_anywhere = _all_hosts(run), _all_hosts(base)
    return ", ".join(sorted(mine - base_anywhere)), ", ".join(sorted(its - anywhere))


def _hosts(tasks: Iterable[Place]) -> set[str]:
    return {name for task in tasks for name in _names(task.node.children)}


def _all_hosts(run: Node) -> set[str]:
    return set(_names(list(walk([run]))))


def _names(nodes: Sequence[Node]) -> Iterator[str]:
    return (node.span.name for node in nodes if span_type(node.span) == c.TYPE_HOST)
