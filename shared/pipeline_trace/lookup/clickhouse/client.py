"""Sends queries to ClickHouse over HTTP, with clickhouse-connect. Only SELECT is ever sent.

No other module imports clickhouse-connect.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...delivery.destinations import SetupError
from ...delivery.destinations.rows import whole
from . import errors
from .address import PASSWORD, Address

_INSTALL = "pip install 'pipeline-trace[clickhouse]'"
AUTHORITY = "PIPELINE_TRACE_SOURCE_CERTIFICATE"
CLIENT_CERTIFICATE, CLIENT_KEY = "PIPELINE_TRACE_SOURCE_CLIENT_CERTIFICATE", "PIPELINE_TRACE_SOURCE_CLIENT_KEY"
# The server gives up first, so that it says why. Where its user may not set that, this side's limit holds.
_SERVER_SECONDS = 25
_SECONDS = 30
_CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Login:
    """How this side shows who it is. ``authority``: a file; "" for the system's authorities."""

    password: str = ""
    authority: str = ""
    certificate: str = ""
    key: str = ""


def login_of(environ: Mapping[str, str]) -> Login:
    """Return the login from the environment. Raises SetupError."""
    password, path = environ.get(PASSWORD, ""), environ.get(f"{PASSWORD}_FILE", "")
    if path and not password:
        try:
            password = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            raise SetupError(f"cannot read the file of {PASSWORD}_FILE: {error}") from None
    files = [environ.get(name, "") for name in (AUTHORITY, CLIENT_CERTIFICATE, CLIENT_KEY)]
    for name, file in zip((AUTHORITY, CLIENT_CERTIFICATE, CLIENT_KEY), files, strict=True):
        if file and not Path(file).is_file():
            raise SetupError(f"there is no file {file}, which {name} names")
    return Login(password, *files)


class Client:
    """Asks one server. Every thread may use it."""

    def __init__(self, address: Address, login: Login) -> None:
        """Set the address. The first question connects."""
        self.address = address
        self._login = login
        self._client: Any = None
        self._settings: dict[str, int] = {}

    def ask(self, question: str, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of a query. ``question``: for the query's id. ``values``: of its parameters.

        Raises SetupError; the message says what to do.
        """
        settings = {**self._connected(), "query_id": f"pipeline-trace-{question}-{uuid.uuid4().hex[:12]}"}
        try:
            rows: Sequence[Sequence[Any]] = self._client.query(sql, parameters=_whole(values), settings=settings).result_rows
        except Exception as error:
            raise errors.problem(error, self.address) from None
        return rows

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> dict[str, int]:
        """Connect at the first call. Return the settings that this user may change."""
        if self._client is None:
            try:
                from clickhouse_connect.driver import create_client
            except ImportError:
                raise SetupError(f"reading from {self.address} needs clickhouse-connect; run: {_INSTALL}") from None
            # They log what they then raise, with whole queries; one line of ours says it.
            for name in ("clickhouse_connect", "urllib3"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
            try:
                self._client = create_client(**self._options())
                limit = self._client.server_settings.get("max_execution_time")
            except Exception as error:
                raise errors.problem(error, self.address) from None
            changeable = limit is not None and not int(limit.readonly)
            self._settings = {"max_execution_time": _SERVER_SECONDS} if changeable else {}
        return self._settings

    def _options(self) -> dict[str, Any]:
        address, login = self.address, self._login
        options: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "secure": address.secure,
            "username": address.user,
            "password": login.password,
            "database": address.database,
            "client_name": "pipeline-trace",
            # A session would let no two questions be asked at once.
            "autogenerate_session_id": False,
            "connect_timeout": _CONNECT_SECONDS,
            "send_receive_timeout": _SECONDS,
            "query_limit": 0,
            "query_retries": 1,
            "dedicated_pool": not address.secure,
        }
        if address.secure and login.authority:
            options["ca_cert"] = login.authority
        if address.secure and login.certificate:
            options |= {"client_cert": login.certificate, "client_cert_key": login.key or None}
            # With a password the certificate only opens the connection.
            options["tls_mode"] = "strict" if login.password else "mutual"
        return options


def _whole(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a query without half characters, of which no text in UTF-8 can be made."""
    lists = {name: [whole(text) for text in value] for name, value in values.items() if isinstance(value, list)}
    return {name: whole(value) if isinstance(value, str) else value for name, value in values.items()} | lists
