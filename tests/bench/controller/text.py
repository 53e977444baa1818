"""An answer that is the same for many builds, but for some words: put together once, filled in for each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# Stand for what differs; numbers are to be numbers in JSON too.
NUMBER, UPSTREAM_NUMBER = 4242424242, 5353535353
URL, PATH, UPSTREAM, REVISION = "@url@", "@path@", "@upstream@", "@revision@"
_WORDS = {
    str(NUMBER): "number",
    str(UPSTREAM_NUMBER): "upstream_number",
    URL: "url",
    PATH: "path",
    UPSTREAM: "upstream",
    REVISION: "revision",
}
_TOKEN = re.compile(f"({'|'.join(map(re.escape, _WORDS))}|\\b17\\d{{11}}\\b)")


class Text:
    """JSON with gaps."""

    def __init__(self, document: Any) -> None:
        """``document``: with the words above in it; numbers like milliseconds since the epoch are times."""
        self._parts: list[str | int] = []
        for index, part in enumerate(_TOKEN.split(json.dumps(document, separators=(",", ":"), ensure_ascii=False))):
            if index % 2 == 0:
                self._parts.append(part)
            else:
                self._parts.append(int(part) if part not in _WORDS else _WORDS[part])
        self._gaps = range(1, len(self._parts), 2)

    def fill(self, words: Mapping[str, str], later_ms: int) -> bytes:
        """Return the answer of one build, whose times are so many milliseconds later than in the document."""
        parts: list[Any] = self._parts.copy()
        for gap in self._gaps:
            part = parts[gap]
            parts[gap] = str(part + later_ms) if isinstance(part, int) else words[part]
        return "".join(parts).encode()
