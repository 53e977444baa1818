"""Finds the spans that a receiver never accepts among those that it accepts, makes them smaller, or keeps them in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..trace.span import Span, encode
from . import sizes
from .destinations import Accepted, DeliveryError, Destination


def deliver_cut(destination: Destination, span: Span, timeout: float) -> Accepted | None:
    """Deliver a span that is too large without a part of it, as large as possible. Return None if no size is accepted.

    Raises DeliveryError for other reasons than its size.
    """
    size = sizes.of_span(span)
    most = sizes.MOST if size > sizes.MOST else size // 2
    while most >= sizes.LEAST:
        smaller = sizes.cut_span(span, most)
        if smaller is None:
            return None
        try:
            return destination.deliver([smaller], timeout)
        except DeliveryError as error:
            if not error.too_large:
                raise
        most //= 2
    return None


def keep(journal: Path, spans: Sequence[Span]) -> str:
    """Append spans that the receiver will never accept to a ``.refused`` file. Return a message that names it.

    Raises DeliveryError if that is not possible: then they stay in the journal.
    """
    path = journal.with_suffix(".refused")
    try:
        with open(path, "a", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.writelines(encode(span.to_dict()) + "\n" for span in spans)
    except OSError as error:
        text = f"spans that the receiver rejects cannot be kept in {path} ({error.strerror}); free some space there"
        raise DeliveryError(text) from None
    return f"kept in {path}"


def sift(destination: Destination, spans: Sequence[Span], timeout: float, whole: DeliveryError) -> list[Span]:
    """Deliver all spans of a batch except those that the receiver refuses as invalid. Return the refused spans.

    ``whole``: the error for the whole batch. This raises it if the receiver refuses the first, the middle and the last span,
    because then the cause is not a single span. Raises DeliveryError.
    """
    probes = sorted({0, len(spans) // 2, len(spans) - 1})
    refused = [spans[i] for i in probes if not takes(destination, [spans[i]], timeout)]
    if len(refused) == len(probes):
        raise whole
    todo = [[span for i, span in enumerate(spans) if i not in probes]]
    while todo:
        some = todo.pop()
        if not some or takes(destination, some, timeout):
            continue
        if len(some) == 1:
            refused += some
        else:
            todo += [some[: len(some) // 2], some[len(some) // 2 :]]
    return refused


def takes(destination: Destination, spans: Sequence[Span], timeout: float) -> bool:
    """Return whether the receiver accepts a batch. Raises DeliveryError if the reason is not in its spans."""
    try:
        destination.deliver(spans, timeout)
    except DeliveryError as error:
        if not (error.unfit or error.too_large):
            raise
        return False
    return True
