"""Fixtures that all tests may use."""

from __future__ import annotations

from pathlib import Path

import pytest
import support


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A clean environment with a store and journals of the test's own."""
    return support.environ(tmp_path)


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers."""
    config.addinivalue_line("markers", "slow: takes ten seconds or more")
