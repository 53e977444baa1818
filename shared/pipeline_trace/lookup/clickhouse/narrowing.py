"""Conditions that leave most of the exporter's table unread, because its indexes can use them. Does no I/O.

Its indexes know, for each 8192 rows, which names and which values attributes have. So a condition must name one holder of
attributes, the span or its resource, and what is in it; through a function, or joined by OR with the other holder, it reads
everything. What comes may be more than is wanted: expressions.py, and trace/traits.py in the end, say what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...trace import conventions as c
from ...trace.others import SAID_BY
from ...trace.traits import Trait
from ...trace.words import PARAMETERS
from ..source import Wanted
from .expressions import RESOURCE, SPAN, Attributes, Bound, one_name

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
# Traits that are an attribute's value as it stands there: these values are in an index.
_AS_IT_STANDS = frozenset({"pipeline", "run", "service", "version", "change", "worker"})
# What makes a root noted, beside what follows. Parameters may name a commit, too: of runs, which have other names.
_REVISIONS = (c.VCS_HEAD_REVISION, *SAID_BY[c.VCS_HEAD_REVISION])
# Each run has one of these in its span, each other noted span one of those. Of other tools, a root's resource may have it.
_OF_RUNS = (c.PIPELINE_RESULT, c.PIPELINE_RUN_ID, c.PLUGIN_JOB)
_OF_OTHERS = (c.ANSIBLE_PLAYBOOK_NAME, c.TASK_TYPE, c.TASK_ENVIRONMENT)
_OF_RESOURCES = (c.PIPELINE_RESULT, c.RUN_STATUS)


class Narrowing:
    """The conditions, for columns of one type."""

    def __init__(self, attributes: Attributes) -> None:
        self._of = attributes

    def by_value(self, group: Sequence[Wanted]) -> list[Wanted]:
        """Return the wanted traits whose values are in an index."""
        return [one for one in group if one.value and not one.begins and one.trait in _AS_IT_STANDS]

    def says(self, wanted: Wanted, holder: str, bound: Bound) -> str:
        """Return whether a holder says what is wanted, under any of the trait's names."""
        said = (self._says(wanted, self._of.value(holder, name), bound) for name in _names(wanted.trait, holder))
        return f"({' OR '.join(said)})"

    def one_of(self, trait: Trait, values: str, holder: str) -> str:
        """Return whether a holder says one of some values of a trait. ``values``: SQL for a list of texts."""
        return f"({' OR '.join(f'{self._of.value(holder, name)} IN {values}' for name in _names(trait, holder))})"

    def names(self, trait: Trait, holder: str) -> str:
        """Return whether a holder has an attribute that says a trait."""
        return self._has(_names(trait, holder), holder)

    def runs(self) -> list[str]:
        """Return conditions of which a run fulfils one. Each has an index of its own: by OR they would have none."""
        # Keys of an index are few bits, which other keys may have in common: so the kind is looked at first.
        resource = f"SpanKind = 'Server' AND ParentSpanId = '' AND {self._has(_OF_RESOURCES, RESOURCE)}"
        return [self._has(_OF_RUNS, SPAN), resource]

    def noted(self) -> list[str]:
        """Return conditions of which a noted span fulfils one."""
        root = f"(ParentSpanId = '' AND {self._has(_REVISIONS, SPAN)})"
        span = f"({self._has((*_OF_RUNS, *_OF_OTHERS), SPAN)} OR {root})"
        return [span, self.runs()[1], f"ParentSpanId = '' AND {self._has(_REVISIONS, RESOURCE)}"]

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


def _names(trait: Trait, holder: str) -> list[str]:
    """Return the names of the attributes that say a trait. Parameters are a span's alone."""
    attribute = _ATTRIBUTE[trait]
    given = PARAMETERS.get(attribute, ()) if holder == SPAN else ()
    return [attribute, *SAID_BY.get(attribute, ()), *(c.JENKINS_PARAMETER_PREFIX + name for name in given)]
