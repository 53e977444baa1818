"""Values and attributes in SQL. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

# Who has attributes: columns of the exporter's tables.
SPAN, RESOURCE, LOG = "SpanAttributes", "ResourceAttributes", "LogAttributes"


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
        self._as_json = as_json

    def span(self, name: str) -> str:
        """Return the value of a span's attribute as text, '' for none."""
        return self.value(SPAN, name)

    def resource(self, name: str) -> str:
        """Return the value of a resource's attribute as text, '' for none."""
        return self.value(RESOURCE, name)

    def value(self, holder: str, name: str) -> str:
        """Return the value of an attribute as text, '' for none. ``holder``: SPAN or RESOURCE."""
        if self._as_json:
            return f"ifNull(CAST({_path(holder, name)}, 'Nullable(String)'), '')"
        return f"{holder}[{quoted(name)}]"

    def listing(self, name: str) -> str:
        """Return a span's attribute that is a list, as JSON."""
        return f"ifNull(toJSONString({_path(SPAN, name)}), '')" if self._as_json else self.span(name)

    def has(self, name: str, holder: str = SPAN) -> str:
        """Return whether a holder has an attribute."""
        return f"isNotNull({_path(holder, name)})" if self._as_json else f"mapContains({holder}, {quoted(name)})"

    def values(self, holder: str) -> str:
        """Return the values of all attributes of a holder as an array of texts, "" where there is no such array."""
        return "" if self._as_json else f"mapValues({holder})"

    def whole(self, column: str) -> str:
        """Return how a column of attributes is read, or an array of such columns."""
        if not self._as_json:
            return column
        return f"arrayMap(one -> toJSONString(one), {column})" if "." in column else f"toJSONString({column})"


def first(values: Sequence[str]) -> str:
    """Return the first of some texts that is not ''."""
    *others, last = values
    given = ", ".join(f"nullIf({value}, '')" for value in others)
    return f"coalesce({given}, {last})" if others else last


def _path(column: str, name: str) -> str:
    """Return an attribute in a column of the type JSON."""
    return ".".join([column, *(f"`{part}`" for part in name.split("."))])


def quoted(text: str) -> str:
    """Return a text of ours as a literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def listed(texts: Iterable[str]) -> str:
    """Return texts of ours as the right side of IN."""
    return f"({', '.join(quoted(text) for text in sorted(texts))})"


def array(texts: Iterable[str]) -> str:
    """Return texts of ours as an array, in their order."""
    return f"[{', '.join(quoted(text) for text in texts)}]"
