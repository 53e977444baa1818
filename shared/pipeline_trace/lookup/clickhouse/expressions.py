"""What attributes and traits are in SQL. Does no I/O.

trace/traits.py says what a trait is, and judges each span that comes; here stands what narrows the rows down. Statistics and
the table of runs rest on these texts alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...trace import conventions as c
from ...trace.span import ERROR
from ...trace.traits import FAILED_HOST, PARTS, PLAYBOOKS, Trait
from ...trace.words import NEARLY_PRODUCTION, ONE_NAME, PARAMETERS, REVISION
from ..source import Wanted

# Who has attributes: columns of the exporter's table.
SPAN, RESOURCE = "SpanAttributes", "ResourceAttributes"
_RESULTS = (c.PIPELINE_RESULT, c.TASK_RUN_RESULT)


class Bound:
    """The values of a query, which the server puts in: none of them is ever part of the SQL."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._names: dict[tuple[str, str], str] = {}

    def text(self, value: str) -> str:
        """Return the SQL for a text."""
        return self._put(value, "String")

    def texts(self, values: Iterable[str]) -> str:
        """Return the SQL for a list of texts."""
        return self._put(sorted(values), "Array(String)")

    def number(self, value: int) -> str:
        """Return the SQL for a whole number."""
        return self._put(value, "Int64")

    def moment(self, time_ns: int) -> str:
        """Return the SQL for a time, given in nanoseconds since the epoch."""
        return f"fromUnixTimestamp64Nano({self.number(time_ns)})"

    def _put(self, value: object, kind: str) -> str:
        name = self._names.setdefault((kind, repr(value)), f"p{len(self.values)}")
        self.values[name] = value
        return f"{{{name}:{kind}}}"


class Attributes:
    """The attributes of spans and resources in SQL. ``as_json``: in columns of the type JSON, not Map."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def span(self, name: str) -> str:
        """Return the value of a span's attribute as text, '' for none."""
        return self.value(SPAN, name)

    def resource(self, name: str) -> str:
        """Return the value of a resource's attribute as text, '' for none."""
        return self.value(RESOURCE, name)

    def value(self, holder: str, name: str) -> str:
        """Return the value of an attribute as text, '' for none. ``holder``: SPAN or RESOURCE."""
        return (
            f"ifNull(CAST({_path(holder, name)}, 'Nullable(String)'), '')" if self.as_json else f"{holder}[{quoted(name)}]"
        )

    def has(self, name: str, holder: str = SPAN) -> str:
        """Return whether a holder has an attribute."""
        return f"isNotNull({_path(holder, name)})" if self.as_json else f"mapContains({holder}, {quoted(name)})"

    def whole(self, column: str) -> str:
        """Return how a column of attributes is read, or an array of such columns."""
        if not self.as_json:
            return column
        return f"arrayMap(one -> toJSONString(one), {column})" if "." in column else f"toJSONString({column})"


class Expressions:
    """The traits of spans in SQL."""

    def __init__(self, attributes: Attributes, kind: str = "") -> None:
        """``kind``: the name of a column with the kind, where there is one."""
        self._of = attributes
        self._kind = kind

    def trait(self, trait: Trait) -> str:
        """Return the value of a trait, '' for none."""
        found: dict[Trait, str] = {
            "pipeline": self._text(c.PIPELINE_NAME),
            "run": self._text(c.PIPELINE_RUN_ID),
            "result": self._first(
                [*map(self._of.span, _RESULTS), f"if(StatusCode = '{ERROR.capitalize()}', {quoted(c.FAILURE)}, '')"]
            ),
            "service": self._told(c.DEPLOYMENT_NAME),
            "environment": one_name(self._told(c.DEPLOYMENT_ENVIRONMENT)),
            "version": self._told(c.ARTIFACT_VERSION),
            "revision": self._revision(),
            "change": self._text(c.VCS_CHANGE_ID),
            "worker": self._text(c.WORKER_NAME),
            "host": f"if({self._of.span(c.ANSIBLE_TYPE)} = '{c.TYPE_HOST}', "
            + self._first([self._of.span(c.ANSIBLE_HOST_NAME), "SpanName"])
            + ", '')",
        }
        if trait in ("service", "environment", "version", "revision", "change"):
            return f"if({self._kind or self.kind()} IN {listed(PARTS)}, '', {found[trait]})"
        return found[trait]

    def kind(self) -> str:
        """Return the kind of a span, '' for others."""
        return self._first(
            [
                self._of.span(c.JENKINS_TYPE),
                self._of.span(c.ANSIBLE_TYPE),
                f"if({self._of.has(c.PIPELINE_RESULT)}, '{c.TYPE_RUN}', '')",
            ]
        )

    def kinds(self, *kinds: str) -> str:
        """Return whether a span is of one of these kinds, in a form that indexes can use."""
        of_jenkins, of_ansible = self._of.span(c.JENKINS_TYPE), self._of.span(c.ANSIBLE_TYPE)
        if kinds == (c.TYPE_RUN,):
            # Few spans have the key, so that little is read. Those of other tools have it, too.
            return f"{self._of.has(c.PIPELINE_RESULT)} AND {of_jenkins} IN ('', '{c.TYPE_RUN}')"
        if kinds[0] in (c.TYPE_PLAYBOOK, c.TYPE_TASK, c.TYPE_HOST):
            return f"{of_ansible} IN {listed(kinds)}"
        return f"{of_jenkins} IN {listed(kinds)}"

    def noted(self, revision: str) -> str:
        """Return whether a span is noted. ``revision``: SQL for its commit."""
        conditions = [
            self._of.has(c.PIPELINE_RESULT),
            f"{self._of.span(c.ANSIBLE_TYPE)} = '{c.TYPE_PLAYBOOK}'",
            f"{self._of.span(c.TASK_TYPE)} = '{c.DEPLOY}'",
            f"(ParentSpanId = '' AND {revision} != '')",
        ]
        return f"({' OR '.join(conditions)})"

    def perhaps(self, *kinds: str) -> str:
        """Return whether a span is of one of these kinds of Jenkins', or of none that it names: other tools name others."""
        unnamed = f"{self._of.span(c.JENKINS_TYPE)} = '' AND {self._of.span(c.ANSIBLE_TYPE)} = ''"
        return f"({self._of.span(c.JENKINS_TYPE)} IN {listed(kinds)} OR ({unnamed}))"

    def outlined(self) -> str:
        """Return whether a span belongs to the outline of its trace."""
        kind = self._of.span(c.ANSIBLE_TYPE)
        inside = f"{kind} != '' AND {kind} NOT IN {listed(PLAYBOOKS)}"
        step = f"{self._of.span(c.JENKINS_TYPE)} = '{c.TYPE_STEP}' AND empty(Links.SpanId) AND {_NO_ERROR}"
        return f"(NOT ({inside} OR {step}) OR {self._of.span(c.TASK_TYPE)} = '{c.DEPLOY}')"

    def no_fine_host(self) -> str:
        """Return whether a span is more than a host on which an Ansible task did not fail."""
        host, result = self._of.span(c.ANSIBLE_TYPE), self._of.span(c.ANSIBLE_RESULT)
        return f"NOT ({host} = '{c.TYPE_HOST}' AND {_NO_ERROR} AND {result} NOT IN {listed(FAILED_HOST)})"

    def of_build(self, names: str) -> str:
        """Return whether a span is of one of some builds. ``names``: SQL for a list of JOB#N."""
        own = f"concat({self._text(c.PIPELINE_NAME)}, '#', {self._text(c.PIPELINE_RUN_ID)})"
        return f"{own} IN {names}"

    def wanted(self, wanted: Wanted, bound: Bound) -> str:
        """Return whether a span has a wanted trait."""
        found = self.trait(wanted.trait)
        if not wanted.value:
            return f"{found} != ''"
        value = bound.text(wanted.value)
        return f"startsWith({found}, {value})" if wanted.begins else f"{found} = {value}"

    def _text(self, name: str) -> str:
        """Return an attribute of a span, else of its resource."""
        return self._first([self._of.span(name), self._of.resource(name)])

    def _told(self, attribute: str) -> str:
        """Return an attribute of a span, of its resource, else a parameter of its build that says the same."""
        return self._first([self._of.span(attribute), self._of.resource(attribute), *self._given(attribute)])

    def _revision(self) -> str:
        given = f"extract(lower({self._first(self._given(c.VCS_HEAD_REVISION))}), '^{REVISION.pattern}$')"
        return self._first([given, f"lower({self._text(c.VCS_HEAD_REVISION)})"])

    def _given(self, attribute: str) -> list[str]:
        return [self._of.span(name) for name in _parameters(attribute)]

    def _first(self, values: Sequence[str]) -> str:
        """Return the first of some texts that is not ''."""
        *others, last = values
        given = ", ".join(f"nullIf({value}, '')" for value in others)
        return f"coalesce({given}, {last})" if others else last


_NO_ERROR = f"StatusCode != '{ERROR.capitalize()}'"


def _path(column: str, name: str) -> str:
    """Return an attribute in a column of the type JSON."""
    return ".".join([column, *(f"`{part}`" for part in name.split("."))])


def _parameters(attribute: str) -> list[str]:
    return [c.JENKINS_PARAMETER_PREFIX + name for name in PARAMETERS[attribute]]


def one_name(value: str) -> str:
    """Return SQL for the one name of an environment, as words.environment_name does."""
    # RE2's groups that are not captured are written alike; its replacement is \\1, too.
    plain = f"replaceRegexpAll(lower(trimBoth({value})), {quoted(NEARLY_PRODUCTION)}, {quoted(chr(92) + '1prod')})"
    return f"transform({plain}, {array(ONE_NAME)}, {array(ONE_NAME.values())})"


def quoted(text: str) -> str:
    """Return a text of ours as a literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def listed(texts: Iterable[str]) -> str:
    """Return texts of ours as the right side of IN."""
    return f"({', '.join(quoted(text) for text in sorted(texts))})"


def array(texts: Iterable[str]) -> str:
    """Return texts of ours as an array, in their order."""
    return f"[{', '.join(quoted(text) for text in texts)}]"
