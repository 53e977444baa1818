"""docs/many-machines.md has each line with which a question to ClickHouse may end, word for word, and each variable."""

from __future__ import annotations

import re

import support

from pipeline_trace.lookup.clickhouse import errors, login, schema
from pipeline_trace.lookup.clickhouse.address import Address

PAGE = (support.ROOT / "docs/many-machines.md").read_text(encoding="utf-8")
PLACE = Address("clickhouse.example.com", 8443, True, "reader", "otel", "otel_traces")
# What stands in the docs for a code of several.
SHOWN = {158: 241, 160: 159, 452: 164, 47: 46, 0: 999}


def lines_told() -> set[str]:
    """Return the lines of the table."""
    part = PAGE.partition("## When something is wrong")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^|]+)` \|", part, re.MULTILINE))


def lines_said() -> set[str]:
    """Return the lines that errors.py and schema.py have."""
    codes = [min(codes) for codes, _ in errors._BY_CODE] + [0]
    errors_of_codes = [Exception(f"code: {SHOWN.get(code, code) or 999}, server response: x") for code in codes]
    words = [Exception(words[0]) for words, _ in (*errors._BY_WORDS, (errors._CLOSED, ""))]
    statuses = [Exception(f"HTTP driver received HTTP status {status}") for status in (503, 404)]
    plain = Address(**{**vars(PLACE), "secure": False})
    found = {str(errors.problem(error, PLACE)) for error in (*errors_of_codes, *words, *statuses)}
    found.add(str(errors.problem(Exception(errors._CLOSED[0]), plain)))
    found.add(str(schema._other(PLACE, "lacks Duration, Events.Name and others")))
    return {line.partition("otel_traces: ")[2] for line in found}


def test_the_page_tells_every_line_and_no_other() -> None:
    assert lines_told() == lines_said()


def test_the_page_tells_every_variable() -> None:
    for name in (login.PASSWORD, login.PASSWORD_FILE, login.AUTHORITY, login.CERTIFICATE, login.KEY):
        assert f"`{name}`" in PAGE or f"{name}=" in PAGE, name
