"""Fixtures that all tests may use, and the quick run: `pytest --quick` leaves out what starts processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from playwright.sync_api import Browser, sync_playwright
from support.report_pages import ARGUMENTS, CHROMIUM

# What Python tells its audit hooks before a process begins.
_STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
_started: list[str] = []


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A clean environment with a store and journals of the test's own."""
    return support.environ(tmp_path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all pages; each test has a context of its own in it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the quick run."""
    parser.addoption("--quick", action="store_true", help="leave out the tests that start processes, browsers and venvs")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a quick run leave out what starts processes, and forbid the rest to start any.

    Groups, whose tests one worker runs, come first: what takes long alone must not begin last.
    """
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
    if config.getoption("quick"):
        # For good: by now xdist's own processes run.
        sys.addaudithook(_forbid)
        left_out = [item for item in items if item.get_closest_marker("process")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("process")]


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    if event in _STARTS:
        _started.append(f"{event} {arguments[:2]}")
        raise AssertionError("this test starts a process, and has no pytest.mark.process")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget what fixtures of another test wanted."""
    _started.clear()


@pytest.fixture(autouse=True)
def _honest() -> Iterator[None]:
    """A process that a quick test wanted is a failure, though the code under test may have gone on without it."""
    yield
    assert _started == []
