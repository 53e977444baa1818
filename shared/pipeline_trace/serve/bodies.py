"""Reads and writes the bodies of OTLP over HTTP. Does no I/O."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from . import jsontext, wire
from .budget import BodyError, Budget
from .signals import TRACES, Signal

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
# For zlib: a window of 15 bits; 32 means that the header decides between gzip and zlib.
_ANY_HEADER = 15 + 32
_PIECE = 64 << 10


def unpack(body: bytes, encoding: str, budget: Budget) -> bytes:
    """Return a decompressed body. ``encoding``: gzip, deflate, or "" for none. Raises BodyError, StoppingError."""
    if not encoding:
        return body
    most, most_members = budget.limits.body_bytes, budget.limits.members
    unpacked = bytearray()
    members = at = 0
    try:
        # A gzip body can have several members, one after another.
        while at < len(body):
            members += 1
            if members > most_members:
                raise BodyError(f"the {encoding} body has more than {most_members} members; compress the whole body as one")
            unpacker = zlib.decompressobj(_ANY_HEADER)
            # In pieces: zlib copies what it did not need.
            while at < len(body) and not unpacker.eof:
                budget.proceed()
                piece = body[at : at + _PIECE]
                unpacked += unpacker.decompress(piece, most + 1 - len(unpacked))
                if len(unpacked) > most:
                    raise BodyError(
                        f"the decompressed body is larger than {most} bytes; send smaller batches", too_large=True
                    )
                at += len(piece) - len(unpacker.unused_data)
            if not unpacker.eof:
                raise BodyError(f"the {encoding} body is incomplete")
    except zlib.error as error:
        raise BodyError(f"the body is not valid {encoding}: {error}") from None
    return bytes(unpacked)


def parse(body: bytes, content_type: str, budget: Budget) -> Iterator[wire.Batch]:
    """Yield the batches of items in a body: protobuf, or OTLP's JSON. Raises BodyError, StoppingError."""
    return jsontext.batches(body, budget) if content_type == JSON else wire.batches(body, budget)


def answer(content_type: str, signal: Signal = TRACES, *, rejected: int = 0, reason: str = "") -> bytes:
    """Return the body of a success; of a partial success if items were rejected. ``reason``: why the first one was."""
    response = signal.response()
    if rejected:
        setattr(response.partial_success, signal.rejected, rejected)
        response.partial_success.error_message = reason
    return _encoded(response, content_type)


def refusal(content_type: str, code: int, message: str) -> bytes:
    """Return the body of a failure: google.rpc.Status, as the OTLP specification requires. ``code``: a gRPC status code."""
    return _encoded(Status(code=code, message=message), content_type)


def _encoded(message: Message, content_type: str) -> bytes:
    if content_type == JSON:
        return json_format.MessageToJson(message, indent=None).encode()
    return message.SerializeToString()
