"""Turns what goes wrong between us and ClickHouse into one line that says what to do. Does no I/O."""

from __future__ import annotations

import re

from ...delivery.destinations import SetupError
from ...trace import redact
from .address import Address
from .login import AUTHORITY, CERTIFICATE, KEY, PASSWORD, PASSWORD_FILE

_CODE = re.compile(r"\bCode: (\d+)\b|\bcode: (\d+)\b|error code (\d+)")
_STATUS = re.compile(r"\bHTTP status (\d{3})\b")
# What a server says that denies a question: the right that is missing.
_GRANT = re.compile(r"have the grant SELECT\b[^.]*? ON ([\w`*]+\.[\w`*]+)")
_LONGEST = 200
_PAGE = "docs/many-machines.md"
REFUSED_SETTING = frozenset({164, 452})
_DENIED = 497
_NO_TABLE = (
    "there is no table {database}.{table} that {user} may read; name the database and the table of the Collector's "
    "clickhouse exporter in --from, or grant SELECT on it"
)
# By ClickHouse's codes: src/Common/ErrorCodes.cpp.
_BY_CODE: tuple[tuple[frozenset[int], str], ...] = (
    (
        frozenset({516, 192, 193, 194}),
        f"it does not accept the user {{user}} with this password; set {PASSWORD} or {PASSWORD_FILE}",
    ),
    (frozenset({_DENIED}), "{user} may not read it; let an administrator run: GRANT SELECT ON {grant} TO {user}"),
    (frozenset({60, 81}), _NO_TABLE),
    (
        frozenset({159, 160, 209}),
        f"the answer took too long; try again, or let an administrator make the table of runs ({_PAGE})",
    ),
    (
        frozenset({158, 241, 307, 396}),
        "the question goes beyond a limit of {user} (ClickHouse's code {code}); raise it, or let an administrator make the "
        f"table of runs ({_PAGE})",
    ),
    (
        frozenset({202}),
        "it answers too many questions at once; try again, or raise max_concurrent_queries_for_user of {user}",
    ),
    (frozenset({201}), "the quota of {user} is used up; try again later, or raise it"),
    (frozenset({394}), "somebody ended the question on the server; try again"),
    # Functions, syntax, settings, columns and types that an older server lacks.
    (
        frozenset({46, 62, 115, 47, 50}),
        "this server does not understand the question (ClickHouse's code {code}); it must be of version 25.8 or newer, with "
        "the table of the Collector's clickhouse exporter",
    ),
    (REFUSED_SETTING, f"{{user}} may not change a setting (ClickHouse's code {{code}}); give it readonly=2 ({_PAGE})"),
)
_OTHER_CODE = "ClickHouse answers with its code {code}; its log says more"
_BUSY = frozenset({"429", "502", "503", "504"})
# What the operating system, OpenSSL and urllib3 say, in lower case, and what that means. The first that fits counts.
_BY_WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("hostname mismatch", "ip address mismatch", "doesn't match"),
        "its certificate is for another name; write the host as the certificate has it",
    ),
    (("certificate has expired",), "its certificate has expired; let an administrator renew it"),
    (
        ("certificate verify failed", "certificate_verify_failed"),
        f"its certificate is not trusted; set {AUTHORITY} to the file of its authority",
    ),
    (
        ("wrong version number", "record layer failure", "unknown protocol", "wrong_version_number"),
        "it does not speak TLS there; take its TLS port (8443), or say secure=false in a network that you trust",
    ),
    (
        ("certificate required", "certificate_required", "handshake failure", "alert unknown ca", "alert bad certificate"),
        f"it wants a certificate of this side that it knows; set {CERTIFICATE} and {KEY}",
    ),
    (
        ("is for clickhouse-client program",),
        "that is the port of ClickHouse's own protocol; take its HTTP port: 8443, or 8123 with secure=false",
    ),
    (
        ("refused", "failed to resolve", "name or service not known", "unreachable", "no route to host"),
        "nothing answers there; check host and port, and that ClickHouse runs",
    ),
    (("timed out", "timeout"), "it does not answer in time; check host and port, or try again"),
)
_CLOSED = (
    *(
        "connection aborted",
        "connection reset",
        "incompleteread",
        "connection broken",
        "closed connection",
        "closed by server",
    ),
    "eof occurred in violation",
)
_ENDED = "it closed the connection before its answer was whole; try again, and check that the port speaks HTTP"
# A server that misses a certificate may not say so.
_ENDED_TLS = (
    "it closed the connection before its answer was whole; try again, and if it wants a certificate of this side, set "
    f"{CERTIFICATE} and {KEY}"
)
_NOT_READY = "it is not ready (HTTP status {status}); try again, and check what is in front of it"
_SOMETHING_ELSE = "it does not answer as ClickHouse does ({said}); check host and port"


def problem(error: Exception, address: Address) -> SetupError:
    """Return what went wrong and what to do. ``error``: from the client library."""
    said, code = " ".join(str(error).split()), code_of(error)
    return SetupError(f"{address}: {_of_code(code, said, address) if code else _of_connection(said, address)}")


def code_of(error: Exception) -> int:
    """Return ClickHouse's code of an error, 0 for none."""
    found = _CODE.search(str(error))
    return int(next(filter(None, found.groups()))) if found else 0


def missing(address: Address) -> str:
    """Return the text for a table that is not there."""
    return _NO_TABLE.format(database=address.database, table=address.table, user=address.user)


def _of_code(code: int, said: str, address: Address) -> str:
    line = next((line for codes, line in _BY_CODE if code in codes), _OTHER_CODE)
    right = _GRANT.search(said)
    grant = right[1].replace("`", "") if right else f"{address.database}.{address.table}"
    return line.format(code=code, user=address.user, database=address.database, table=address.table, grant=grant)


def _of_connection(said: str, address: Address) -> str:
    lower = said.lower()
    for words, meaning in (*_BY_WORDS, (_CLOSED, _ENDED_TLS if address.secure else _ENDED)):
        if any(word in lower for word in words):
            return meaning
    status = _STATUS.search(said)
    if status and status[1] in _BUSY:
        return _NOT_READY.format(status=status[1])
    return _SOMETHING_ELSE.format(said=f"HTTP status {status[1]}" if status else redact.masked(said[:_LONGEST]))
