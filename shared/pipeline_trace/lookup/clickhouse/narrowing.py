"""Conditions that leave most of the exporter's table unread, because its indexes can use them. Does no I/O.

Its indexes know, for each 8192 rows, which names and which values attributes have. So a condition must name one holder of
attributes, the span or its resource, and what is in it; through a function, or joined by OR with the other holder, it reads
everything. What comes may be more than is wanted: expressions.py, and trace/traits.py in the end, say what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...trace import conventions as c
from ...trace.others import RESULTS, SAID_BY
from ...trace.span import ERROR, OK, SERVER
from ...trace.traits import Trait
from ...trace.words import PARAMETERS
from ..source import Counted, Wanted
from .columns import RESOURCE, SPAN, Attributes, Bound, listed
from .expressions import GIVEN, one_name

HOLDERS = (SPAN, RESOURCE)
# The attribute that says a trait; others may say the same.
_ATTRIBUTE: dict[Trait, str] = {
    "pipeline": c.PIPELINE_NAME,
    "run": c.PIPELINE_RUN_ID,
    "result": c.PIPELINE_RESULT,
    "service": c.DEPLOYMENT_NAME,
    "environment": c.DEPLOYMENT_ENVIRONMENT,
    "version": c.ARTIFACT_VERSION,
    "revision": c.VCS_HEAD_REVISION,
    "change": c.VCS_CHANGE_ID,
    "worker": c.WORKER_NAME,
    "host": c.ANSIBLE_HOST_NAME,
}
# What says it of other spans than runs, and a status that says it without a word.
_RESULT_OF_PARTS = (c.TASK_RUN_RESULT, *SAID_BY[c.TASK_RUN_RESULT])
_BY_STATUS = {c.FAILURE: ERROR, c.SUCCESS: OK}
# The list in which Jenkins' plugin has a build's parameters.
_LISTED = c.PLUGIN_PARAMETER_VALUES
# Traits that are an attribute's value as it stands there: these values are in an index.
_AS_IT_STANDS = frozenset({"pipeline", "run", "service", "version", "change", "worker"})
# What makes a root noted, beside what follows. Parameters may name a commit, too: of runs, which have other names.
_REVISIONS = (c.VCS_HEAD_REVISION, *SAID_BY[c.VCS_HEAD_REVISION])
# Each run has one of these in its span, each other noted span one of those. Of other tools, a root's resource may have it.
_OF_RUNS = (c.PIPELINE_RESULT, c.PIPELINE_RUN_ID, c.PLUGIN_JOB)
_OF_OTHERS = (c.ANSIBLE_PLAYBOOK_NAME, c.TASK_TYPE, c.TASK_ENVIRONMENT)
_OF_PARTS = (c.PLUGIN_STEP_ID, c.PLUGIN_STEP_NAME, c.TASK_NAME)
_OF_RESOURCES = (c.PIPELINE_RESULT, c.RUN_STATUS)


class Sought(NamedTuple):
    """A trait with one of some values, with any if there are none, or one that begins with the value."""

    trait: Trait
    values: tuple[str, ...] = ()
    begins: bool = False

    @property
    def by_value(self) -> bool:
        """Return whether its values are in an index."""
        return bool(self.values) and not self.begins and self.trait in _AS_IT_STANDS

    def holds(self, found: str, bound: Bound) -> str:
        """Return whether a text, in SQL, is what is sought."""
        if not self.values:
            return f"{found} != ''"
        first, *others = self.values
        if others:
            return f"{found} IN {bound.texts(self.values)}"
        return f"startsWith({found}, {bound.text(first)})" if self.begins else f"{found} = {bound.text(first)}"


def sought(wanted: Wanted) -> Sought:
    """Return a wanted trait as it is sought."""
    return Sought(wanted.trait, (wanted.value,) if wanted.value else (), wanted.begins)


def sought_groups(wanted: Sequence[Sequence[Wanted]]) -> list[list[Sought]]:
    """Return the groups of wanted traits, of which all of one must hold. Groups of one value of the same trait are one."""
    groups = [list(map(sought, group)) for group in wanted]
    values: dict[Trait, list[str]] = {}
    for group in groups:
        if len(group) == 1 and group[0].by_value:
            values.setdefault(group[0].trait, []).extend(group[0].values)
    others = [group for group in groups if len(group) != 1 or not group[0].by_value]
    return [*([Sought(trait, tuple(dict.fromkeys(found)))] for trait, found in values.items()), *others]


class Narrowing:
    """The conditions, for columns of one type."""

    def __init__(self, attributes: Attributes) -> None:
        self._of = attributes

    def by_span(self, one: Sought, bound: Bound) -> str:
        """Return whether a span's own attributes say what is sought, in whatever way."""
        inside = [] if one.trait in ("pipeline", "run") else self.elsewhere(one, bound)
        return f"({' OR '.join([self.says(one, SPAN, bound), *inside])})"

    def by_any_value(self, groups: Sequence[Sequence[Sought]], bound: Bound) -> str:
        """Return whether any value of a span's attributes is what one of the groups seeks; "1" if that cannot be said.

        It is cheaper than to look for each of a trait's many names, and leaves few spans.
        """
        sought = [next((one for one in group if one.trait == "revision" and one.values), None) for group in groups]
        values = self._of.values(SPAN)
        if not values or None in sought:
            return "1"
        found = " OR ".join(_is_revision(one, bound) for one in sought if one)
        return f"(arrayExists(one -> {found}, {values}) OR {self._of.has(_LISTED)})"

    def anywhere(self, one: Sought, bound: Bound) -> str:
        """Return whether a span, its resource or anything else says what is sought."""
        said = [*(self.says(one, holder, bound) for holder in HOLDERS), *self.elsewhere(one, bound)]
        return f"({' OR '.join(said)})"

    def says(self, one: Sought, holder: str, bound: Bound) -> str:
        """Return whether a holder says what is sought, under any of the trait's names."""
        found = (_as_sought(one, self._of.value(holder, name)) for name in _names(one.trait, holder))
        said = [_in_all_words(one).holds(text, bound) for text in found]
        if one.trait == "result" and holder == SPAN:
            statuses = [status for word, status in _BY_STATUS.items() if word in one.values or not one.values]
            said += [f"StatusCode = '{status.capitalize()}'" for status in statuses]
        return f"({' OR '.join(said)})"

    def elsewhere(self, one: Sought, bound: Bound) -> list[str]:
        """Return the condition that another tool may say what is sought, in a list or within another text."""

        def inside(text: str) -> str:
            return f"arrayExists(one -> position(lower({text}), lower(one)) > 0, {bound.texts(one.values or ('',))})"

        if one.trait == "pipeline":
            return [f"({self._of_gitlab()} AND {inside(self._of.resource(c.SERVICE_NAME))})"]
        if one.trait == "run":
            return [f"({self._has((c.TASK_RUN_URL,), RESOURCE)} AND {inside(self._of.resource(c.TASK_RUN_URL))})"]
        if one.trait == "environment":
            # Under any of its names.
            return [self._of.has(_LISTED)]
        if one.trait in GIVEN:
            return [f"({self._of.has(_LISTED)} AND {inside(self._of.listing(_LISTED))})"]
        if one.trait == "change":
            return [f"({self._of.has(c.PLUGIN_JOB)} AND {inside(self._of.span(c.PLUGIN_JOB))})"]
        return []

    def of_jobs(self, jobs: str) -> list[str]:
        """Return conditions of which a span of one of some jobs fulfils one. ``jobs``: SQL for a list of texts."""
        named = [self.one_of("pipeline", jobs, holder) for holder in HOLDERS]
        return [*named, f"({self._of_gitlab()} AND {self._of.resource(c.SERVICE_NAME)} IN {jobs})"]

    def _of_gitlab(self) -> str:
        """Return whether GitLab may name no pipeline, which then has its project's name."""
        return f"{self._of.resource(c.VCS_PROVIDER_NAME)} = 'gitlab'"

    def one_of(self, trait: Trait, values: str, holder: str) -> str:
        """Return whether a holder says one of some values of a trait. ``values``: SQL for a list of texts."""
        return f"({' OR '.join(f'{self._of.value(holder, name)} IN {values}' for name in _names(trait, holder))})"

    def names(self, trait: Trait, holder: str) -> str:
        """Return whether a holder has an attribute that says a trait."""
        return self._has(_names(trait, holder), holder)

    def runs(self) -> list[str]:
        """Return conditions of which a run fulfils one. Each has an index of its own: by OR they would have none."""
        # An index knows a name by few bits. Resources of ours have those of a result in common: so the provider is named.
        resource = f"{self._has((c.VCS_PROVIDER_NAME,), RESOURCE)} AND {self._has(_OF_RESOURCES, RESOURCE)}"
        return [self._has(_OF_RUNS, SPAN), f"{resource} AND SpanKind = '{SERVER.capitalize()}'"]

    def noted(self) -> list[str]:
        """Return conditions of which a noted span fulfils one."""
        root = f"(ParentSpanId = '' AND {self._has(_REVISIONS, SPAN)})"
        span = f"({self._has((*_OF_RUNS, *_OF_OTHERS), SPAN)} OR {root})"
        return [span, self.runs()[1], f"{self._has(_REVISIONS, RESOURCE)} AND ParentSpanId = ''"]

    def told(self, *kinds: str) -> str:
        """Return whether the poller or the callback told that a span is of one of these kinds."""
        told = (f"{self._of.span(name)} IN {listed(kinds)}" for name in (c.JENKINS_TYPE, c.ANSIBLE_TYPE))
        return f"({' OR '.join(told)})"

    def untold(self, counted: Counted) -> list[str]:
        """Return conditions of which what is counted fulfils one, where neither the poller nor the callback told it."""
        if counted in ("job", "held"):
            untold = " AND ".join(f"{self._of.span(name)} = ''" for name in (c.JENKINS_TYPE, c.ANSIBLE_TYPE))
            return [f"{one} AND {untold}" for one in self.runs()]
        if counted == "stage":
            untold = f"NOT {self._has((c.JENKINS_TYPE, c.ANSIBLE_TYPE), SPAN)}"
            parts = (self._has(_OF_PARTS, SPAN), self._has((c.TASK_RUN_ID,), RESOURCE), self.runs()[1])
            return [f"{untold} AND {one}" for one in parts]
        if counted == "wait":
            untold = f"NOT {self._has((c.JENKINS_TYPE, c.ANSIBLE_TYPE), SPAN)}"
            return [f"{untold} AND {self._has((c.PLUGIN_STEP_ID, c.PLUGIN_STEP_NAME, c.QUEUE_DURATION), SPAN)}"]
        return []

    def _has(self, names: Iterable[str], holder: str) -> str:
        return f"({' OR '.join(self._of.has(name, holder) for name in names)})"


def _is_revision(one: Sought, bound: Bound) -> str:
    """Return whether the value ``one`` is a commit that is sought."""
    if not one.begins:
        return one.holds("lower(one)", bound)
    # What begins so is told by its first bytes: other values may be long logs.
    return one.holds(f"lower(substring(one, 1, {len(one.values[0].encode())}))", bound)


def _as_sought(one: Sought, found: str) -> str:
    """Return a text in the form in which it is compared."""
    if not one.values:
        return found
    lower = f"lower({found})"
    return {"environment": one_name(found), "revision": lower, "result": lower}.get(one.trait, found)


def _in_all_words(one: Sought) -> Sought:
    """Return what is sought, a result in the words of all tools."""
    if one.trait != "result" or not one.values:
        return one
    words = (word for word, result in RESULTS.items() if result in one.values)
    return one._replace(values=tuple(dict.fromkeys([*one.values, *words])))


def _names(trait: Trait, holder: str) -> list[str]:
    """Return the names of the attributes that say a trait. Parameters are a span's alone."""
    attribute = _ATTRIBUTE[trait]
    given = PARAMETERS.get(attribute, ()) if holder == SPAN else ()
    parts = _RESULT_OF_PARTS if trait == "result" else ()
    return [attribute, *SAID_BY.get(attribute, ()), *parts, *(c.JENKINS_PARAMETER_PREFIX + name for name in given)]
