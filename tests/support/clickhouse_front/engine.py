"""chdb: one statement with a user's settings, as a server would run it."""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import Refusal

Settings = Mapping[str, str]

_FORMAT = re.compile(r"\s+FORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """What is to be run. ``profile``: the user's own settings; ``settings``: the request's; ``data``: a file to insert."""

    sql: str
    database: str = "default"
    format: str = "TabSeparated"
    profile: Settings = field(default_factory=dict)
    changeable: frozenset[str] = frozenset()
    settings: Settings = field(default_factory=dict)
    parameters: Settings = field(default_factory=dict)
    data: Path | None = None


@dataclass(frozen=True)
class Answer:
    """What came of it. The counters are the engine's own."""

    data: bytes
    result_rows: int
    read_rows: int
    read_bytes: int
    seconds: float


class Engine:
    """A data folder that is open in this process; any number of threads may run statements."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._chdb = _load()
        # The engine closes with its last connection.
        self._first = self._chdb.connect(self._folder)
        self.version, self.zone, self.name = self._ask("SELECT version(), timezone(), displayName()").split("\t")

    def run(self, statement: Statement) -> Answer:
        """Run a statement. Raises Refusal with the engine's own words."""
        # A connection for each: settings stay with it, and so does what a failed statement had put out.
        connection = self._chdb.connect(self._folder)
        try:
            # Like a server, and unlike chdb, it takes no expression without SELECT.
            _set(connection, {"implicit_select": "0"})
            _run(connection, f"USE {_quoted(statement.database, '`')}")
            own = {name: value for name, value in statement.settings.items() if name in statement.changeable}
            _set(connection, own)
            _set(connection, statement.profile)
            _set(connection, {name: value for name, value in statement.settings.items() if name not in own})
            sql = _reading(statement.sql, statement.data) if statement.data else statement.sql
            if statement.changeable:
                sql = sql.replace("system.settings", _told(statement.changeable))
            start = time.monotonic()
            result = _run(connection, sql, statement.format, statement.parameters)
            seconds = time.monotonic() - start
            rows, size = result.storage_rows_read(), result.storage_bytes_read()
            return Answer(bytes(result.bytes()), result.rows_read(), rows, size, seconds)
        finally:
            connection.close()

    def _ask(self, sql: str) -> str:
        return bytes(_run(self._first, sql, "TabSeparated").bytes()).decode().rstrip("\n")


def _load() -> Any:
    """Return chdb's compiled module alone: its package imports pyarrow and pandas, of which nothing is used here."""
    package = importlib.util.find_spec("chdb")
    assert package
    assert package.origin
    spec = importlib.util.spec_from_file_location("_chdb", Path(package.origin).with_name("_chdb.abi3.so"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(connection: Any, sql: str, form: str = "TabSeparated", parameters: Settings | None = None) -> Any:
    try:
        return connection.query(sql, form, params=dict(parameters or {}))
    except RuntimeError as error:
        raise Refusal(str(error)) from None


def _set(connection: Any, settings: Settings) -> None:
    if settings:
        _run(connection, "SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))


def _reading(sql: str, data: Path) -> str:
    """Return an INSERT that reads a file instead of what would follow it."""
    found = _FORMAT.search(sql)
    form = found[1] if found else "Values"
    return f"{sql[: found.start()] if found else sql} FROM INFILE {_quoted(str(data))} FORMAT {form}"


def _told(changeable: frozenset[str]) -> str:
    """Return what stands for system.settings: the engine knows of no setting that may be changed though readonly is 1."""
    names = ", ".join(map(_quoted, sorted(changeable)))
    return f"(SELECT * REPLACE (if(name IN ({names}), 0, readonly) AS readonly) FROM system.settings)"


def _quoted(text: str, quote: str = "'") -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote
