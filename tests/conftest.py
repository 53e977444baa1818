"""Fixtures that all tests may use, and the quick run: `pytest --quick` leaves out what starts processes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import support
from support.report_pages import ARGUMENTS, CHROMIUM

from pipeline_trace.delivery.home import Home
from pipeline_trace.lookup.lookup import Lookup, local_lookup

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Modules that set up much, once, by what they set up: one worker runs all of those with the same, so that no other waits for
# that or does it again.
_ONE_WORKER = {
    "tests/callback/test_tree.py": "tree",
    "tests/change/test_path.py": "path",
    "tests/commands/test_from.py": "stories of the demo",
    "tests/commands/test_why.py": "why",
    "tests/demo/test_demo.py": "stories of the demo",
    "tests/demo/test_incident.py": "stories of the demo",
    "tests/lookup/test_sources.py": "sources",
    "tests/lookup/test_sources_odd.py": "sources",
    "tests/pages/test_now.py": "shop",
    "tests/poller/test_recordings.py": "recordings",
    "tests/whole/test_packaging.py": "packaging",
}
# A module in which every test starts processes says so at its top.
_ALL_PROCESSES = re.compile(r"^pytestmark = \[?pytest\.mark\.process\b", re.MULTILINE)
# What Python tells its audit hooks before a process begins.
_STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
_started: list[str] = []


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A clean environment with a store and journals of the test's own."""
    return support.environ(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home folder of the test's own, in the test's process."""
    (tmp_path / "journals").mkdir()
    return Home(tmp_path)


@pytest.fixture
def lookup(home: Home) -> Iterator[Lookup]:
    """What is in that folder."""
    found = local_lookup(home)
    yield found
    found.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all pages; each test has a context of its own in it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out tests one by one, but these modules whole, which come first.

    pytest.mark.xdist_group says the same, but xdist 3.8 does not see it with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _ONE_WORKER.get(nodeid.partition("::")[0], nodeid)

    return Scheduling(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the quick run."""
    parser.addoption("--quick", action="store_true", help="leave out the tests that start processes, browsers and venvs")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """In a quick run do not import what is left out as a whole: each worker would import it anew."""
    if not config.getoption("quick") or collection_path.suffix != ".py":
        return None
    return True if _ALL_PROCESSES.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a quick run leave out what starts processes, and forbid the rest to start any."""
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
