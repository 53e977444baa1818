"""Reads the bodies of answers within limits: bytes on the wire, bytes unpacked, values of JSON. Does no I/O."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

# What the controller may pack answers with.
ENCODING = "gzip"
# Lists, objects and what is in them. JSON of a few bytes becomes values of many.
_MOST_VALUES = 4_000_000
_PIECE = 1 << 20
_PACKED = {"gzip", "x-gzip", "deflate"}
# zlib's word for "gzip or zlib, by its first bytes".
_EITHER = 47


class TooLarge(Exception):
    """A body is larger than its limit."""


class Broken(Exception):
    """A body cannot be unpacked, or is no JSON."""


def whole(pieces: Iterable[bytes], encoding: str, most: int) -> bytes:
    """Return a body, unpacked. ``encoding``: its Content-Encoding. ``most``: its most bytes, packed and unpacked.

    Raises TooLarge and Broken.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _joined(pieces, most)
    if encoding not in _PACKED:
        raise Broken(f"it is packed as {encoding[:40]!r}")
    return _joined(_unpacked(_limited(pieces, most)), most)


def beginning(pieces: Iterable[bytes], encoding: str, most: int) -> bytes:
    """Return the first ``most`` bytes of a body, unpacked. Raises Broken."""
    packed = encoding.strip().lower() in _PACKED
    found = b""
    for piece in _unpacked(pieces) if packed else pieces:
        found += piece
        if len(found) >= most:
            break
    return found[:most]


def parsed(body: bytes) -> Any:
    """Return the JSON of a body. Raises TooLarge if it has too many values, and Broken if it is no JSON.

    Half a surrogate pair in a text becomes U+FFFD.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > _MOST_VALUES:
        raise TooLarge
    try:
        return json.loads(_whole_letters(body))
    except (ValueError, RecursionError) as error:
        raise Broken(str(error)) from None


def _whole_letters(body: bytes) -> bytes | str:
    """Return JSON whose texts have no halves of surrogate pairs, which no file and no receiver takes."""
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    text = json.dumps(json.loads(body), ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _limited(pieces: Iterable[bytes], most: int) -> Iterable[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise TooLarge
        yield piece


def _joined(pieces: Iterable[bytes], most: int) -> bytes:
    return b"".join(_limited(pieces, most))


def _unpacked(pieces: Iterable[bytes]) -> Iterable[bytes]:
    unpacking = zlib.decompressobj(_EITHER)
    for piece in pieces:
        left = piece
        while left:
            try:
                yield unpacking.decompress(left, _PIECE)
            except zlib.error as error:
                raise Broken(f"it cannot be unpacked: {error}") from None
            left = unpacking.unconsumed_tail
    if not unpacking.eof:
        raise Broken("its end is missing")
