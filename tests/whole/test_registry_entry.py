"""docs/registry-entry.yml holds what opentelemetry.io's data/registry-schema.json asks for."""

from __future__ import annotations

import datetime

import support
import yaml

# From the schema: its required properties, all that it knows, and the words that two of them may have.
REQUIRED = {"title", "description", "urls", "authors"}
KNOWN = REQUIRED | {
    "registryType",
    "language",
    "license",
    "tags",
    "createdAt",
    "package",
    "deprecated",
    "isNative",
    "isFirstParty",
    "cncfProjectLevel",
}
TYPES = {"application integration", "exporter", "extension", "instrumentation", "receiver", "resource-detector", "utilities"}


def test_the_entry_fits_the_schema() -> None:
    entry = yaml.safe_load((support.ROOT / "docs" / "registry-entry.yml").read_text(encoding="utf-8"))
    assert set(entry) >= REQUIRED
    assert set(entry) <= KNOWN
    assert entry["registryType"] in TYPES
    assert entry["language"] == "python"
    assert len(set(entry["tags"])) == len(entry["tags"])
    assert set(entry["urls"]) <= {"repo", "docs", "website", "blog"}
    assert "repo" in entry["urls"]
    for author in entry["authors"]:
        assert "OpenTelemetry" not in author["name"]
        assert author.get("email") or author["url"].startswith("https://")
    assert datetime.date.fromisoformat(entry["createdAt"])
