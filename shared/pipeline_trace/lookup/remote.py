"""Opens a source by its address."""

from __future__ import annotations

from collections.abc import Mapping

from .clickhouse.address import parsed
from .clickhouse.client import Client, login_of
from .clickhouse.source import ClickHouseSource
from .journals import Journals
from .lookup import Lookup


def remote_source(address: str, environ: Mapping[str, str]) -> ClickHouseSource:
    """Return the source of an address. ``environ``: for the login. Raises SetupError if either is not valid."""
    return ClickHouseSource(Client(parsed(address), login_of(environ)))


def remote_lookup(address: str, environ: Mapping[str, str]) -> Lookup:
    """Return a Lookup on a source alone. Raises SetupError."""
    return Lookup(remote_source(address, environ), Journals(None))
