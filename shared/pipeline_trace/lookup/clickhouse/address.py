"""Reads the address of a source: ``clickhouse://user@host:8443/database?table=otel_traces``. Does no I/O."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from ...delivery.destinations import SetupError
from .login import PASSWORD, PASSWORD_FILE

SCHEME = "clickhouse://"
EXAMPLE = "clickhouse://user@host:8443/otel?table=otel_traces"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+(%[\w.-]+)?")
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

    @property
    def is_loopback(self) -> bool:
        """Return whether it is on this machine."""
        return _is_loopback(self.host)

    def __str__(self) -> str:
        """Return the address as people write it. It has no password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}{quote(self.user)}@{host}:{self.port}/{self.database}?table={self.table}"


def parsed(text: str) -> Address:
    """Return the address of a source. Raises SetupError; the message says what to write, and never repeats a password."""
    url = _split(text.strip())
    told = dict(parse_qsl(url.query, keep_blank_values=True))
    if _has_password(url, told):
        raise SetupError(
            f"the address of the source has a password, which other users of this machine can see; set {PASSWORD} or "
            f"{PASSWORD_FILE} instead, and change the password"
        )
    host, port = url.hostname or "", _port(url)
    if f"{url.scheme}://" != SCHEME or not _HOST.fullmatch(host):
        raise SetupError(f"the source must be an address like {EXAMPLE}")
    table, secure = told.pop("table", _TABLE), told.pop("secure", "")
    if told:
        raise SetupError(
            f"the address of the source says {', '.join(sorted(told))}; only table and secure can stand behind the ?"
        )
    database = unquote(url.path.strip("/")) or "default"
    for what, name in (("database", database), ("table", table)):
        if not _NAME.fullmatch(name):
            raise SetupError(f"{name!r} is not the name of a {what}; write the address of the source like {EXAMPLE}")
    if secure not in ("", "true", "false"):
        raise SetupError("secure in the address of the source must be secure=true or secure=false")
    # Beyond this machine others see what is not encrypted, the password too.
    over_tls = secure == "true" or (not secure and not _is_loopback(host))
    port = port or (_SECURE_PORT if over_tls else _PLAIN_PORT)
    return Address(host, port, over_tls, unquote(url.username or "default"), database, table)


def _split(text: str) -> SplitResult:
    wrong = SetupError(f"the address of the source is not valid; write it like {EXAMPLE}")
    if not text.isprintable():
        raise wrong
    try:
        return urlsplit(text)
    except ValueError:
        # What Python says of it may be a part of a password.
        raise wrong from None


def _has_password(url: SplitResult, told: dict[str, str]) -> bool:
    """Return whether there is a password, perhaps one with characters that end the part in which it should stand."""
    user, behind = url.username or "", url.path + url.query + url.fragment
    return bool(url.password) or "@" in user or ":" in unquote(user) or "@" in unquote(behind) or "password" in told


def _port(url: SplitResult) -> int | None:
    try:
        return url.port
    except ValueError:
        raise SetupError(f"the port in the address of the source is no number; write the address like {EXAMPLE}") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
