"""Values of Kubernetes' Secrets: whatever their keys say, all under ``data`` and ``stringData`` is secret."""

from __future__ import annotations

import re
from functools import cache

from .pattern import Pattern, Spans
from .scan import end_of_quoted

_KIND = r"(?P<quote>\\{0,8}[\"']|)\bkind(?P=quote)[ \t]*:[ \t]*(?P<mark>\\{0,8}[\"']|)Secret\b(?P=mark)"
_KINDS = Pattern(_KIND)
_DATA = r"(?:data|stringData)"
_DATA_BEFORE = Pattern(_DATA + r"(?:\\{0,8}[\"'])?\s{0,20}:\s{0,20}\Z")
# Characters before a bracket that say what is in it.
_WINDOW = 80

# A line of YAML: what moves its first letter to the right (blanks, a list's dash, a diff's sign), and what it says.
_LINE = Pattern(r"(?P<before>[ +-]*)(?P<text>[^\n]*)(?:\n|\Z)")
_KIND_LINE = Pattern(r"(?:.*[\"'])?kind[\"']?[ \t]*:[ \t]*[\"']?Secret\b")
_DATA_LINE = Pattern(r"(?:.*[\"'])?" + _DATA + r"[\"']?[ \t]*:(?=\s|\Z)[ \t]*")


def find(text: str, spans: Spans) -> None:
    """Add the data of Kubernetes' Secrets in YAML and JSON."""
    kinds = {(found["quote"], found["mark"]) for found in _KINDS.regex.finditer(text)}
    for quote in {quote for quote, _mark in kinds}:
        _in_objects(text, quote, spans)
    if any(not quote or quote != mark for quote, mark in kinds):
        _in_lines(text, spans)


class _Mapping:
    """A mapping that is being read: where its data are, and whether it is a Secret."""

    def __init__(self, column: int = 0, start: int = -1) -> None:
        self.column = column
        self.start = start  # of its content, if it is the data of the mapping that it is in
        self.is_secret = False
        self.data: Spans = []

    def end(self, spans: Spans) -> None:
        """Add its data if it is a Secret."""
        if self.is_secret:
            spans.extend(self.data)


@cache
def _signs(quote: str) -> re.Pattern[str]:
    """Return what an object is read by whose names have this quote before them."""
    escape, marks = re.escape(quote[:-1]), "[\"']" if quote.endswith("'") else '"'
    return re.compile(rf"(?P<kind>{_KIND})|(?<!\\){escape}{marks}|[{{}}]")


def _in_objects(text: str, quote: str, spans: Spans) -> None:
    """Add the data of Secrets that are objects in brackets. Of an object that is cut off, only one bracket is there."""
    signs, at = _signs(quote), max(text.find("{"), 0)
    open_ones = [_Mapping()]
    while found := signs.search(text, at):
        at, sign = found.end(), found[0]
        if found["kind"]:
            open_ones[-1].is_secret = True
        elif sign == "{":
            is_data = _DATA_BEFORE.regex.search(text, max(found.start() - _WINDOW, 0), found.start())
            open_ones.append(_Mapping(start=at if is_data else -1))
        elif sign == "}":
            _close(open_ones, found.start(), spans)
        else:
            at = min(end_of_quoted(text, at, sign) + len(sign), len(text))
    while len(open_ones) > 1:
        _close(open_ones, len(text), spans)
    open_ones[0].end(spans)


def _close(open_ones: list[_Mapping], end: int, spans: Spans) -> None:
    """End the innermost object."""
    ended = open_ones.pop()
    ended.end(spans)
    if not open_ones:
        open_ones.append(_Mapping())
    elif ended.start >= 0:
        open_ones[-1].data.append((ended.start, end))


def _in_lines(text: str, spans: Spans) -> None:
    """Add the data of Secrets that are written in lines: the lines that are indented below ``data``."""
    open_ones: list[_Mapping] = []
    data: _Mapping | None = None
    for line in _LINE.regex.finditer(text):
        said, column = line["text"].strip(), len(line["before"])
        end = line.start("text") + len(line["text"].rstrip())
        if line[0].startswith("---"):
            # The next document.
            data = None
            _end_deeper(open_ones, -1, False, spans)
            continue
        if not said:
            continue
        if data is not None and column > data.column:
            begin = data.data[-1][0]
            data.data[-1] = (line.start("text") if begin < 0 else begin, end)
            continue
        data = None
        _end_deeper(open_ones, column, line["before"].endswith("- "), spans)
        if not open_ones or open_ones[-1].column < column:
            open_ones.append(_Mapping(column))
        if _KIND_LINE.regex.match(line["text"]):
            open_ones[-1].is_secret = True
        elif begins := _DATA_LINE.regex.match(line["text"]):
            data = open_ones[-1]
            start = line.start("text") + begins.end()
            data.data.append((start, end) if start < end else (-1, -1))
    _end_deeper(open_ones, -1, False, spans)


def _end_deeper(open_ones: list[_Mapping], column: int, is_item: bool, spans: Spans) -> None:
    """End the mappings that are further to the right, and the one at this column if an item of a list begins."""
    while open_ones and (open_ones[-1].column > column or (is_item and open_ones[-1].column == column)):
        open_ones.pop().end(spans)
