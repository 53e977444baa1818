"""Decides what the answer to an OTLP request means: delivered, or why not and what to do.

A 2xx alone is no delivery: login pages, proxies and web front ends answer 200 as well. docs/decisions/0014 says what is
taken for OTLP's answer, and why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from ...trace import redact
from . import Accepted, DeliveryError

# Bytes of an answer that are read. OTLP's answers are short.
MOST_BODY = 16 << 10
_SHOWN = 60
# Of a text for people. A page has its menu first.
_MOST_SHOWN = 300
_PROTOBUF = ("application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf")
_JSON = "application/json"
# The names of OTLP's JSON response for all signals.
_PARTIAL = ("partialSuccess", "partial_success")
_REJECTED = tuple(
    name
    for camel, snake in (("Spans", "spans"), ("DataPoints", "data_points"), ("LogRecords", "log_records"))
    for name in (f"rejected{camel}", f"rejected_{snake}")
)
_MESSAGE = ("errorMessage", "error_message")
# 429 and 50x are retryable in OTLP. 408 is a proxy's time-out.
_PASSING = (408, 429, 502, 503, 504)
_PASSING_CODES = ("CANCELLED", "ABORTED", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED")
_UNFIT = (400, 422)
# Beside the statuses below 500: nobody takes that here. The same over gRPC.
_NOT_IMPLEMENTED = 501
_UNWANTED_CODES = ("UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "NOT_FOUND")
# A span may be cut for these words, so they must not fit a limit of a rate.
_TOO_LARGE = re.compile(
    r"larger than max|(?:message|body|payload|request)\b.{0,40}\b(?:too large|exceeds\b.{0,40}\b(?:size|length))",
    re.IGNORECASE,
)
# gRPC core's words for a connection that could not be made. Its code is UNAVAILABLE, as for a receiver that is busy.
_NO_CONNECTION = re.compile(
    r"failed to connect|connect(?:ion)? (?:failed|refused)|name resolution|dns|handshak|certificate|\bssl|\btls"
    r"|unreachable|no route|empty address list|proxy",
    re.IGNORECASE,
)
_LONGEST_WAIT = 86_400.0
# What to do about an answer, by its status.
_ITSELF = "set OTEL_EXPORTER_OTLP_ENDPOINT to the receiver itself, and OTEL_EXPORTER_OTLP_HEADERS if it needs a login"
_LOGIN = "check the login in OTEL_EXPORTER_OTLP_HEADERS"
_PATH = (
    "check the path {path}: OTEL_EXPORTER_OTLP_ENDPOINT is only what comes before /v1/, "
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is all of it"
)
_REMEDIES = {401: _LOGIN, 403: _LOGIN, 404: _PATH, 405: _PATH}
_GRPC_REMEDIES = {"UNAUTHENTICATED": _LOGIN, "PERMISSION_DENIED": _LOGIN, "UNIMPLEMENTED": _ITSELF}


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP answer. ``body``: at most MOST_BODY bytes; ``whole``: whether that is all of it.

    ``location``: of a redirect. ``path``: of the request. ``message``: of OTLP's answer to a failure (google.rpc.Status).
    """

    status: int
    reason: str
    content_type: str
    body: bytes
    retry_after: str = ""
    location: str = ""
    whole: bool = True
    path: str = ""
    message: str = ""


# Parses a protobuf response. Returns the rejected items and the message. Raises ValueError for any other bytes.
# With ``strict``, unknown fields are an error too.
Parse = Callable[[bytes, bool], tuple[int, str]]


def http(answer: HttpAnswer, parse: Parse, now: float) -> Accepted | DeliveryError:
    """Return what an HTTP answer means. ``now``: seconds since the epoch, for a Retry-After that is a date."""
    if 200 <= answer.status < 300:
        return _success(answer, parse)
    detail = _detail(answer)
    # Each part is masked alone: a secret at the end of one would hide the next.
    said = redact.masked(f"{answer.status} {answer.reason}".strip()) + detail
    remedy = _ITSELF if answer.status < 400 else _REMEDIES.get(answer.status, "")
    if "OTEL_EXPORTER_OTLP_" in detail:
        # The receiver knows better what to set.
        remedy = ""
    said += redact.masked(f"; {remedy}".format(path=answer.path)) if remedy else ""
    # A gateway may pass on what the receiver behind it says.
    said_so = answer.status in (400, 500, 502) and _TOO_LARGE.search(_text(answer.body)) is not None
    return DeliveryError(
        said,
        unfit=answer.status in _UNFIT,
        too_large=answer.status == 413 or said_so,
        unwanted=answer.status not in _PASSING and (answer.status < 500 or answer.status == _NOT_IMPLEMENTED),
        passing=answer.status in _PASSING,
        wait=retry_after(answer.retry_after, now),
    )


def grpc(code: str, details: str, wait: float | None = None) -> DeliveryError:
    """Return what a failed call over gRPC means. ``code``: the name of its status. ``wait``: RetryInfo's seconds."""
    first = _first_words(details.encode("utf-8", "replace"), 160)
    refused = code == "UNAVAILABLE" and _NO_CONNECTION.search(details) is not None
    remedy = _GRPC_REMEDIES.get(code, "")
    return DeliveryError(
        redact.masked((f"{code}: {first}" if first else code) + (f"; {remedy}" if remedy else "")),
        refused=refused,
        unfit=code == "INVALID_ARGUMENT",
        too_large=code == "OUT_OF_RANGE" or (code == "RESOURCE_EXHAUSTED" and _TOO_LARGE.search(details) is not None),
        unwanted=code in _UNWANTED_CODES,
        passing=code in _PASSING_CODES and not refused,
        wait=None if wait is None else _bounded(wait),
    )


def retry_after(text: str, now: float) -> float | None:
    """Return the seconds of a Retry-After header, at most a day; None if it is missing or not valid (RFC 9110, 10.2.3)."""
    text = text.strip()
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", text):
        return _bounded(float(text))
    try:
        return _bounded(parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None


def _bounded(wait: float) -> float:
    return min(max(wait, 0.0), _LONGEST_WAIT)


def _success(answer: HttpAnswer, parse: Parse) -> Accepted | DeliveryError:
    if answer.whole and not answer.body.strip():
        return Accepted()
    try:
        if answer.whole:
            return Accepted(*_parsed(answer, parse))
    except (ValueError, RecursionError):
        pass
    kind = answer.content_type.partition(";")[0].strip() or "no content type"
    first = _first_words(answer.body, _SHOWN)
    said = f'answered {answer.status} with {kind} ("{first}"), which is not the answer of an OTLP receiver; {_ITSELF}'
    return DeliveryError(redact.masked(said), foreign=True, unwanted=True)


def _parsed(answer: HttpAnswer, parse: Parse) -> tuple[int, str]:
    """Return the rejected items and the message of OTLP's answer. Raises ValueError if it is not one."""
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind in _PROTOBUF:
        return parse(answer.body, False)
    if kind == _JSON:
        return _from_json(answer.body)
    if kind:
        raise ValueError("not a content type of OTLP")
    # Some small receivers name no content type. Then the body alone must prove what it is.
    return _from_json(answer.body) if answer.body.lstrip()[:1] == b"{" else parse(answer.body, True)


def _from_json(body: bytes) -> tuple[int, str]:
    """Return the rejected items and the message. Other names than OTLP's are an error: many services answer with JSON."""
    data = json.loads(body)
    if not isinstance(data, dict) or not set(data) <= set(_PARTIAL):
        raise ValueError("not OTLP's response")
    partial: Any = next((data[name] for name in _PARTIAL if data.get(name)), {})
    if not isinstance(partial, dict) or not set(partial) <= {*_REJECTED, *_MESSAGE}:
        raise ValueError("not OTLP's response")
    rejected: Any = next((partial[name] for name in _REJECTED if name in partial), 0)
    # In protobuf's JSON form, a 64-bit number is a string.
    if not isinstance(rejected, (int, str)):
        raise ValueError("not OTLP's response")
    return int(rejected), str(next((partial[name] for name in _MESSAGE if name in partial), ""))


def _detail(answer: HttpAnswer) -> str:
    """Return the place of a redirect, what OTLP's answer says, or the first words of a text, for a message."""
    if answer.location:
        return f", to {_first_words(answer.location.encode('utf-8', 'replace'), 200)}"
    kind = answer.content_type.partition(";")[0].strip().lower()
    if answer.message:
        first = _first_words(answer.message.encode("utf-8", "replace"), _MOST_SHOWN)
    elif kind == "text/plain":
        first = _first_words(answer.body, _MOST_SHOWN)
    else:
        first = _first_words(answer.body, _SHOWN) if kind.startswith("text/") or kind == _JSON else ""
    return f' ("{first}")' if first else ""


def _first_words(data: bytes, most: int) -> str:
    """Return the begin of a text in one line, without characters that cannot be printed."""
    # Masked before the cut, so that half a secret at its end never shows.
    words = redact.masked(_text(data[: 4 * most + 200]))
    return "".join(char if char.isprintable() and char != "\ufffd" else "." for char in " ".join(words.split()))[:most]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
