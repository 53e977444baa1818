"""Opens a source by its address."""

from __future__ import annotations

from collections.abc import Mapping

from ..trace.network import proxies
from .clickhouse.address import Address, parsed
from .clickhouse.client import Client
from .clickhouse.login import login_of
from .clickhouse.source import ClickHouseSource
from .journals import Journals
from .lookup import Lookup


def remote_source(address: str, environ: Mapping[str, str]) -> ClickHouseSource:
    """Return the source of an address. ``environ``: for the login. Raises SetupError if either is not valid."""
    where = parsed(address)
    return ClickHouseSource(Client(where, login_of(environ), _proxy(where, environ)))


def remote_lookup(address: str, environ: Mapping[str, str]) -> Lookup:
    """Return a Lookup on a source alone. Raises SetupError."""
    return Lookup(remote_source(address, environ), Journals(None))


def _proxy(address: Address, environ: Mapping[str, str]) -> str:
    """Return the proxy of the usual variables; "" for none. What is on this machine is asked without any."""
    scheme = "https" if address.secure else "http"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return "" if address.is_loopback else proxies(f"{scheme}://{host}:{address.port}", environ).get(scheme, "")
