"""Turns what goes wrong between us and ClickHouse into one line that says what to do. Does no I/O."""

from __future__ import annotations

import re

from ...delivery.destinations import SetupError
from ...trace import redact
from .address import PASSWORD, Address

_CODE = re.compile(r"\bCode: (\d+)\b|\bcode: (\d+)\b|error code (\d+)")
_LONGEST = 200
# By ClickHouse's codes: src/Common/ErrorCodes.cpp.
_UNKNOWN_TABLE, _UNKNOWN_DATABASE, _UNKNOWN_COLUMN = 60, 81, 47
_TIMEOUTS = frozenset({159, 160, 209})
_TOO_MUCH = frozenset({158, 241, 307, 396})
_UNKNOWN_FUNCTION, _SYNTAX, _UNKNOWN_SETTING = 46, 62, 115
_REFUSED_SETTING = frozenset({164, 452})
_DENIED, _NO_LOGIN, _NO_USER = 497, 516, 192


def problem(error: Exception, address: Address) -> SetupError:
    """Return what went wrong and what to do. ``error``: from the client library."""
    said = " ".join(str(error).split())
    found = _CODE.search(said)
    code = int(next(filter(None, found.groups()))) if found else 0
    return SetupError(f"{address}: {_of_code(code, address) or _of_connection(said, address)}")


def _of_code(code: int, address: Address) -> str:
    if code in (_NO_LOGIN, _NO_USER):
        return f"it does not accept the user {address.user} with this password; set {PASSWORD} or {PASSWORD}_FILE"
    if code == _DENIED:
        return f"{address.user} may not read it; grant: GRANT SELECT ON {address.database}.{address.table} TO {address.user}"
    if code in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
        return missing(address)
    if code in _TIMEOUTS:
        return "the answer took too long; try again, or let an administrator make the table of runs (docs/many-machines.md)"
    if code in _TOO_MUCH:
        return (
            f"the question goes beyond a limit of {address.user} (ClickHouse's code {code}); raise it, or let an "
            "administrator make the table of runs (docs/many-machines.md)"
        )
    if code in (_UNKNOWN_FUNCTION, _SYNTAX, _UNKNOWN_SETTING, _UNKNOWN_COLUMN):
        return (
            f"this server does not understand the question (ClickHouse's code {code}); it must be of version 24.8 or newer"
        )
    if code in _REFUSED_SETTING:
        return f"{address.user} may not change max_execution_time; let it set it, or give it readonly=2"
    return f"ClickHouse answers with its code {code}; its log says more" if code else ""


def missing(address: Address) -> str:
    """Return the text for a table that is not there."""
    return (
        f"there is no table {address.database}.{address.table} that {address.user} may read; name the database and the "
        "table of the Collector's clickhouse exporter in --from, or grant SELECT on it"
    )


def _of_connection(said: str, address: Address) -> str:
    lower = said.lower()
    if "certificate verify failed" in lower or "certificate_verify_failed" in lower:
        return "its certificate is not trusted; set PIPELINE_TRACE_SOURCE_CERTIFICATE to the file of its authority"
    if "wrong version number" in lower or "record layer failure" in lower or "unknown protocol" in lower:
        return "it does not speak TLS there; take its TLS port (8443), or say secure=false in a network that you trust"
    if "certificate required" in lower or "certificate_required" in lower or "handshake failure" in lower:
        return (
            "it wants a certificate of this side; set PIPELINE_TRACE_SOURCE_CLIENT_CERTIFICATE and "
            "PIPELINE_TRACE_SOURCE_CLIENT_KEY"
        )
    if "refused" in lower or "failed to resolve" in lower or "name or service not known" in lower or "unreachable" in lower:
        return "nothing answers there; check host and port, and that ClickHouse runs"
    if "timed out" in lower or "timeout" in lower:
        return "it does not answer in time; check host and port, or try again"
    return f"it does not answer as ClickHouse does ({redact.masked(said[:_LONGEST])}); check host and port"
