"""What the tests of sources share: a world that both have, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import worlds


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[worlds.World]:
    """Recorded builds and months made at random. No test changes them."""
    with worlds.recorded_and_made(tmp_path_factory.mktemp("sources")) as world:
        yield world
