"""The tables of docs/security.md are as the product masks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline_trace.trace import masking, redact
from pipeline_trace.trace.redact import own, programs, tokens

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")


def rows(mark: str) -> list[list[str]]:
    """Return the texts in the cells of the tables with a mark, without their heads."""
    found = []
    for table in re.findall(rf"<!-- {mark} -->\n(.*?)<!-- until here -->", PAGE, re.DOTALL):
        for line in table.splitlines()[2:]:
            cells = re.split(r"(?<!\\)\|", line.strip("|"))
            found.append([cell.strip().strip("`").replace("\\|", "|").replace("⏎", "\n") for cell in cells])
    return found


@pytest.mark.parametrize(("form", "text", "shown"), rows("masked"))
def test_an_example_is_masked_as_the_page_shows(form: str, text: str, shown: str) -> None:
    assert redact.masked(text) == shown
    assert "***" in shown


@pytest.mark.parametrize(("what", "text"), rows("kept"))
def test_what_the_page_says_is_kept_is_kept(what: str, text: str) -> None:
    assert redact.masked(text) == text


def test_the_page_names_every_program_and_every_token() -> None:
    told = set(re.findall(r"`([^`]+)`", re.sub(r"\s+", " ", PAGE.partition("The programs:")[2].partition("\n## ")[0])))
    assert told == {name for names, _ in programs.PROGRAMS for name in names.split()}
    listed = re.sub(r"\s+", " ", PAGE.partition("stands before them:")[2].partition("\n\n")[0]).strip(" .").split(", ")
    assert set(listed) == {part for name, _ in tokens.PREFIXES for part in name.split(", ")} | {
        row.name for _, row in tokens.BARE
    }


def test_the_page_tells_the_bounds_of_the_users_file() -> None:
    assert f"{own.MOST:,} lines and {own.LARGEST >> 10} KiB" in PAGE
    assert masking.SECRETS in PAGE
