# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The core of pipeline-trace: the copy that is part of this collection, else the installed package.

A collection installed by ansible-galaxy has a copy; one installed by pip has the package beside it.
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
