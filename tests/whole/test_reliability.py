"""docs/reliability.md names, for each of its promises, tests that exist."""

from __future__ import annotations

import re
from functools import cache

import pytest
import support

PAGE = (support.ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
# A file of tests; a test, or with … the begin of one; a part of a file, by its comment.
NAMED = re.compile(r'`(?P<file>\w+/test_\w+\.py)`|\b(?P<test>test_\w+)(?P<more>…)?|(?<=: )"(?P<part>[^"]+)"')
COLUMN = "tested in"


def promises() -> list[tuple[str, str]]:
    """Return the first and the last cell of each row of the tables that say where they are tested."""
    found, inside = [], False
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        inside = line.startswith("|") and (inside or cells[-1] == COLUMN)
        if inside and cells[-1] != COLUMN and not line.startswith("|---"):
            found.append((cells[0], cells[-1]))
    return found


@cache
def source(file: str) -> str:
    """Return the text of a file of tests; empty if there is none."""
    path = support.TESTS / file
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def missing(text: str) -> list[str]:
    """Return what a text names that does not exist. A test belongs to the file before it."""
    file, found = "", []
    for named in NAMED.finditer(text):
        file = named["file"] or file
        here = source(file)
        tests = re.findall(r"^(?:async )?def (test_\w+)", here, re.MULTILINE)
        if named["file"]:
            exists = bool(tests)
        elif named["test"]:
            exists = any(test.startswith(named["test"]) if named["more"] else test == named["test"] for test in tests)
        else:
            exists = f"\n# {named['part']}\n" in here
        if not exists:
            found.append(f"{file}: {named[0]}")
    return found


def test_the_tables_are_read() -> None:
    assert len(promises()) > 40


@pytest.mark.parametrize(("promise", "where"), promises())
def test_each_promise_names_its_tests(promise: str, where: str) -> None:
    assert NAMED.search(where), promise
    assert missing(where) == []


def test_what_else_the_page_names_exists() -> None:
    assert missing(PAGE) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "`whole/test_nothing.py`",
        "`whole/test_reliability.py`: test_nothing",
        "`whole/test_reliability.py`: test_each_promise",
        "`whole/test_reliability.py`: test_noth…",
        '`whole/test_reliability.py`: "No such part"',
    ],
)
def test_a_test_that_does_not_exist_is_found(wrong: str) -> None:
    assert len(missing(wrong)) == 1
    assert missing("`whole/test_reliability.py`: test_each_promise_…, test_the_tables_are_read") == []
