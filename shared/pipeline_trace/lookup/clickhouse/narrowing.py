"""Conditions that leave most of the exporter's table unread, because its indexes can use them. Does no I/O.

Its indexes know, for each 8192 rows, which names and which values attributes have. So a condition must name one holder of
attributes, the span or its resource, and what is in it; through a function, or joined by OR with the other holder, it reads
everything. What comes may be more than is wanted: expressions.py, and trace/traits.py in the end, say what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...trace import conventions as c
from ...trace.others import SAID_BY
from ...trace.span import SERVER
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


class Narrowing:
    """The conditions, for columns of one type."""

    def __init__(self, attributes: Attributes) -> None:
        self._of = attributes

    def by_value(self, group: Sequence[Wanted]) -> list[Wanted]:
        """Return the wanted traits whose values are in an index."""
        return [one for one in group if one.value and not one.begins and one.trait in _AS_IT_STANDS]

    def places(self, wanted: Wanted, bound: Bound) -> list[str]:
        """Return conditions of which a span fulfils one that says what is wanted: its span, its resource, another tool."""
        return [*(self.says(wanted, holder, bound) for holder in HOLDERS), *self._elsewhere(wanted, bound)]

    def by_span(self, wanted: Wanted, bound: Bound) -> str:
        """Return whether a span's own attributes say what is wanted, in whatever way."""
        inside = [] if wanted.trait in ("pipeline", "run") else self._elsewhere(wanted, bound)
        return f"({' OR '.join([self.says(wanted, SPAN, bound), *inside])})"

    def says(self, wanted: Wanted, holder: str, bound: Bound) -> str:
        """Return whether a holder says what is wanted, under any of the trait's names."""
        said = (self._says(wanted, self._of.value(holder, name), bound) for name in _names(wanted.trait, holder))
        return f"({' OR '.join(said)})"

    def _elsewhere(self, wanted: Wanted, bound: Bound) -> list[str]:
        """Return the condition that another tool may say what is wanted, in a list or within another text."""
        value = bound.text(wanted.value) if wanted.value else "''"
        if wanted.trait == "pipeline":
            gitlab = f"{self._of.resource(c.VCS_PROVIDER_NAME)} = 'gitlab'"
            return [f"({gitlab} AND startsWith({self._of.resource(c.SERVICE_NAME)}, {value}))"]
        if wanted.trait == "run":
            return [f"({self._has((c.TASK_RUN_URL,), RESOURCE)} AND {_inside(self._of.resource(c.TASK_RUN_URL), value)})"]
        if wanted.trait in GIVEN:
            return [f"({self._of.has(_LISTED)} AND {_inside(self._of.listing(_LISTED), value)})"]
        if wanted.trait == "change":
            return [f"({self._of.has(c.PLUGIN_JOB)} AND {_inside(self._of.span(c.PLUGIN_JOB), value)})"]
        return []

    def one_of(self, trait: Trait, values: str, holder: str) -> str:
        """Return whether a holder says one of some values of a trait. ``values``: SQL for a list of texts."""
        return f"({' OR '.join(f'{self._of.value(holder, name)} IN {values}' for name in _names(trait, holder))})"

    def names(self, trait: Trait, holder: str) -> str:
        """Return whether a holder has an attribute that says a trait."""
        return self._has(_names(trait, holder), holder)

    def runs(self) -> list[str]:
        """Return conditions of which a run fulfils one. Each has an index of its own: by OR they would have none."""
        # Keys of an index are few bits, which other keys may have in common: so the kind is looked at first.
        resource = f"SpanKind = '{SERVER.capitalize()}' AND {self._has(_OF_RESOURCES, RESOURCE)}"
        return [self._has(_OF_RUNS, SPAN), resource]

    def noted(self) -> list[str]:
        """Return conditions of which a noted span fulfils one."""
        root = f"(ParentSpanId = '' AND {self._has(_REVISIONS, SPAN)})"
        span = f"({self._has((*_OF_RUNS, *_OF_OTHERS), SPAN)} OR {root})"
        return [span, self.runs()[1], f"ParentSpanId = '' AND {self._has(_REVISIONS, RESOURCE)}"]

    def told(self, *kinds: str) -> str:
        """Return whether the poller or the callback told that a span is of one of these kinds."""
        told = (f"{self._of.span(name)} IN {listed(kinds)}" for name in (c.JENKINS_TYPE, c.ANSIBLE_TYPE))
        return f"({' OR '.join(told)})"

    def untold(self, counted: Counted) -> list[str]:
        """Return conditions of which what is counted fulfils one, where neither the poller nor the callback told it."""
        untold = f"NOT {self._has((c.JENKINS_TYPE, c.ANSIBLE_TYPE), SPAN)}"
        if counted == "job":
            return [f"{untold} AND {one}" for one in self.runs()]
        if counted == "stage":
            parts = (self._has(_OF_PARTS, SPAN), self._has((c.TASK_RUN_ID,), RESOURCE), self.runs()[1])
            return [f"{untold} AND {one}" for one in parts]
        return []

    def _has(self, names: Iterable[str], holder: str) -> str:
        return f"({' OR '.join(self._of.has(name, holder) for name in names)})"

    def _says(self, wanted: Wanted, found: str, bound: Bound) -> str:
        if not wanted.value:
            return f"{found} != ''"
        value = bound.text(wanted.value)
        if wanted.trait == "environment":
            found = one_name(found)
        elif wanted.trait == "revision":
            found = f"lower({found})"
        return f"startsWith({found}, {value})" if wanted.begins else f"{found} = {value}"


def _inside(text: str, value: str) -> str:
    return f"position(lower({text}), lower({value})) > 0"


def _names(trait: Trait, holder: str) -> list[str]:
    """Return the names of the attributes that say a trait. Parameters are a span's alone."""
    attribute = _ATTRIBUTE[trait]
    given = PARAMETERS.get(attribute, ()) if holder == SPAN else ()
    return [attribute, *SAID_BY.get(attribute, ()), *(c.JENKINS_PARAMETER_PREFIX + name for name in given)]
