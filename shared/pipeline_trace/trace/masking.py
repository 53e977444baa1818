"""Masks all texts of a span at once, where it is handed to a journal, and the attributes that an environment gives.

Ids stay as they are: they come from the names of builds before these are masked. Spans of other tools are stored as they
were sent; ``by_names`` hides the values of secrets in them where they are read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from . import conventions as c
from .span import AttributeValue, Event, Link, Span

# Shorter words of letters and digits, and shorter names of small letters, are no secrets that `redact` finds.
_HARMLESS = 10
_HARMLESS_NAME = 16
# Names of the conventions that sound like secrets and are none; the last one is how much a model read and wrote.
_NO_SECRETS = frozenset({"aws.s3.key", "aws.secretsmanager.secret.arn", "feature_flag.key"})
_NO_SECRETS_PREFIX = "gen_ai.usage."
# Of what stands before it: `messaging.kafka.message.key`.
_KEYS = frozenset({"key", "keys"})
# How many sets of names are kept, and how many characters a set has at most: whoever sends spans fills no memory.
_MOST_KNOWN = 1024
_LONGEST_KNOWN = 4000
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


def by_names(span: Span) -> Span:
    """Return a span without the values of attributes whose name says that they are secrets; the span itself if it has none.

    Must be fast: it runs for every span that is read.
    """
    inner: list[Event | Link] = [*span.events, *span.links]
    if not (_masks(span.attributes) or _masks(span.resource) or any(_masks(one.attributes) for one in inner)):
        return span
    return replace(
        span,
        attributes=_without_secrets(span.attributes),
        resource=_without_secrets(span.resource),
        events=[replace(event, attributes=_without_secrets(event.attributes)) for event in span.events],
        links=[replace(link, attributes=_without_secrets(link.attributes)) for link in span.links],
    )


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


def _without_secrets(values: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Return attributes with masks as the values of secrets."""
    return {**values, **_masks(values)}


def _masks(values: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Return what stands for the values of secrets; nothing if there are none."""
    secret = _secrets_of(tuple(values))
    if not secret:
        return {}
    hidden = {name: _hidden(values[name]) for name in secret if values[name] not in ("", None)}
    # The plugin's list is hidden by the places in it.
    return {**hidden, **_listed(values)}


def _listed(values: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Return the parameters' values that Jenkins' plugin lists. Where they have no name each, all of them are masked."""
    names, given = values.get(c.PLUGIN_PARAMETER_NAMES), values.get(c.PLUGIN_PARAMETER_VALUES)
    if given is None:
        return {}
    if not (isinstance(names, (list, tuple)) and isinstance(given, (list, tuple)) and len(names) == len(given)):
        return {c.PLUGIN_PARAMETER_VALUES: _hidden(given)}
    hidden = (_hidden(str(one)) if _says_secret(str(name)) else str(one) for name, one in zip(names, given, strict=True))
    return {c.PLUGIN_PARAMETER_VALUES: list(map(str, hidden))}


def _hidden(value: AttributeValue) -> AttributeValue:
    from . import redact

    return [redact.MASK] * len(value) if isinstance(value, (list, tuple)) else redact.MASK


def _secrets_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the names whose values may be secrets. Most spans have the same names: what they gave is kept."""
    found = _known.get(names)
    if found is None:
        found = tuple(name for name in names if name == c.PLUGIN_PARAMETER_VALUES or _says_secret(name))
        if len(_known) < _MOST_KNOWN and sum(map(len, names)) < _LONGEST_KNOWN:
            _known[names] = found
    return found


_known: dict[tuple[str, ...], tuple[str, ...]] = {}


def _says_secret(name: str) -> bool:
    """Return whether the name of an attribute, without or with what stands before it, is that of a secret."""
    from . import redact

    if name in _NO_SECRETS or name.startswith(_NO_SECRETS_PREFIX):
        return False
    own = name.removeprefix(c.JENKINS_PARAMETER_PREFIX)
    last = own.rpartition(".")[2]
    return redact.is_secret_name(own) or (last.lower() not in _KEYS and redact.is_secret_name(last))
