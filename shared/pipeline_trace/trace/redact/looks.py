"""What a value looks like: a secret, or a word, a number, a path, a digest, a reference to a variable."""

from __future__ import annotations

import re

from .pattern import Pattern

# None of these is a secret, whatever its name: empty, a truth value, a variable or a template.
_NOTHING = Pattern(
    r"(?:|n/a|~|\*{2,}[\])}>,;.'\"]*|\.{3}|…|<[a-z_ -]+>|\[[a-z_ -]+\]|(?:true|false|null|none|yes|no)|\((?:hidden"
    r"|redacted|masked|sensitive"
    r"|sensitive value|known after apply|unset|empty|omitted|not set)\)"
    r"|\{\{[ \w.|()-]*\}\}|\$\{\{[ \w.|()-]*\}\}|\$\{[A-Za-z_][\w.:]*\}|%\([a-z_]+\)s|\{[a-z_]*\})[,;)]?",
    re.IGNORECASE,
)
_WORDS = frozenset(
    [
        "true",
        "false",
        "null",
        "none",
        "nil",
        "yes",
        "no",
        "undefined",
        "hidden",
        "redacted",
        "masked",
        "sensitive",
        "unset",
        "empty",
        "omitted",
        "inherit",
    ]
)
# Letters only: `$ecret1` is a password. `getToken()` is a call.
_VARIABLE = Pattern(r"\$(?:env:)?[A-Z_]+[,;)]?|%[A-Z_]+%|\$[a-z_]+|[A-Za-z_][A-Za-z_.]*\(\)[,;)]?")
_PLAIN = Pattern(
    r"""
    [A-Za-z]?[a-z]*(?:[-_./ ,:][A-Za-z]?[a-z]+)*[.,;:!?)'"]*    # words
    | [A-Z]+(?:[-_ ][A-Z]+)*[.,;:!?)'"]*
    | [a-z]+(?:[A-Z][a-z]+)+[.,;:!?)'"]*                      # camelCase
    | [a-z]+(?:[-_./][a-z]+)*[-_.]?\d{1,4}[.,;:!?)'"]*        # web-01
    | (?:[a-z]+\d{0,3}|\d{1,3})(?:[-_./](?:[a-z]+\d{0,3}|\d{1,3}))*[.,;:!?)'"]*
    | [-+]?\d{1,19}(?:\.\d+)*[%,;:)]*(?:[a-z]{1,2})?          # numbers, versions
    | v?\d+(?:\.\d+)+(?:[-+.]\w{1,12})*[,;)]*
    | [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}             # a uuid
    | (?:sha\d+:)?(?:[0-9a-f]{7,12}|[0-9a-f]{40}|[0-9a-f]{64})
    | \d{4}-\d\d-\d\d\S*                                      # a date
    | [a-z][a-z0-9+.-]*://\S*
    """,
    re.VERBOSE,
)
_PATH = Pattern(
    r"(?:~|\.{0,2})/[\w./@+ -]*|[\w./-]+\.(?:pem|key|crt|cer|json|ya?ml|txt|jks|p12|pfx|pub|gpg|asc|conf|env|ini)"
    r"|[A-Z]:\\\S*"
)
_PROSE_BEGIN = Pattern(
    r"(?i)(?:must|is|are|was|were|not|cannot|can't|should|may|will|has|have|does|do|invalid|incorrect|expired|missing"
    r"|unexpected"
    r"|required|permission(?: denied|\Z)|expected(?: (?:an?|one|at|exactly)|\Z)|illegal(?: base64|\Z)"
    r"|unknown|unable|failed|wrong|too|mismatch|authentication|at least|no|value pairs|rejected|denied|and|or)\b"
)
_RANDOM = Pattern(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[^\s]{6,}|[^\s]*[a-z][A-Z][a-z]*[A-Z][^\s]*|[^\s]*[!#$%^&*+][^\s]*")


def is_nothing(value: str) -> bool:
    """Return whether a value is empty, a truth value, a placeholder or a reference: there is nothing to mask."""
    if value.isalnum():
        return value.lower() in _WORDS or (len(value) > 2 and not value.strip("xX"))
    return _NOTHING.regex.fullmatch(value) is not None or _VARIABLE.regex.fullmatch(value) is not None


def is_plain(value: str) -> bool:
    """Return whether a value looks like words, a number, a path, a digest or an address, and not like a secret."""
    value = value[:400]
    return _PLAIN.regex.fullmatch(value) is not None or is_path(value)


def is_path(value: str) -> bool:
    """Return whether a value looks like the path of a file."""
    return not value.isalnum() and _PATH.regex.fullmatch(value[:400]) is not None


def is_prose(value: str) -> bool:
    """Return whether a text goes on as a sentence does: "must be at least 8 characters"."""
    value = value.strip()[:400]
    return _PROSE_BEGIN.regex.match(value) is not None and not any(is_random(word) for word in value.split())


def is_random(word: str) -> bool:
    """Return whether a word looks made by chance or made up to be hard to guess."""
    return len(word) >= 6 and _RANDOM.regex.fullmatch(word[:400]) is not None and not is_plain(word)


def is_mixed(word: str) -> bool:
    """Return whether a word has small and capital letters and digits: no name and no number has all of them."""
    word = word[:400]
    return (
        len(word) >= 8
        and any(each.isdigit() for each in word)
        and any(each.islower() for each in word)
        and any(each.isupper() for each in word)
        and not is_plain(word)
    )
