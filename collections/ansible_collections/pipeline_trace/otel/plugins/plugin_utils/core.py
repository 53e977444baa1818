# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Imports the pipeline_trace package: the copy in this collection, else the installed package.

The collection from ansible-galaxy has a copy. With pip, the package is installed next to the collection.
"""

from __future__ import annotations

try:
    from .pipeline_trace.delivery import destinations, home, journal, progress, reader, start
    from .pipeline_trace.place import locate, w3c
    from .pipeline_trace.trace import conventions, ids, lines, redact, resource, span, words
except ImportError as first_error:
    try:
        from pipeline_trace.delivery import destinations, home, journal, progress, reader, start
        from pipeline_trace.place import locate, w3c
        from pipeline_trace.trace import conventions, ids, lines, redact, resource, span, words
    except ImportError:
        raise first_error from None

__all__ = [
    "conventions",
    "destinations",
    "home",
    "ids",
    "journal",
    "lines",
    "locate",
    "progress",
    "reader",
    "redact",
    "resource",
    "span",
    "start",
    "w3c",
    "words",
]
