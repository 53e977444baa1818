"""Sources on the engine of a test, with the variables that users set."""

from __future__ import annotations

from contextlib import closing

import pytest

from pipeline_trace.delivery.destinations import SetupError
from pipeline_trace.lookup.clickhouse.login import PASSWORD
from pipeline_trace.lookup.clickhouse.source import ClickHouseSource
from pipeline_trace.lookup.remote import remote_source
from support.clickhouse import Engine


def address(engine: Engine, where: str = "default", user: str = "default") -> str:
    """Return the address of a table. ``where``: the database, perhaps with ``?table=…``."""
    return f"clickhouse://{user}@127.0.0.1:{engine.port}/{where}"


def source(
    engine: Engine, where: str = "default", user: str = "default", password: str | None = None, **environ: str
) -> ClickHouseSource:
    """Return a source. ``password``: instead of the user's own. ``environ``: more variables."""
    known = engine.users[user].password if user in engine.users else ""
    return remote_source(address(engine, where, user), {PASSWORD: known if password is None else password, **environ})


def trouble(source: ClickHouseSource) -> str:
    """Return the line that a question ends with, without the address in front of it."""
    with closing(source), pytest.raises(SetupError) as error:
        source.newest()
    said = str(error.value)
    assert len(said.splitlines()) == 1
    assert said.startswith("clickhouse://")
    return said.partition(": ")[2]
