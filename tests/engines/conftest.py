"""What the tests with real engines share: an engine, the Collector that writes into it, spans of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import told
from support.clickhouse import Engine

from pipeline_trace.trace.span import Span


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A ClickHouse with nothing in it."""
    with Engine(tmp_path / "clickhouse") as engine:
        yield engine


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> list[Span]:
    """All spans of the demo, told once."""
    return told.spans(told.demo(tmp_path_factory.getbasetemp()).folder / "told")
