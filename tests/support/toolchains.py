"""Which of the other tools are set up here, and which toolchain is missing where one is not."""

from __future__ import annotations

import pytest

import support

PEERS = support.ROOT / ".peers"


def needs(peer: str, toolchain: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test where a peer of `make test-peers` is not set up, and says what it is made with."""
    reason = f"{peer} is not set up by `make test-peers`: it takes {toolchain}"
    return pytest.mark.skipif(not (PEERS / peer / ".done").exists(), reason=reason)


needs_collector = needs("collector", "Go 1.26 or newer")
needs_pytest_otel = needs("pytest-otel", "packages from PyPI")
needs_pytest_opentelemetry = needs("pytest-opentelemetry", "packages from PyPI")
needs_maven = needs("maven", "mvn and a JDK")
