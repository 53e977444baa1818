"""What the tests with real engines share: an engine, the Collector that writes into it, spans of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from support import installs, played
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

    def tell(folder: Path) -> support.Completed:
        return support.spawn("demo", "-o", folder / "told", env=support.environ(folder, ANSIBLE_PIPELINING="0"))

    done = played.once(installs.shared_folder(tmp_path_factory.getbasetemp()) / "demo", tell)
    assert done.returncode == 0, done.stderr
    env = {**support.environ(done.folder), "PIPELINE_TRACE_HOME": str(done.folder / "told")}
    return [Span.from_dict(span) for span in support.stored(env)]
