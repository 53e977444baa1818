"""Columns of tables whose heads say that they are secret: of databases, of command-line tools, with commas or with lines."""

from __future__ import annotations

from typing import NamedTuple

from . import looks, names
from .pattern import Pattern, Row, Spans

# What heads have whose columns are secret.
_WORDS = ("passw", "pwd", "secret", "token", "value", "apikey", "api_key", "api-key", "api key")
_LONGEST_HEAD = 1000
_BARS = "|\u2502\u2503"
# What stands between heads and rows: of a table with bars, and of one whose columns are marked by dashes.
_RULER = Pattern(r"[ \t]*[|+:\u2500-\u257f-][ \t|+:=\u2500-\u257f-]*\r?(?=\n|\Z)")
_DASHES = Pattern(r"[ \t]*(?:-+|=+)(?:[ \t]+(?:-+|=+))*[ \t]*\r?(?=\n|\Z)")
_DASH = Pattern(r"[-=]+")
# A head has three words at most: more are a sentence.
_SHORT = r"(?![^,;\t|]{61}) *[\w.\"-]+(?: [\w.\"-]+){0,2} *"
# The heads of a table with signs between its cells, and one cell of it.
_SIGNED = {sign: Pattern(rf"{_SHORT}(?:[{sign}]{_SHORT}){{1,60}}\r?") for sign in ",;\t|"}
_CELLS = {sign: Pattern(rf"\"(?:[^\"\n]|\"\")*\"(?=[{sign}\r\n]|\Z)|[^{sign}\n]*") for sign in ",;\t"}
# Cells with blanks between them.
_BLANKED = Pattern(r"\S+(?: \S+)*")
_HEAD = Pattern(r"[A-Za-z][\w.()/-]{0,60}(?: [\w.()/-]{1,60}){0,2}")
_VALUES = ("value", "secretstring", "parametervalue")
# Before the table of what a secret of Vault holds.
_VAULT_DATA = Pattern(r"=+ Data =+\s*\Z")
_BEFORE = 80
# A value of AWS' parameter store that is encrypted there.
_SECURE = "SecureString"
# Rows of AWS' own that have no head.
AWS = (
    Row("parameter, as text", "PARAMETER\t/app/door\tSecureString\tSECRET\t3",
        Pattern(r"SecureString\t(?P<secret>[^\t\n]+)")),
    Row("parameter, as a list", '"Type": "SecureString", "Value": "SECRET"',
        Pattern(r"SecureString\\{0,8}[\"']?[\s,|+-]{1,200}\\{0,8}[\"']?Value\\{0,8}[\"']?[ \t]{0,80}[:|][ \t]{0,80}"
                r"\\{0,8}[\"']?(?P<secret>[^\s\"'|\\][^\"'|\n]*)")),
    Row("secret, as text", "arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf\t1690000000.0\tx\tSECRET\t3f9ab27c-5d10",
        Pattern(r"arn:aws[\w-]{0,10}:secretsmanager:\S{1,300}\t\S{1,60}\t[^\t\n]{1,300}\t(?P<secret>[^\t\n]+)\t[0-9a-f-]{8}")),
)  # fmt: skip


class _Layout(NamedTuple):
    """How a table is laid out. ``sign``: what is between its cells; ``begins``: else, where its columns begin.

    ``heads``: the heads, in their order; ``rows``: where its rows begin; ``sure``: whether it is one for certain;
    ``aligned``: whether a row ends it that is not below the heads.
    """

    sign: str
    begins: tuple[int, ...]
    heads: list[str]
    rows: int
    sure: bool
    aligned: bool = False


def find(text: str, low: str, spans: Spans) -> None:
    """Add the secret cells of the tables of a text. ``low``: the text in small letters."""
    done = 0
    for hit in _hits(low):
        if hit < done:
            continue
        start = text.rfind("\n", max(hit - _LONGEST_HEAD, 0), hit) + 1
        end = text.find("\n", hit)
        if end < 0:
            return
        done = end
        layout = _layout(text, start, end) if end - start <= _LONGEST_HEAD else None
        if layout is not None:
            is_data = _VAULT_DATA.regex.search(text, max(start - _BEFORE, 0), start) is not None
            done = max(_rows(text, layout, is_data, spans), end)


def _hits(low: str) -> list[int]:
    """Return where words stand that heads of secret columns have, in their order."""
    hits = []
    for word in _WORDS:
        at = low.find(word)
        while at >= 0:
            hits.append(at)
            at = low.find(word, at + len(word))
    return sorted(hits)


def _layout(text: str, start: int, end: int) -> _Layout | None:
    """Return how the table is laid out whose heads are from ``start`` to ``end``, ``None`` if this is no table."""
    line, below = text[start:end].rstrip("\r"), text[end + 1 : end + 1 + _LONGEST_HEAD]
    drawn = next((sign for sign in _BARS if sign in line), "")
    if ruler := _DASHES.regex.match(below):
        begins = tuple(dash.start() for dash in _DASH.regex.finditer(ruler[0]))
        heads = [line[begin:stop].strip() for begin, stop in zip(begins, (*begins[1:], None), strict=True)]
        return _Layout("", begins, heads, end + 1 + ruler.end() + 1, True)
    if drawn and (ruler := _RULER.regex.match(below)):
        return _Layout(drawn, (), line.split(drawn), end + 1 + ruler.end() + 1, True)
    for sign, heads_of in _SIGNED.items():
        if sign in line and heads_of.regex.fullmatch(line):
            heads = line.split(sign)
            return _Layout(sign, (), heads, end + 1, not any(head.startswith(" ") for head in heads))
    cells = list(_BLANKED.regex.finditer(line))
    if len(cells) > 1 and all(_HEAD.regex.fullmatch(cell[0]) for cell in cells):
        heads = [cell[0] for cell in cells]
        return _Layout("", tuple(cell.start() for cell in cells), heads, end + 1, line == line.upper(), True)
    return None


def _rows(text: str, layout: _Layout, is_data: bool, spans: Spans) -> int:
    """Add the secret cells of the rows of a table. Return where it ends. ``is_data``: all its values are secret."""
    heads = [head.strip(' "\r') for head in layout.heads]
    kinds = [names.kind_of(head) if head else names.NONE for head in heads]
    values = [at for at, head in enumerate(heads) if head.lower() in _VALUES]
    columns = [at for at, kind in enumerate(kinds) if kind in (names.PASSWORD, names.SECRET)]
    at = layout.rows
    while (columns or values) and at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if not (layout.sign in _BARS and layout.sign and _RULER.regex.match(text, at, end)):
            cells = _cells(text, at, end, layout)
            if not _is_row(text, cells, layout):
                break
            for column in [each for each in columns if each < len(cells)]:
                sure = layout.sure and heads[column].lower() not in ("secret", "secrets")
                _add(text, cells[column], layout.sign, sure, spans)
            for column in [each for each in values if each < len(cells)]:
                kind = names.SECRET if is_data else _kind_of_row(text, cells, column)
                if kind is not names.NONE:
                    _add(text, cells[column], layout.sign, kind is names.SECRET, spans)
        at = end + 1
    return min(at, len(text))


def _cells(text: str, start: int, end: int, layout: _Layout) -> Spans:
    """Return where the cells of a row are."""
    if not layout.sign:
        return _columns(text, start, end, layout.begins)
    found: Spans = []
    if layout.sign in _CELLS:
        at = start
        while at <= end and len(found) <= len(layout.heads):
            cell = _CELLS[layout.sign].regex.match(text, at, end)
            at = cell.end() if cell else end
            found.append(cell.span() if cell else (at, at))
            at += 1
        return found
    at = start
    for _head in layout.heads[1:]:
        stop = text.find(layout.sign, at, end)
        if stop < 0:
            return found
        found.append((at, stop))
        at = stop + 1
    # A bar in a cell: what is behind it is in the last one.
    return [*found, (at, end)]


def _columns(text: str, start: int, end: int, begins: tuple[int, ...]) -> Spans:
    """Return where the cells of a row are whose columns begin at known places."""
    found: Spans = []
    for begin, stop in zip(begins, (*begins[1:], end - start), strict=True):
        first, last = start + begin, min(start + stop, end)
        if first >= end:
            break
        found.append((first, last))
    return found


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a part of a line with the words that its begin and its end are in."""
    if not text[start].isspace() and (word := _WORD_BEFORE.regex.match(text[max(start - _WIDEST, 0) : start][::-1])):
        start -= word.end()
    if not text[end - 1].isspace() and (word := _WORD_BEFORE.regex.match(text, end, end + _WIDEST)):
        end = word.end()
    return start, end


_WORD_BEFORE = Pattern(r"\S*")
# Characters by which a cell is wider than its column at most.
_WIDEST = 400


def _is_row(text: str, cells: Spans, layout: _Layout) -> bool:
    """Return whether these are the cells of a row."""
    if layout.aligned and any(not text[start - 1 : start].isspace() for start, _end in cells[1:]):
        return False
    if layout.begins:
        # The last cells may be empty.
        return bool(cells)
    return len(cells) == len(layout.heads) if layout.sign in _CELLS else len(cells) >= len(layout.heads)


def _kind_of_row(text: str, cells: Spans, column: int) -> str:
    """Return what the other cells of a row say of its value."""
    said = [text[start:end].strip(' "\r|') for at, (start, end) in enumerate(cells) if at != column]
    kinds = {names.kind_of(word) for word in said if word}
    if _SECURE in said or not kinds.isdisjoint((names.PASSWORD, names.SECRET)):
        return names.SECRET
    return names.KEY if names.KEY in kinds or names.WEAK in kinds else names.NONE


def _add(text: str, cell: tuple[int, int], sign: str, sure: bool, spans: Spans) -> None:
    """Add a cell if there is a value in it. ``sure``: also if it does not look like a secret."""
    start, end = cell if sign else _whole(text, *cell)
    bare = text[start:end].strip(' "\r\t|')
    # What follows a masked cell has moved to the left.
    if not looks.is_nothing(bare) and not bare.startswith("*** ") and (sure or looks.is_random(bare)):
        begin = start + text[start:end].index(bare)
        spans.append((begin, begin + len(bare)))
