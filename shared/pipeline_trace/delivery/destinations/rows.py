"""Turns spans into rows of the store, and back. Does no I/O."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from ...trace.others import readable, understood
from ...trace.span import INTERNAL, UNSET, Span, SpanError, encode
from ...trace.traits import Traits, traits_of
from .tables import BODY_START

# The columns of which a span is made.
COLUMNS = "spans.trace_id, spans.span_id, spans.parent_id, spans.end_ns, spans.body"
Row = tuple[str, str, str | None, int, str | bytes]
# Characters. A row of SQLite's table has no room for more than about 1,000 bytes in its page.
_LONGEST = 900
_ELSEWHERE = ("trace_id", "span_id", "parent_span_id", "end_unix_nano", "resource")
_USUAL: Mapping[str, Any] = {
    "kind": INTERNAL,
    "status": {"code": UNSET, "message": ""},
    "events": [],
    "links": [],
}
# Returns a resource, by trace id and the resource's id.
FindResource = Callable[[str, int], Mapping[str, Any]]


class Rows(NamedTuple):
    """What is written of a span: a row for each of the tables spans, traits and resources."""

    span: tuple[object, ...]
    traits: tuple[object, ...]
    resource: tuple[str, int, str]


def rows_of(span: Span) -> Rows:
    """Return the rows of a span: as it was sent, with the traits of what is understood of it."""
    resource = encode(span.resource)
    resource_id = _id_of(resource)
    traits = traits_of(understood(span))
    run = (_text(traits.pipeline), _text(traits.run))
    return Rows(
        (span.trace_id, span.span_id, span.parent_id, span.end_ns, *run, _body_of(span, resource_id)),
        traits_row(span, traits),
        (span.trace_id, resource_id, resource),
    )


def _body_of(span: Span, resource_id: int) -> str | bytes:
    """Return a span's JSON form without what stands in other columns, in `resources`, or in most spans.

    A long one is compressed: SQLite gives what does not fit beside others pages of its own, which it hardly fills.
    """
    document = span.to_dict()
    for name in _ELSEWHERE:
        del document[name]
    for name, usual in _USUAL.items():
        if document[name] == usual:
            del document[name]
    body = f"{BODY_START}{resource_id},{encode(document)[1:]}"
    return body if len(body) <= _LONGEST else zlib.compress(body.encode())


def traits_row(span: Span, traits: Traits) -> tuple[object, ...]:
    """Return the row of the table traits for a span."""
    kind, level, *texts = traits
    return (span.trace_id, span.span_id, span.start_ns, span.end_ns, _text(kind), level, *map(_text, texts))


def spans_of(rows: Iterable[Row], find_resource: FindResource) -> Iterator[Span]:
    """Yield the spans of rows, as what reads them has them. See others.readable and sent_spans."""
    return map(readable, sent_spans(rows, find_resource))


def sent_spans(rows: Iterable[Row], find_resource: FindResource) -> Iterator[Span]:
    """Yield the spans of rows as they were sent. One that cannot be read is left out, and stops no other."""
    for trace_id, span_id, parent_id, end_ns, body in rows:
        try:
            text = _text_of(body)
            document = json.loads(text)
            if text.startswith(BODY_START):
                document["trace_id"], document["span_id"], document["parent_span_id"] = trace_id, span_id, parent_id
                document["end_unix_nano"] = end_ns
                document["resource"] = find_resource(trace_id, document["resource_id"])
                document = {**_USUAL, **document}
            yield Span.from_dict(document)
        except (ValueError, KeyError, TypeError, SpanError, zlib.error):
            continue


def attributes_of(body: str | bytes, *names: str) -> Mapping[str, Any]:
    """Return the attributes of a span from its body, as they were sent; empty if it cannot be read.

    ``names``: if none of these names is in the body, the result is empty. So most bodies are not parsed.
    """
    try:
        text = _text_of(body)
        if names and not any(name in text for name in names):
            return {}
        found = json.loads(text)["attributes"]
        return found if isinstance(found, dict) else {}
    except (ValueError, KeyError, TypeError, zlib.error):
        return {}


def _text_of(body: str | bytes) -> str:
    return body if isinstance(body, str) else zlib.decompress(body).decode()


def _id_of(resource: str) -> int:
    """Return the id of a resource: equal ones have the same, so that no writer has to look for it."""
    return int.from_bytes(blake2b(resource.encode(), digest_size=8).digest(), "big", signed=True)


def whole(text: str) -> str:
    """Return a text that SQLite and ClickHouse take: half a character, of a name that is not UTF-8, is a question mark."""
    return text.encode("utf-8", "replace").decode()


def _text(value: str) -> str | None:
    return whole(value) if value else None
