# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Imports the pipeline_trace package: the copy in this collection, else the installed package.

The collection from ansible-galaxy has a copy. With pip, the package is installed next to the collection.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

try:
    from .pipeline_trace.delivery import destinations, home, journal, start
    from .pipeline_trace.place import locate, w3c
    from .pipeline_trace.trace import clock, conventions, ids, lines, redact, resource, span, words
except ImportError as first_error:
    try:
        from pipeline_trace.delivery import destinations, home, journal, start
        from pipeline_trace.place import locate, w3c
        from pipeline_trace.trace import clock, conventions, ids, lines, redact, resource, span, words
    except ImportError:
        raise first_error from None

_PACKAGE = span.__name__.rpartition(".trace.")[0]


def load(name: str) -> Any:
    """Return a module of the core that few runs need, such as delivery.reader.

    Not imported above: Ansible compiles a collection's modules anew in every run.
    """
    return import_module(f"{_PACKAGE}.{name}")


__all__ = [
    "clock",
    "conventions",
    "destinations",
    "home",
    "ids",
    "journal",
    "lines",
    "load",
    "locate",
    "redact",
    "resource",
    "span",
    "start",
    "w3c",
    "words",
]
