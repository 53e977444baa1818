"""Fixtures of the poller's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.service import Service


@pytest.fixture
def start(env: dict[str, str]) -> Iterator[Callable[..., Service]]:
    """Start pollers as services; what the test leaves running is ended."""
    started: list[Service] = []

    def begin(*arguments: object, **more: str) -> Service:
        started.append(Service({**env, **more}, *arguments))
        return started[-1]

    yield begin
    for service in started:
        service.close()
