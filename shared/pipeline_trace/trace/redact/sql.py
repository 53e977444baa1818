"""Secrets in SQL: of users, of columns that are inserted, and the values that a statement is bound to."""

from __future__ import annotations

from . import looks, names
from .pattern import BEGIN, Pattern, Row, Spans, find_rows
from .scan import LINE_END

USERS = (
    Row("SQL", "ALTER USER a IDENTIFIED BY SECRET",
        Pattern(rf"(?i){BEGIN}identified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?(?:values\s+)?"
                r"(?:\\{0,8}[\"'`])?(?P<secret>(?!random\b)[^\s\"'`;]+(?:[^\"'`\n]*(?=[\"'`]))?)")),
    Row("password of a user", "SET PASSWORD FOR 'a' = 'SECRET'",
        Pattern(r"(?i)\bpassword\s+for\s+[^=\n]{1,100}=\s*(?:password\()?\\{0,8}[\"'](?P<secret>[^\"'\n]+)")),
)  # fmt: skip
_INSERT = Pattern(r"(?i)\((?P<heads>[^()]{1,500})\)\s{0,40}values\s{0,40}\((?P<cells>[^()]{1,4000})\)")
_CELL = Pattern(r"\s*(?P<cell>'(?:[^']|'')*'|[^,']+)\s*,?")
_PLACEHOLDER = Pattern(r"\?|%s|\$\d{1,3}|[:@]\w{1,60}")


def find_inserts(text: str, spans: Spans) -> None:
    """Add the values of SQL's INSERT whose columns are secret."""
    for found in _INSERT.regex.finditer(text):
        heads = [head.strip(' `"[]\n') for head in found["heads"].split(",")]
        cells = list(_CELL.regex.finditer(text, found.start("cells"), found.end("cells")))
        for head, cell in zip(heads, cells, strict=False):
            value = cell["cell"].strip()
            if names.kind_of(head) not in (names.PASSWORD, names.SECRET) or looks.is_nothing(value.strip("' ")):
                continue
            if not _PLACEHOLDER.regex.fullmatch(value):
                spans.append(
                    (cell.start("cell") + cell["cell"].startswith("'"), cell.end("cell") - cell["cell"].endswith("'"))
                )


# What stands before the values of a statement: always, and only where a text tells of SQL.
_BOUND = Pattern(
    r"\[parameters: (?=[\[({])|DETAIL: {1,4}[Pp]arameters: (?=\$)|==> {1,4}Parameters: (?=\S)"
    r"|\[(?:generated in|cached since|no key|raw sql)[^\]\n]{0,60}\] (?=[\[({])"
)
_MAYBE_BOUND = Pattern(
    r"(?i)(?:\bwith (?:bound |bind )?(?:params|parameters|args|arguments|values|binds|bindings)[:=]? ?"
    r"|; (?:args|params)=)"
    r"(?=[\[({]+[ ]?(?:[bu]?[\"']|\d|None))"
)
_TELLS_SQL = Pattern(r"(?i)\b(?:insert into|update|select|delete from|values|where|execut\w+|statement|query|sql)\b")
_LOGGED = (
    Row("bound parameter", "binding parameter [1] as [VARCHAR] - [SECRET]",
        Pattern(r"binding parameter [\[(]\d{1,4}(?:[\])] as \[\w{1,30}\] - \[|:\w{1,30}[\])] <- \[)"
                r"(?P<secret>[^\n]+?)\](?=\s|\Z)")),
)  # fmt: skip
_BACKGROUND = "(Background on this error"


def find_bound(text: str, spans: Spans) -> None:
    """Add the values that statements are bound to: which of them are secret, nothing tells."""
    find_rows(_LOGGED, text, spans)
    for pattern in (_BOUND, _MAYBE_BOUND):
        if pattern is _MAYBE_BOUND and not _TELLS_SQL.regex.search(text):
            continue
        found = pattern.regex.search(text)
        while found is not None:
            start = found.end()
            line = LINE_END.regex.search(text, start)
            end = line.start() if line else len(text)
            background = text.find(_BACKGROUND, start, end)
            end = background if background >= 0 else end
            values = text[start:end].rstrip().rstrip("\"'.,;").rstrip("])}")
            inside = len(values) - len(values.lstrip("[({"))
            if values[inside:].strip():
                spans.append((start + inside, start + len(values)))
            found = pattern.regex.search(text, max(end, start + 1))
