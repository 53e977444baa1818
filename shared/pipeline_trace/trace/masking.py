"""Masks all texts of a span at once, where it is handed to a journal, and the attributes that an environment gives.

Ids stay as they are: they come from the names of builds before these are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .span import AttributeValue, Span

# Shorter words of letters and digits are no secret that `redact` finds.
_HARMLESS = 10


def mask(span: Span) -> None:
    """Mask the span's name, message, attributes, events, links and resource."""
    span.name = masked(span.name)
    span.status_message = masked(span.status_message)
    span.attributes = attributes(span.attributes)
    span.events = [replace(event, name=masked(event.name), attributes=attributes(event.attributes)) for event in span.events]
    span.links = [replace(link, attributes=attributes(link.attributes)) for link in span.links]
    span.resource = attributes(span.resource)


def attributes(values: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Return attributes with masked texts."""
    return {name: _masked_value(value) for name, value in values.items()}


def named(name: str, value: str) -> tuple[str, str]:
    """Return an attribute that a user names, masked: all of its value if the name says that it is a secret."""
    from . import redact

    return redact.masked(name), redact.MASK if value and redact.is_secret_name(name) else redact.masked(value)


def masked(text: str) -> str:
    """Return a text, masked. Does not load the patterns for words that cannot be secrets: a command must start at once."""
    if len(text) <= _HARMLESS and text.replace("-", "").isalnum():
        return text
    from . import redact

    return redact.masked(text)


def _masked_value(value: AttributeValue) -> AttributeValue:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, (list, tuple)):
        return [masked(each) if isinstance(each, str) else each for each in value]
    return value
