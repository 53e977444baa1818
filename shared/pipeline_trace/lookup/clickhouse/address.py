"""Reads the address of a source: ``clickhouse://user@host:8443/database?table=otel_traces``. Does no I/O."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from ...delivery.destinations import SetupError

SCHEME = "clickhouse://"
EXAMPLE = "clickhouse://user@host:8443/otel?table=otel_traces"
PASSWORD = "PIPELINE_TRACE_SOURCE_PASSWORD"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLE = "otel_traces"
_SECURE_PORT, _PLAIN_PORT = 8443, 8123


@dataclass(frozen=True)
class Address:
    """Where ClickHouse is. ``secure``: over TLS. ``table``: the one with the spans."""

    host: str
    port: int
    secure: bool
    user: str
    database: str
    table: str

    def __str__(self) -> str:
        """Return the address as people write it. It has no password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}{self.user}@{host}:{self.port}/{self.database}?table={self.table}"


def parsed(text: str) -> Address:
    """Return the address of a source. Raises SetupError; the message says what to write, and never repeats a password."""
    try:
        url = urlsplit(text)
        port, host = url.port, url.hostname or ""
    except ValueError as error:
        raise SetupError(f"the address of the source is not valid ({error}); write it like {EXAMPLE}") from None
    if url.password is not None:
        raise SetupError(
            f"the address of the source has a password, which other users of this machine can see; set {PASSWORD} or "
            f"{PASSWORD}_FILE instead, and change the password"
        )
    if not text.startswith(SCHEME) or not host:
        raise SetupError(f"the source must be an address like {EXAMPLE}")
    told = dict(parse_qsl(url.query, keep_blank_values=True))
    table, secure = told.pop("table", _TABLE), told.pop("secure", "")
    if told:
        raise SetupError(
            f"the address of the source says {', '.join(sorted(told))}; only table and secure can stand behind the ?"
        )
    database = unquote(url.path.strip("/")) or "default"
    for what, name in (("database", database), ("table", table)):
        if not _NAME.fullmatch(name):
            raise SetupError(f"{name!r} is not the name of a {what}; write the address like {EXAMPLE}")
    if secure not in ("", "true", "false"):
        raise SetupError(f"secure={secure} in the address of the source must be secure=true or secure=false")
    # Beyond this machine others see what is not encrypted, the password too.
    over_tls = secure == "true" or (not secure and not _is_loopback(host))
    port = port or (_SECURE_PORT if over_tls else _PLAIN_PORT)
    return Address(host, port, over_tls, unquote(url.username or "default"), database, table)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
