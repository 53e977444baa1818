"""What to do about an error of SQLite, in one wording for the store and the poller's state."""

from __future__ import annotations

_ROOM = "free some space there, or set PIPELINE_TRACE_HOME to a folder on another disk"
_ACCESS = "free some space there, check its permissions, or set PIPELINE_TRACE_HOME to another folder"
# What is said of a file that a program has used, and that is no longer there.
GONE = "somebody moved or removed it"
REPLACED = "somebody put another file at its place"
# By words of SQLite's message: not before Python 3.11 has an error a code.
_REMEDIES = {
    "locked": "another process holds it; try again when that has ended",
    "is full": _ROOM,
    # Also where the disk has no room for the file that SQLite makes beside the database.
    "disk I/O error": _ROOM,
    "unable to open": _ACCESS,
    "readonly": _ACCESS,
    GONE: "put it back; for a new, empty one, end pipeline-trace serve and start it again",
    REPLACED: "to use that one, end pipeline-trace serve and start it again",
}


def remedy(error: Exception, damaged: str = "move it away, or set PIPELINE_TRACE_HOME to another folder") -> str:
    """Return what to do about an error with a file. ``damaged``: what to do if the file is damaged."""
    return next((said for words, said in _REMEDIES.items() if words in str(error)), damaged)
