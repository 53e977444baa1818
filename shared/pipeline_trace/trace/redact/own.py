"""Secrets that the user names: the file of ``PIPELINE_TRACE_SECRETS``, else ``PIPELINE_TRACE_HOME/secrets`` if it exists.

A line is a word that is never shown, ``name: NAME`` (what is assigned to this name is a secret), ``prefix: PREFIX`` (words
that begin so are secrets), or a comment behind ``#``. ``word: WORD`` is a word too, for those that look like one of the
others. There are no regular expressions: one could hold up a deploy.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..files import open_regular
from ..masking import SECRETS, secrets_file
from . import names as known
from .pattern import Pattern, Spans

LARGEST = 1 << 18  # bytes of the file
MOST = 1000  # lines
SHORTEST = 4  # characters: a shorter word is a part of too many others
# More words than these are looked up by how they begin.
_FEW = 24
_REST = Pattern(r"[A-Za-z0-9_.~+/=-]{2,}")


class Own(NamedTuple):
    """What the user adds. ``words``: in all encodings. ``by_begin``: the same by their first letters. ``problems``: one
    line each."""

    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    by_begin: Mapping[str, tuple[str, ...]] = {}
    problems: tuple[str, ...] = ()


def find(own: Own, text: str, spans: Spans) -> None:
    """Add the words and the prefixed words of the user."""
    if own.words:
        _find_words(own, text, spans)
    for prefix in own.prefixes:
        at = text.find(prefix)
        while at >= 0:
            rest = _REST.regex.match(text, at + len(prefix))
            if rest:
                spans.append((at, rest.end()))
            at = text.find(prefix, rest.end() if rest else at + 1)


def _find_words(own: Own, text: str, spans: Spans) -> None:
    """Add the words of the user."""
    if own.by_begin:
        for at in range(len(text) - SHORTEST + 1):
            for word in own.by_begin.get(text[at : at + SHORTEST], ()):
                if text.startswith(word, at):
                    spans.append((at, at + len(word)))
        return
    for word in own.words:
        at = text.find(word)
        while at >= 0:
            spans.append((at, at + len(word)))
            at = text.find(word, at + len(word))


def loaded() -> Own | None:
    """Return what the user adds, ``None`` if nothing. Reads the file once, and tells on stderr what is wrong with it."""
    own = read(os.environ)
    for name in own.names:
        known.add(name)
    for problem in own.problems:
        print(f"pipeline-trace: {problem}", file=sys.stderr)  # noqa: T201
    return own if own.words or own.names or own.prefixes else None


def read(environ: Mapping[str, str]) -> Own:
    """Return what the file of an environment adds; nothing, and why, if it cannot be read."""
    path = secrets_file(environ)
    if not path:
        return Own()
    try:
        with os.fdopen(open_regular(Path(path), os.O_RDONLY), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        return Own(problems=(_unread(path, error),))
    problems = []
    if mode & 0o077:
        problems.append(f"others can read the secrets in {path}: run chmod 600 on it")
    if len(data) > LARGEST:
        problems.append(f"{path} is longer than {LARGEST} bytes: the rest of it is not read, make it shorter")
        data = data[:LARGEST].rpartition(b"\n")[0]
    return parsed(data.decode("utf-8", "replace"), path, problems)


def _unread(path: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return f"the secrets in {path} are not read ({reason}): correct {SECRETS}"


def parsed(text: str, path: str, problems: list[str]) -> Own:
    """Return what the lines of a file add. Lines that say nothing usable are told by their number: they may be secrets."""
    words: list[str] = []
    found: dict[str, list[str]] = {"word": words, "name": [], "prefix": []}
    bad = []
    lines = text.splitlines()
    for number, line in enumerate(lines[:MOST], 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        kind, colon, value = line.partition(":")
        if not colon or kind.strip() not in found:
            kind, value = "word", line
        value = value.strip()
        least = 2 if kind.strip() == "name" else SHORTEST
        if len(value) < least or (kind.strip() == "name" and not all(each.isalnum() or each in "_.-" for each in value)):
            bad.append(str(number))
        else:
            found[kind.strip()].append(value)
    if bad:
        told = ", ".join(bad[:10]) + (", …" if len(bad) > 10 else "")
        problems.append(
            f"lines of {path} are skipped: {told}. A word or prefix has {SHORTEST} characters or more, a name letters"
            f" and digits"
        )
    if len(lines) > MOST:
        problems.append(f"{path} has more than {MOST} lines: the rest of it is not read, make it shorter")
    every = tuple(dict.fromkeys(form for word in words for form in encoded(word)))
    begins: dict[str, tuple[str, ...]] = {}
    for form in every if len(every) > _FEW else ():
        begins[form[:SHORTEST]] = (*begins.get(form[:SHORTEST], ()), form)
    prefixes = tuple(found["prefix"])
    return Own(every, tuple(name.lower() for name in found["name"]), prefixes, begins, tuple(problems))


def encoded(word: str) -> list[str]:
    """Return a word as it is, and as URLs, base64, JSON, shells and HTML write it."""
    from base64 import b64encode, urlsafe_b64encode
    from html import escape
    from json import dumps
    from shlex import quote
    from urllib.parse import quote as percent
    from urllib.parse import quote_plus

    data = word.encode("utf-8", "surrogateescape")
    plain = dumps(word)[1:-1]
    forms = [
        word,
        percent(data, safe=""),
        percent(data),
        quote_plus(data),
        plain,
        dumps(plain)[1:-1],
        dumps(word, ensure_ascii=False)[1:-1],
    ]
    forms += [quote(word).strip("'"), escape(word), escape(word, quote=False), word.replace("'", "''"), repr(word)[1:-1]]
    forms += [form.replace("%2f", "%2F") for form in (percent(data, safe="").lower(),) if "%" in form]
    for encode in (b64encode, urlsafe_b64encode):
        forms.append(encode(data).decode())
        # Within other bytes: three ways to begin. The letters at either end also depend on what is around.
        for before in range(3):
            text = encode(b"\0" * before + data).decode().rstrip("=")
            whole = (before + len(data)) * 8 // 6
            forms.append(text[(before * 8 + 5) // 6 : whole])
    return [form for form in dict.fromkeys(forms) if len(form) >= SHORTEST]
