"""Sends queries to ClickHouse over HTTP, with clickhouse-connect. Only SELECT is ever sent.

No other module imports clickhouse-connect.
"""

from __future__ import annotations

import http.client
import logging
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...delivery.destinations import SetupError
from ...delivery.destinations.rows import whole
from . import errors
from .address import Address
from .login import Login

_INSTALL = "pip install 'pipeline-trace[clickhouse]'"
# The server gives up first, so that it says why. Where its user may not set that, this side's limit holds.
_SERVER_SECONDS = 25
_SECONDS = 30
_CONNECT_SECONDS = 5


class Client:
    """Asks one server. Every thread may use it."""

    def __init__(self, address: Address, login: Login, proxy: str = "") -> None:
        """Set the address. The first question connects. ``proxy``: the URL of a proxy on the way; "" for none."""
        self.address = address
        self._login, self._proxy = login, proxy
        self._lock = threading.Lock()
        self._client: Any = None
        self._pool: Any = None
        self._settings: dict[str, int] = {}

    def ask(self, question: str, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of a query. ``question``: for the query's id. ``values``: of its parameters.

        Raises SetupError; the message says what to do.
        """
        client = self._connected()
        limits = self._settings
        settings = {**limits, "query_id": f"pipeline-trace-{question}-{uuid.uuid4().hex[:12]}"}
        try:
            rows: Sequence[Sequence[Any]] = client.query(sql, parameters=_whole(values), settings=settings).result_rows
        except Exception as error:
            if limits and errors.code_of(error) in errors.REFUSED_SETTING:
                # It may be changed, but not to this value: the user has a limit of its own.
                self._settings = {}
                return self.ask(question, sql, values)
            raise errors.problem(error, self.address) from None
        return rows

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._pool.clear()
                self._client = None

    def _connected(self) -> Any:
        """Connect at the first call. Return the library's client."""
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        most_headers = http.client._MAXHEADERS  # type: ignore[attr-defined]
        try:
            from clickhouse_connect.driver import create_client
            from clickhouse_connect.driver.httputil import get_pool_manager
        except ImportError:
            raise SetupError(f"reading from {self.address} needs clickhouse-connect; run: {_INSTALL}") from None
        finally:
            # It lifts this bound for every connection of the process.
            http.client._MAXHEADERS = most_headers  # type: ignore[attr-defined]
        # They log what they then raise, with whole queries; one line of ours says it.
        for name in ("clickhouse_connect", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._pool = get_pool_manager(**self._ways())
            client = create_client(**self._options(), pool_mgr=self._pool)
            limit = client.server_settings.get("max_execution_time")
        except Exception as error:
            raise errors.problem(error, self.address) from None
        changeable = limit is not None and not int(limit.readonly)
        self._settings = {"max_execution_time": _SERVER_SECONDS} if changeable else {}
        return client

    def _ways(self) -> dict[str, Any]:
        """Return how connections are made."""
        login, found = self._login, dict[str, Any]()
        if self._proxy:
            found["https_proxy" if self.address.secure else "http_proxy"] = self._proxy
        if not self.address.secure:
            return found
        if login.authority:
            found["ca_cert_dir" if Path(login.authority).is_dir() else "ca_cert"] = login.authority
        if login.certificate:
            found |= {"client_cert": login.certificate, "client_cert_key": login.key or None}
        return found

    def _options(self) -> dict[str, Any]:
        address, login = self.address, self._login
        options: dict[str, Any] = {
            "interface": "https" if address.secure else "http",
            "host": address.host,
            "port": address.port,
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
        }
        if address.secure and login.certificate:
            # With a password the certificate only opens the connection.
            options |= {"client_cert": login.certificate, "tls_mode": "strict" if login.password else "mutual"}
        return options


def _whole(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a query without half characters, of which no text in UTF-8 can be made."""
    lists = {name: [whole(text) for text in value] for name, value in values.items() if isinstance(value, list)}
    return {name: whole(value) if isinstance(value, str) else value for name, value in values.items()} | lists
