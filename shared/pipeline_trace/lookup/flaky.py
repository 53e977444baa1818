"""Finds flaky stages and tests: they failed in one build and passed in another one of the same commit and environment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..trace import conventions as c
from ..trace.queries import attribute_text, build_key, failed_tests, is_stage
from ..trace.span import Span
from .source import BuildKey
from .states import STATES, span_type, state

# Only a rerun within one day counts.
_RERUN_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True)
class Flaky:
    """A stage or test that failed in one build and passed in another build of the same commit and environment.

    ``failed_in``, ``passed_in``: build numbers.
    """

    job: str
    name: str
    failed_in: str
    passed_in: str
    test: bool = False


@dataclass
class _Stages:
    """How the stages of a build ended. ``failed``: those of ``states`` that failed."""

    states: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def flaky_builds(
    runs: Sequence[Span], own: Mapping[str, Sequence[Span]], around: Sequence[Span], environment: Callable[[Span], str]
) -> list[list[Flaky]]:
    """Return, for each of several builds of one job, the stages and tests that failed in one build and passed in another.

    Both builds are of the same commit, and deploy to the same environment. ``runs``: their run spans. ``own``: the spans of
    each build, by its number. ``around``: spans of other builds. ``environment``: returns where a run deploys to.
    """
    commits = set(map(_commit, runs))
    alike: dict[str, list[Span]] = defaultdict(list)
    for span in around:
        if span_type(span) == c.TYPE_RUN and _commit(span) in commits:
            alike[_commit(span)].append(span)
    wanted = {build_key(run) for run in (*runs, *(other for others in alike.values() for other in others))}
    stages = _stages([*(span for run in runs for span in own[build_key(run)[1]]), *around], wanted)
    tests = _FailedTests()
    return [_of_pairs(_pairs(run, alike[_commit(run)]), stages, tests, environment) for run in runs]


def reruns_until(run: Span) -> int:
    """Return until when another build counts as a rerun of this one, in nanoseconds since the epoch."""
    return (run.end_ns or run.start_ns) + _RERUN_NS


def is_run_or_stage(span: Span) -> bool:
    """Tell whether a span is one of those from which other builds are compared."""
    return is_stage(span) or span_type(span) == c.TYPE_RUN


def _commit(span: Span) -> str:
    return attribute_text(span, c.VCS_HEAD_REVISION)


def _pairs(run: Span, alike: Iterable[Span]) -> Iterator[tuple[Span, Span]]:
    """Yield a build with each other one of its commit, both ways: with the earlier ones, then with its reruns.

    Of each, the newest come first.
    """
    last = reruns_until(run)
    others = [other for other in alike if other.end_ns <= last and build_key(other) != build_key(run)]
    for other in sorted(others, key=lambda other: (other.end_ns > run.start_ns, -other.end_ns)):
        yield run, other
        yield other, run


def _stages(spans: Iterable[Span], wanted: set[BuildKey]) -> Mapping[BuildKey, _Stages]:
    found: dict[BuildKey, _Stages] = {key: _Stages() for key in wanted}
    for span in spans:
        if is_stage(span) and build_key(span) in found:
            # Of several stages with the same name, the worst state counts.
            kept = found[build_key(span)].states
            kept[span.name] = min(kept.get(span.name, state(span)), state(span), key=STATES.index)
    for stages in found.values():
        stages.failed = [name for name, result in stages.states.items() if result in c.FAILED_RESULTS]
    return found


class _FailedTests:
    """The failed tests of builds, each read once."""

    def __init__(self) -> None:
        self._known: dict[int, frozenset[str]] = {}

    def of(self, run: Span) -> frozenset[str]:
        if id(run) not in self._known:
            self._known[id(run)] = frozenset(failed_tests(run))
        return self._known[id(run)]


def _of_pairs(
    pairs: Iterable[tuple[Span, Span]],
    stages: Mapping[BuildKey, _Stages],
    tests: _FailedTests,
    environment: Callable[[Span], str],
) -> list[Flaky]:
    """Return what is flaky by pairs of a build that may have failed and one that may have passed; each name once."""
    found: dict[tuple[bool, str], Flaky] = {}
    for failing, passing in pairs:
        (job, number), (_, there) = build_key(failing), build_key(passing)
        passed = stages[build_key(passing)].states
        names = {(False, name) for name in stages[build_key(failing)].failed if passed.get(name) == c.SUCCESS}
        if _same_tests(failing, passing, tests):
            names |= {(True, name) for name in tests.of(failing) - tests.of(passing)}
        # Asked last: to know the environment may need a query.
        if names - found.keys() and environment(failing) == environment(passing):
            for test, name in names:
                found.setdefault((test, name), Flaky(job, name, number, there, test))
    return sorted(found.values(), key=lambda one: (one.test, one.name))


def _same_tests(failing: Span, passing: Span, tests: _FailedTests) -> bool:
    """Return whether both builds surely ran the same tests: equal counts, and the passing build names all its failures."""
    total, skipped = (passing.attributes.get(name) for name in (c.JENKINS_TESTS_TOTAL, c.JENKINS_TESTS_SKIPPED))
    alike = (failing.attributes.get(c.JENKINS_TESTS_TOTAL), failing.attributes.get(c.JENKINS_TESTS_SKIPPED)) == (
        total,
        skipped,
    )
    return total is not None and alike and passing.attributes.get(c.JENKINS_TESTS_FAILED) == len(tests.of(passing))
