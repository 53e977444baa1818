"""Runs what waits, in an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def ran(what: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, in a new thread: in this one, the browser of other tests keeps an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, what).result()
