"""docs/architecture.md names every room and every module, each where it is."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from support import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
HOMES = {
    "": ROOT / "shared/pipeline_trace",
    "jenkins_poller": ROOT / "jenkins/jenkins_poller",
    "plugins": ROOT / "collections/ansible_collections/pipeline_trace/otel/plugins",
}
# Rows that are about several folders, by the folder.
SHARED_ROWS = {"place/ci": "place", "delivery/destinations": "delivery"}


def rooms() -> dict[str, list[str]]:
    """Return the modules of each folder that has some, by the name that the page has for the folder."""
    found: dict[str, list[str]] = {}
    for name, home in HOMES.items():
        for path in sorted(home.rglob("*.py")):
            folder = path.parent.relative_to(home)
            # The core as it is linked into the collection.
            if path.stem == "__init__" or "pipeline_trace" in folder.parts:
                continue
            room = str(Path(name) / folder) if str(folder) != "." else name
            found.setdefault(room, []).append(path.stem)
    return found


def row(room: str) -> str:
    """Return the row of the table of rooms that is about a folder."""
    shown = SHARED_ROWS.get(room, room)
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") and f"`{shown}`" in line.split("|")[1]]
    assert rows, f"docs/architecture.md has no row for {room}"
    return rows[0]


@pytest.mark.parametrize("room", [room for room in rooms() if room])
def test_the_page_names_the_modules_of_a_room(room: str) -> None:
    words = set(re.findall(r"[\w]+", row(room)))
    assert [module for module in rooms()[room] if module not in words and room != "delivery/destinations"] == []


def test_the_page_names_the_modules_outside_of_rooms() -> None:
    assert [module for module in rooms()[""] if f"`{module}`" not in PAGE] == []


def test_the_page_names_no_module_that_is_gone() -> None:
    known = {module for modules in rooms().values() for module in modules}
    folders = {part for home in HOMES.values() for path in home.rglob("*") if path.is_dir() for part in (path.name,)}
    rooms_table = PAGE.partition("## The rooms")[2].partition("## What you can change")[0]
    named = {
        name.rstrip("/").rpartition("/")[2]
        for line in rooms_table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([\w/]+)`", line.split("|")[2])
    }
    assert named - known - folders == set()


def test_every_dependency_has_a_lower_bound_that_can_be_installed_alone() -> None:
    """`make test-lowest` reads these lines; one without a bound would be tested in its newest version only."""
    setup = configparser.RawConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = [line for line in setup["options"]["install_requires"].splitlines() if line]
    lines += [line for line in setup["options.extras_require"]["clickhouse"].splitlines() if line]
    assert len(lines) > 10
    assert [line for line in lines if not re.match(r"[\w-]+ >= [\d.]+(, < \d+)?$", line)] == []
