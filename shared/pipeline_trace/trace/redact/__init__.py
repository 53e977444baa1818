"""Masks secrets in every text that leaves the process: names, messages, item labels, commands, addresses.

It finds secrets by the names before them (``names``, ``assignments``, ``values``), in addresses (``urls``), in command lines
(``programs``, ``commands``, ``pipes``), by their own form (``tokens``), in documents, tables and statements (``manifests``,
``tables``, ``sql``), in what programs print (``logs``), and those that the user names (``own``). In doubt, it masks.
docs/security.md says what is found, and what is not.

Each search finds parts to mask (``search``); all parts are masked at the end, so no search sees what another one did. It
takes time in proportion to the text.
"""

from __future__ import annotations

from functools import lru_cache

from . import search
from .pattern import Pattern, Spans

__all__ = ["MASK", "clip", "is_secret_name", "masked", "masked_end", "masked_start"]

MASK = "***"
# Characters around the part of a long text that is kept: a secret that the cut goes through must be known as one.
_MARGIN = 2000
# Shorter texts are names, more often than not, and come again: of the last ones the result is remembered.
_SHORT = 256
_REMEMBERED = 1024
_INVISIBLE = Pattern("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")


def masked(value: str) -> str:
    """Return the text with ``***`` in place of everything that looks like a secret. Masking twice changes nothing more."""
    return _remembered(value) if len(value) <= _SHORT else _masked(value, 0, len(value))


def masked_start(value: str, limit: int) -> str:
    """Return the first ``limit`` characters of a text, masked. If it is longer, add how many characters are left out.

    The cost does not grow with the text: only this part and a margin behind it are searched.
    """
    if len(value) <= limit:
        return masked(value)
    return f"{_masked(value[: limit + _MARGIN], 0, limit)[:limit]}… ({len(value) - limit} more characters)"


def masked_end(value: str, limit: int) -> str:
    """Return the last ``limit`` characters of a text, masked. As with ``masked_start``, the cost does not grow with it."""
    begin = len(value) - limit
    if begin <= 0:
        return masked(value)
    start = max(begin - _MARGIN, 0)
    from . import cut

    hidden = cut.end_of_secret(value, start, begin, masked) if start else 0
    if hidden:
        return (MASK + _masked(value[hidden:], 0, len(value) - hidden))[-limit:]
    return _masked(value[start:], begin - start, len(value) - start)[-limit:]


def clip(value: str, limit: int) -> str:
    """Return the first ``limit`` characters of a text. If it is longer, add how many characters are left out."""
    if len(value) <= limit:
        return value
    return f"{value[:limit]}… ({len(value) - limit} more characters)"


def is_secret_name(name: str) -> bool:
    """Return whether the name of a parameter or variable says that its value is a secret."""
    from . import names

    # The user may name more of them.
    search.own_secrets()
    return names.is_secret_name(name)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(value: str) -> str:
    """Mask a short text, once for all times that it comes."""
    return _masked(value, 0, len(value))


def _masked(value: str, begin: int, end: int) -> str:
    """Return the part of the text from ``begin`` to ``end``, masked. What is around it is searched as well."""
    spans = search.find(value)
    if not spans and not value.isascii() and _INVISIBLE.regex.search(value):
        # A name with an invisible letter in it is still that name.
        bare = _INVISIBLE.regex.sub("", value)
        if hidden := search.find(bare):
            return _joined(bare, hidden, 0, len(bare))[begin:end]
    return _joined(value, spans, begin, end) if spans else value[begin:end]


def _joined(value: str, spans: Spans, begin: int, end: int) -> str:
    """Return the part of the text with ``***`` in place of the spans; those that touch are one."""
    parts, at = [], begin
    for start, stop in _merged(spans):
        if stop > begin and start < end:
            parts += [value[at : max(start, begin)], MASK]
            at = stop
    return "".join([*parts, value[at:end]])


def _merged(spans: Spans) -> Spans:
    """Return the spans in their order, those that touch or overlap as one."""
    merged: Spans = []
    for start, stop in sorted(spans):
        if stop <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
