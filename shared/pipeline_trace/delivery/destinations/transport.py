"""Watches what OpenTelemetry's exporters send and what they are answered.

The exporters take any status below 400 for a success, retry by themselves, and only log why they failed. So their requests
go through a session (HTTP) or a stub (gRPC) that decides. Without a success, it raises DeliveryError, which also stops the
exporter's own retries. docs/decisions/0014 says why the exporters are kept.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

from ...trace import network, redact
from . import TAKES_OPEN, Accepted, DeliveryError, answers, deadline, endpoint

# The exporters log each failure. We say it in our own words, once.
_LOGGER = logging.getLogger("opentelemetry.exporter")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False
# Bytes of a request. A connection that breaks during a larger one may be the answer to its size.
_LARGE = 1 << 20
# Seconds for an answer, if the exporter sets no limit.
_LONGEST_ANSWER = 60.0
_NO_HTTP = (
    "it does not speak HTTP; OTLP's port is usually 4318 for HTTP and 4317 for gRPC: check OTEL_EXPORTER_OTLP_ENDPOINT"
)


class Watch:
    """The result of an exporter's last request. ``seconds``: its time limit; None for the exporter's own.

    ``until``: when its answer must be whole, a time of the monotonic clock. ``takes_open``: whether the receiver of the last
    success says that it keeps open spans; None before the first success.
    """

    def __init__(self, response: Any) -> None:
        """``response``: the protobuf class of OTLP's response."""
        self._response = response
        self.seconds: float | None = None
        self.until = 0.0
        self.result: Accepted | DeliveryError | None = None
        self.takes_open: bool | None = None

    def decide(self, result: Accepted | DeliveryError) -> None:
        """Note the result. Raises it if it is a DeliveryError."""
        self.result = result
        if isinstance(result, DeliveryError):
            raise result

    def parse(self, body: bytes, strict: bool) -> tuple[int, str]:
        """Return the rejected items and the message of a protobuf response. Raises ValueError if it is not one.

        ``strict``: unknown fields are an error too.
        """
        from google.protobuf.message import DecodeError

        answer = self._response()
        try:
            answer.ParseFromString(body)
        except DecodeError:
            raise ValueError("not OTLP's response") from None
        size = answer.ByteSize()
        answer.DiscardUnknownFields()
        if strict and answer.ByteSize() != size:
            raise ValueError("fields that OTLP's response does not have")
        return partial(answer)


def partial(answer: Any) -> tuple[int, str]:
    """Return the rejected items and the message of OTLP's response."""
    said = answer.partial_success
    names = ("rejected_spans", "rejected_data_points", "rejected_log_records")
    return int(next(getattr(said, name) for name in names if hasattr(said, name))), str(said.error_message)


def make_session(certificates: str, watch: Watch) -> Any:
    """Return a requests session for an exporter. ``certificates``: a file of trusted certificates, or empty."""
    import requests

    class Session(requests.Session):
        """Sends one request, without redirects, and lets only OTLP's answers pass."""

        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
            if watch.seconds is not None:
                kwargs["timeout"] = watch.seconds
            size = len(kwargs.get("data") or b"")
            kwargs |= {"allow_redirects": False, "stream": True}
            try:
                watch.until = time.monotonic() + (kwargs.get("timeout") or _LONGEST_ANSWER)
                response = super().request(method, url, *args, **kwargs)
                answer = _read(response)
            except (requests.RequestException, OSError) as error:
                watch.decide(_broken(error, size))
            watch.decide(answers.http(answer, watch.parse, time.time()))
            watch.takes_open = TAKES_OPEN in response.headers
            return response

        def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
            settings = super().merge_environment_settings(*args, **kwargs)
            if certificates:
                settings["verify"] = certificates
            return settings

    made = Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, deadline.adapter(lambda: watch.until))
    return made


def watch_stub(exporter: Any, watch: Watch) -> None:
    """Let a gRPC exporter's calls go through ``watch``."""
    exporter._client.Export = watched(exporter._client.Export, watch)


def watched(call: Any, watch: Watch) -> Any:
    """Return a call of a gRPC stub that goes through ``watch``."""
    import grpc

    def export(*args: Any, **kwargs: Any) -> Any:
        if watch.seconds is not None:
            kwargs["timeout"] = watch.seconds
        try:
            answer, done = call.with_call(*args, **kwargs)
        except grpc.RpcError as error:
            watch.decide(answers.grpc(error.code().name, error.details() or "", _retry_info(error)))
        watch.decide(Accepted(*partial(answer)))
        watch.takes_open = any(name == TAKES_OPEN for name, _value in done.trailing_metadata() or ())
        return answer

    return export


def prepare_grpc(environ: Mapping[str, str]) -> None:
    """Set the variables that gRPC's core reads. It knows only its own for certificates, and proxies in lower case."""
    # By default, gRPC writes to stderr between our own lines.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    certificates = network.certificates(environ)
    if os.path.isfile(certificates):
        os.environ.setdefault("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", certificates)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if not environ.get(name) and environ.get(name.upper()):
            os.environ[name] = environ[name.upper()]


def grpc_compression(environ: Mapping[str, str], signal: str) -> Any:
    """Return gRPC's value for the variables. The exporter itself rejects "none", which OpenTelemetry allows."""
    import grpc

    gzip = endpoint.compression(environ, signal) == "gzip"
    return grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression


def _read(response: Any) -> answers.HttpAnswer:
    """Read the begin of the body, and close the connection if there is more."""
    body = b""
    for chunk in response.iter_content(answers.MOST_BODY + 1):
        body += chunk
        if len(body) > answers.MOST_BODY:
            break
    whole = len(body) <= answers.MOST_BODY
    if not whole:
        response.close()
    headers = response.headers
    return answers.HttpAnswer(
        response.status_code,
        response.reason or "",
        headers.get("Content-Type") or "",
        body[: answers.MOST_BODY],
        headers.get("Retry-After") or "",
        (headers.get("Location") or "") if 300 <= response.status_code < 400 else "",
        whole,
        urlsplit(response.url).path,
        "" if response.status_code < 400 else _message(headers.get("Content-Type") or "", body),
    )


def _message(content_type: str, body: bytes) -> str:
    """Return the message of a google.rpc.Status, which is OTLP's answer to a failure; empty for any other body."""
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from google.rpc.status_pb2 import Status

    try:
        if "json" in content_type.lower():
            return str(json_format.Parse(body, Status(), ignore_unknown_fields=True).message)
        return str(Status.FromString(body).message) if "protobuf" in content_type.lower() else ""
    except (json_format.ParseError, DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _broken(error: Exception, size: int) -> DeliveryError:
    """Return what an error of the connection means. ``size``: the bytes of the request."""
    import requests
    from urllib3.exceptions import NewConnectionError

    causes = list(_causes(error))

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if has(requests.ConnectTimeout):
        return DeliveryError("no connection in time", refused=True)
    if has(requests.exceptions.ProxyError):
        return DeliveryError(f"the proxy of http_proxy or https_proxy: {_said(causes)}", refused=True)
    if has(NewConnectionError, ssl.SSLError):
        return DeliveryError(_said(causes), refused=True)
    if has(TimeoutError, requests.Timeout):
        return DeliveryError("no answer in time")
    if any(map(_is_no_http, causes)):
        return DeliveryError(_NO_HTTP, refused=True)
    if has(requests.ConnectionError):
        # Some receivers close the connection in the middle of a request that is too large.
        return DeliveryError(_said(causes), passing=True, too_large=size > _LARGE)
    # The answer was cut off, or a setting such as the file of certificates is wrong.
    return DeliveryError(_said(causes), refused=not has(requests.exceptions.ChunkedEncodingError))


def reason_of(error: BaseException) -> str:
    """Return why a request failed, in words for people: the deepest cause."""
    import requests

    causes = list(_causes(error))
    late = any(isinstance(cause, (TimeoutError, requests.Timeout)) for cause in causes)
    return "no answer in time" if late else _said(causes)


def _is_no_http(cause: BaseException) -> bool:
    """Return whether an answer was not HTTP: not one that was cut off, nor none at all. Its text may be any bytes."""
    from urllib3.exceptions import InvalidChunkLength

    cut_off = isinstance(cause, (IncompleteRead, RemoteDisconnected)) and not isinstance(cause, InvalidChunkLength)
    return isinstance(cause, HTTPException) and not cut_off


def _said(causes: Sequence[BaseException]) -> str:
    """Return the deepest cause in words: the libraries wrap errors of the system in several of their own."""
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLError):
            return redact.masked(f"TLS: {getattr(cause, 'verify_message', '') or cause.reason or cause}")
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return redact.masked(str(causes[-1])[:200]) or type(causes[-1]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors in it, outermost first."""
    todo: list[BaseException] = [error]
    seen: set[int] = set()
    while todo:
        one = todo.pop(0)
        if id(one) in seen or len(seen) > 20:
            continue
        seen.add(id(one))
        yield one
        inner = [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
        todo += [cause for cause in inner if isinstance(cause, BaseException)]


def _retry_info(error: Any) -> float | None:
    """Return the seconds that the receiver asks to wait, from google.rpc.RetryInfo; None if it does not ask."""
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo

    with suppress(DecodeError, TypeError, ValueError):
        data = dict(error.trailing_metadata() or ()).get("google.rpc.retryinfo-bin")
        if data is not None:
            info = RetryInfo()
            info.ParseFromString(data)
            return float(info.retry_delay.seconds) + float(info.retry_delay.nanos) / 1e9
    return None
