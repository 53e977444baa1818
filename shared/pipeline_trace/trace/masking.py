"""Masks all texts of a span at once, where it is handed to a journal, and the attributes that an environment gives.

Ids stay as they are: they come from the names of builds before these are masked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from .span import AttributeValue, Span

# Shorter words of letters and digits, and shorter names of small letters, are no secrets that `redact` finds.
_HARMLESS = 10
_HARMLESS_NAME = 16
# The file of secrets that the user names.
SECRETS = "PIPELINE_TRACE_SECRETS"


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
    letters = text.replace("-", "")
    short = len(text) <= _HARMLESS and letters.isalnum()
    if (short or (len(text) <= _HARMLESS_NAME and letters.isalpha() and text.islower())) and not _has_own():
        return text
    from . import redact

    return redact.masked(text)


def secrets_file(environ: Mapping[str, str]) -> str:
    """Return the path of the file of secrets that the user names, empty if there is none."""
    home = environ.get("PIPELINE_TRACE_HOME", "")
    path = os.path.join(home, "secrets") if home else ""
    return environ.get(SECRETS, "") or (path if path and os.path.lexists(path) else "")


@cache
def _has_own() -> bool:
    return bool(secrets_file(os.environ))


def _masked_value(value: AttributeValue) -> AttributeValue:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, (list, tuple)):
        return [masked(each) if isinstance(each, str) else each for each in value]
    return value
