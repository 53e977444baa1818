"""An answer that is the same for many builds, but for some words: put together once, filled in for each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# Stand for what differs; numbers are to be numbers in JSON too.
NUMBER, UPSTREAM_NUMBER = 4242424242, 5353535353
URL, PATH, REVISION = "@url@", "@path@", "@revision@"
# Full name and path of the job whose builds start a build; path and display name of the job whose builds a build starts.
UPSTREAM, UPSTREAM_PATH, DOWNSTREAM_PATH, DOWNSTREAM_NAME = (
    "@upstream@",
    "@upstream-path@",
    "@downstream@",
    "@downstream-name@",
)
# The numbers of the builds that a build starts.
STARTED = ("@started-1@", "@started-2@", "@started-3@")
_WORDS = {str(NUMBER): "number", str(UPSTREAM_NUMBER): "upstream_number"}
_WORDS |= {
    word: word.strip("@")
    for word in (URL, PATH, REVISION, UPSTREAM, UPSTREAM_PATH, DOWNSTREAM_PATH, DOWNSTREAM_NAME, *STARTED)
}
_TOKEN = re.compile(f"({'|'.join(map(re.escape, _WORDS))}|\\b17\\d{{11}}\\b)")


class Text:
    """A text with gaps."""

    def __init__(self, text: str) -> None:
        """``text``: with the words above in it; numbers like milliseconds since the epoch are times."""
        self._parts: list[str | int] = []
        for index, part in enumerate(_TOKEN.split(text)):
            if index % 2 == 0:
                self._parts.append(part)
            else:
                self._parts.append(int(part) if part not in _WORDS else _WORDS[part])
        self._gaps = range(1, len(self._parts), 2)

    @classmethod
    def of(cls, document: Any) -> Text:
        """Return a document as JSON with gaps; a text stays as it is."""
        return cls(document if isinstance(document, str) else as_json(document))

    def fill(self, words: Mapping[str, str], later_ms: int) -> bytes:
        """Return the answer of one build, whose times are so many milliseconds later than in the text."""
        parts: list[Any] = self._parts.copy()
        for gap in self._gaps:
            part = parts[gap]
            parts[gap] = str(part + later_ms) if isinstance(part, int) else words[part]
        return "".join(parts).encode()


def as_json(document: Any) -> str:
    """Return a document as Jenkins writes it: without spaces between its parts."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
