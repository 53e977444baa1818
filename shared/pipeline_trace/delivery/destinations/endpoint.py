"""Reads the standard OTLP variables, and says what is wrong with them. Standard library only: the callback asks it too."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ...trace import network, redact
from . import traces_endpoint

GRPC, HTTP = "grpc", "http/protobuf"
TRACES, METRICS, LOGS = "TRACES", "METRICS", "LOGS"
_SCHEMES = ("http", "https")
_EXAMPLES = {GRPC: "http://collector:4317", HTTP: "http://collector:4318"}
_COMPRESSIONS = {GRPC: ("gzip", "none"), HTTP: ("gzip", "deflate", "none")}
_SECONDS = 10.0
# OpenTelemetry's specification says milliseconds, its exporters for Python read seconds. From here on, it is milliseconds:
# nobody waits for a quarter of an hour, nor for less than a second.
_MILLISECONDS_FROM = 1000
# RFC 9110: the characters of a header's name.
_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_FILES = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")


def setting(environ: Mapping[str, str], name: str, signal: str = TRACES) -> tuple[str, str]:
    """Return the variable that sets ``name`` for a signal, such as PROTOCOL, and its value; an empty value if none does."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        value = environ.get(variable, "").strip()
        if value:
            return variable, value
    return f"OTEL_EXPORTER_OTLP_{name}", ""


def protocol(environ: Mapping[str, str], signal: str = TRACES) -> str:
    """Return GRPC or HTTP: from the variables, else from the endpoint's port. The variables must be valid."""
    asked = setting(environ, "PROTOCOL", signal)[1].lower()
    if asked:
        return asked
    # 4317 is the registered port of OTLP over gRPC. HTTP never works there (docs/decisions/0003).
    return GRPC if _port(traces_endpoint(environ, signal)) == 4317 else HTTP


def seconds(environ: Mapping[str, str], signal: str = TRACES) -> float:
    """Return the time limit of a request in seconds. The variables must be valid."""
    value = float(setting(environ, "TIMEOUT", signal)[1] or _SECONDS)
    return value / 1000 if value >= _MILLISECONDS_FROM else value


def compression(environ: Mapping[str, str], signal: str = TRACES) -> str:
    """Return gzip, deflate or none. The variables must be valid."""
    return setting(environ, "COMPRESSION", signal)[1].lower() or "none"


def certificates(environ: Mapping[str, str], signal: str = TRACES) -> str:
    """Return the file of trusted certificates; empty for the default ones.

    OpenTelemetry's own variable comes first, because the others are for all programs.
    """
    return setting(environ, "CERTIFICATE", signal)[1] or network.certificates(environ)


def setup_problem(environ: Mapping[str, str], signal: str = TRACES) -> str:
    """Return why nothing can be delivered with these variables, in one masked line; empty if nothing is wrong with them."""
    return redact.masked(next(_problems(environ, signal), ""))


def setup_warning(environ: Mapping[str, str], signal: str = TRACES) -> str:
    """Return ``setup_problem``; else what should be changed in variables that work, in one line; else an empty text."""
    problem = setup_problem(environ, signal)
    if problem or "@" not in urlsplit(traces_endpoint(environ, signal)).netloc:
        return problem
    variable = _endpoint_variable(environ, signal)
    return f"{variable} has a login, which other programs can read there; {_header_advice(signal)}"


def _problems(environ: Mapping[str, str], signal: str) -> Iterator[str]:
    receiver = traces_endpoint(environ, signal)
    if not receiver:
        return
    variable, asked = setting(environ, "PROTOCOL", signal)
    if asked and asked.lower() not in (GRPC, HTTP):
        yield f"{variable}={asked} is not supported; set it to {HTTP} or {GRPC}"
        return
    by = asked.lower() or (GRPC if _port(receiver) == 4317 else HTTP)
    yield from _endpoint_problems(environ, signal, receiver, by)
    variable, text = setting(environ, "TIMEOUT", signal)
    if text and not _is_time(text):
        yield f"{variable}={text} is not a positive number; set it to seconds such as 10, or milliseconds such as 10000"
    variable, text = setting(environ, "COMPRESSION", signal)
    if text and text.lower() not in _COMPRESSIONS[by]:
        yield f"{variable}={text} is not supported over {by}; set it to {' or '.join(_COMPRESSIONS[by])}"
    variable, text = setting(environ, "HEADERS", signal)
    number = _wrong_header(text)
    if number:
        # Never its text: a header may be a secret.
        yield f"item {number} of {variable} is not name=value; write it as name=value, items separated by commas"
    for name in _FILES:
        variable, text = setting(environ, name, signal)
        if text and not os.access(text, os.R_OK):
            yield f"{variable}={text} cannot be read; set it to a readable file, or unset it"


def _endpoint_problems(environ: Mapping[str, str], signal: str, receiver: str, by: str) -> Iterator[str]:
    variable = _endpoint_variable(environ, signal)
    expected = f"set it to a URL such as {_EXAMPLES[by]}"
    try:
        url = urlsplit(receiver)
        host, port = url.hostname, url.port
    except ValueError:
        yield f"{variable}={receiver} is not a URL; {expected}"
        return
    if by == GRPC and "://" not in receiver and setting(environ, "INSECURE", signal)[1]:
        # gRPC's own form, host:port. The variable says whether to use TLS.
        return
    if url.scheme not in _SCHEMES or "://" not in receiver:
        yield f"{variable}={receiver} does not begin with http:// or https://; {expected}"
    elif not host or re.search(r"\s", receiver) or port == 0:
        yield f"{variable}={receiver} is not a URL with a host; {expected}"
    elif by == GRPC and "@" in url.netloc:
        yield f"{variable} has a login, which gRPC does not send; {_header_advice(signal)}"


def _endpoint_variable(environ: Mapping[str, str], signal: str) -> str:
    return setting(environ, "ENDPOINT", signal)[0]


def _header_advice(signal: str) -> str:
    return "leave it out, and set OTEL_EXPORTER_OTLP_HEADERS=authorization=Basic%20… (NAME:PASSWORD in base64)"


def _port(receiver: str) -> int | None:
    try:
        return urlsplit(receiver if "://" in receiver else f"http://{receiver}").port
    except ValueError:
        return None


def _is_time(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def _wrong_header(text: str) -> int:
    """Return the number, from 1, of the first item that is not name=value; 0 if all are."""
    for number, item in enumerate(text.split(","), 1):
        name, sign, _value = item.partition("=")
        if item.strip() and not (sign and re.fullmatch(_HEADER_NAME, name.strip())):
            return number
    return 0
