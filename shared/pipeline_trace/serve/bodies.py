"""Reads and writes the bodies of OTLP over HTTP. Does no I/O."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
# For zlib: a window of 15 bits; 32 means that the header decides between gzip and zlib.
_ANY_HEADER = 15 + 32
_IDS = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")


class BodyError(Exception):
    """A body is not an OTLP request. ``too_large``: it is larger than the limit, after decompression."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a decompressed body. ``encoding``: its Content-Encoding. ``limit``: in bytes. Raises BodyError."""
    if encoding in ("", "identity", "none"):
        return body
    unpacked = bytearray()
    rest = body
    try:
        # A gzip body can have several members, one after another.
        while rest:
            unpacker = zlib.decompressobj(_ANY_HEADER)
            unpacked += unpacker.decompress(rest, limit + 1 - len(unpacked))
            if len(unpacked) > limit:
                raise BodyError(f"the decompressed body is larger than {limit} bytes; send smaller batches", too_large=True)
            if not unpacker.eof:
                raise BodyError(f"the {encoding} body is incomplete")
            rest = unpacker.unused_data
    except zlib.error as error:
        raise BodyError(f"the body is not valid {encoding}: {error}") from None
    return bytes(unpacked)


def parse(body: bytes, content_type: str) -> ExportTraceServiceRequest:
    """Return the ExportTraceServiceRequest in a body: protobuf, or OTLP's JSON. Raises BodyError."""
    if content_type == JSON:
        return _from_json(body)
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise BodyError("the body is not a valid ExportTraceServiceRequest in protobuf") from None
    return request


def answer(content_type: str, *, rejected: int = 0, reason: str = "") -> bytes:
    """Return the body of a success; of a partial success if spans were rejected. ``reason``: why the first one was."""
    response = ExportTraceServiceResponse()
    if rejected:
        response.partial_success.CopyFrom(ExportTracePartialSuccess(rejected_spans=rejected, error_message=reason))
    return _encoded(response, content_type)


def refusal(content_type: str, code: int, message: str) -> bytes:
    """Return the body of a failure: google.rpc.Status, as the OTLP specification requires. ``code``: a gRPC status code."""
    return _encoded(Status(code=code, message=message), content_type)


def _encoded(message: Message, content_type: str) -> bytes:
    if content_type == JSON:
        return json_format.MessageToJson(message, indent=None).encode()
    return message.SerializeToString()


def _from_json(body: bytes) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    try:
        data = json.loads(body)
        if not isinstance(data, dict):
            raise BodyError("the body is not a JSON object")
        if b"\\ud" in body.lower():
            # JavaScript can cut a text in the middle of a character. Half a character is not valid UTF-8: replace it.
            data = json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
        _read_ids(data)
        # Accepts what tools send: snake_case names, enum names, and 64-bit integers as texts or numbers.
        json_format.ParseDict(data, request, ignore_unknown_fields=True)
    except (ValueError, TypeError, AttributeError, RecursionError, json_format.ParseError) as error:
        said = str(error).rsplit("field: ", 1)[-1].rstrip(".") or type(error).__name__
        raise BodyError(f"the body is not a valid ExportTraceServiceRequest in JSON: {said[:200]}") from None
    return request


def _read_ids(data: dict[str, Any]) -> None:
    """Turn OTLP's hexadecimal ids into base64, in place: the library expects base64 for bytes in JSON."""
    for of_resource in _list(data, "resourceSpans", "resource_spans"):
        for of_scope in _list(of_resource, "scopeSpans", "scope_spans"):
            for span in _list(of_scope, "spans"):
                for holder in (span, *_list(span, "links")):
                    for name in _IDS:
                        if isinstance(holder.get(name), str):
                            holder[name] = _base64(holder[name])


def _list(data: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    return [item for name in names for item in data.get(name) or () if isinstance(item, dict)]


def _base64(digits: str) -> str:
    """Return hexadecimal digits as base64; "", which is never an id, if they are not valid."""
    try:
        return b64encode(bytes.fromhex(digits)).decode("ascii")
    except ValueError:
        return ""
