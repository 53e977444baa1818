"""Masks secrets in every text that leaves the process: names, messages, item labels, commands, URLs.

It finds secrets by their form. In doubt, it masks.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from functools import cached_property

MASK = "***"
# Characters around the part of a long text that is kept: a secret that the cut goes through must be known as one.
_MARGIN = 2000

# A text without any of these holds no secret. This is true for most texts.
_TRIGGER = re.compile(
    r"pass|pwd|secret|token|key|credential|bearer|basic|auth|sig|://|-u[ =]|user|AKIA|ASIA|gh[pousr]_|github_pat"
    r"|gl[a-z]{2,5}-|xox|eyJ|sk-|npm_|pypi-|hv[sb]\.|AIza|SG\.",
    re.IGNORECASE,
)


class _Pattern:
    """A regular expression that is compiled when it is first used: most texts need none, and compiling all takes 20 ms."""

    def __init__(self, source: str, flags: int = 0) -> None:
        self._source = source
        self._flags = flags

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled expression."""
        return re.compile(self._source, self._flags)


_PRIVATE_KEY = _Pattern(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)

# The end of a private key whose first lines are cut off: of a long output, only the end leaves the process.
_KEY_END = _Pattern(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_LINE = _Pattern(r"[ \t]*[A-Za-z0-9+/=]+[ \t\r]*")

# The begin of a word, also after a newline or tab that JSON or a repr writes as two characters.
_BEGIN = r"(?:(?<=\\[nrt])|(?<![A-Za-z0-9_]))"

# Backslashes before a quote: JSON in JSON, in a repr, in another repr.
_ESCAPED = r"\\{0,8}"

# Tokens of well-known services, which their form gives away.
_TOKEN = _Pattern(
    rf"{_BEGIN}(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{12,}"  # AWS access key ids
    r"|gh[pousr]_[A-Za-z0-9]{10,}|github_pat_[A-Za-z0-9_]{10,}"  # GitHub
    r"|gl(?:pat|ptt|dt|rt|cbt|soat|agent|ft|imt)-[A-Za-z0-9_.-]{10,}"  # GitLab
    r"|xox[a-z]-[A-Za-z0-9-]{8,}"  # Slack
    r"|(?<!-)eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*"  # JSON web tokens
    r"|sk-[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{20,}|pypi-[A-Za-z0-9_-]{20,}|hv[sb]\.[A-Za-z0-9_-]{20,}"
    r"|AIza[A-Za-z0-9_-]{30,}|SG\.[A-Za-z0-9_-]{10,100}\.[A-Za-z0-9_-]{10,}"
    r")"
)

_AUTHORIZATION = _Pattern(
    rf"(?i)({_BEGIN}(?:proxy-)?authorization\b{_ESCAPED}[\"']?[ \t]*[:=][ \t]*{_ESCAPED}[\"']?)"
    r"((?:[A-Za-z]+ +)?)[^\s\"',;\\]+"
)
# "Bearer authentication failed" is plain text. In all other cases, a credential follows the word.
_BEARER = _Pattern(
    rf"(?i)({_BEGIN}bearer +)(?!(?:auth\w*|tokens?|realm|required|scheme|header|error|challenge|is|was|not|\*)\b)"
    r"[^\s\"',;\\]{4,}"
)
_BASIC = _Pattern(rf"(?i)({_BEGIN}basic +)([A-Za-z0-9+/_-]{{6,}}={{0,2}})")

_URL_LOGIN = _Pattern(r"(?i)\b(https?|ftps?|wss?|amqps?|rediss?|mongodb(?:\+srv)?|postgres(?:ql)?|mysql)://[^\s/?#\"'<>]*@")
_URL_PASSWORD = _Pattern(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)[^\s/?#\"'<>:@]*:[^\s/?#\"'<>]*@")
# Options of curl and wget.
_USER = _Pattern(r"(?<![\w-])((?:-u|--user|--proxy-user)[ =]+[\"']?)[^\s:\"']+:[^\s\"']+")
_SSHPASS = _Pattern(r"(\bsshpass\s+-p\s*)[\"']?[^\s\"']+")

_SECRET_NAME = (
    r"(?:passw(?:or)?d|passphrase|passwd|pwd|pass(?![a-z])|secret|token|credential|signature|(?<![a-z])sig(?![a-z])"
    r"|(?:(?<![a-z])|api|access|account|auth|client|encryption|master|private|secret|shared|signing|ssh|storage)"
    r"[_-]?keys?(?![a-z]))"
)
_NAMED = rf"[\w.-]{{0,60}}?{_SECRET_NAME}[\w.-]{{0,60}}"
# Quoted texts, also with escaped quotes, and several in a row as in a shell. Without quotes: up to the next space.
_VALUE = (
    r"(?:[bBuU]?\\\"(?:[^\"\\]|\\[^\"])*\\\"|[bBuU]?(?P<escape>\\{2,8}[\"']).*?(?P=escape)"
    r"|[bBuU]?\"(?:[^\"\\]|\\.)*\"|[bBuU]?'(?:[^'\\]|\\.)*'|\\.|[^\s\"'\\&<])+"
)
_ASSIGNED = _Pattern(
    rf"(?i)({_BEGIN}(?<![.-])-{{0,2}}{_NAMED}(?:{_ESCAPED}[\"'])?\]?[ \t]{{0,3}}(?:=>|:=|==?|:)[ \t]{{0,3}})"
    # A template is not a secret. Block scalars have their own pattern.
    rf"(?!\{{\{{|[|>][+-]?\d?\s*\n){_VALUE}",
    re.DOTALL,
)
# Block scalars of YAML: the indented lines that follow.
_BLOCK = _Pattern(
    rf"(?im)^([ \t-]{{0,60}}[\"']?{_NAMED}[\"']?[ \t]*:[ \t]*[|>][+-]?\d?[ \t]*\n)((?:[ \t]+\S[^\n]*(?:\n|\Z)|[ \t]*\n)+)"
)
_OPTION = _Pattern(rf"(?i)(?<![\w-])(--?{_NAMED}(?:{_ESCAPED}[\"']?[ \t]*,\s*|\s+))(?![\"']?-){_VALUE}", re.DOTALL)
_ELEMENT = _Pattern(rf"(?i)(<{_NAMED}>)[^<]+(?=</)")


def masked(value: str) -> str:
    """Return the text with ``***`` in place of everything that looks like a secret.

    This masks Bearer and Basic credentials, logins in URLs, tokens of well-known services, JSON web tokens and private keys.
    It also masks the value after ``name=``, ``name:`` and ``--name`` if the name contains password, secret, token or key.
    """
    if not _TRIGGER.search(value):
        return value
    value = _rest_of_keys(_PRIVATE_KEY.regex.sub(MASK, value))
    value = _TOKEN.regex.sub(MASK, value)
    value = _AUTHORIZATION.regex.sub(rf"\1\2{MASK}", value)
    value = _BEARER.regex.sub(rf"\1{MASK}", value)
    value = _BASIC.regex.sub(_basic, value)
    value = _URL_LOGIN.regex.sub(rf"\1://{MASK}@", value)
    value = _URL_PASSWORD.regex.sub(rf"\1{MASK}@", value)
    value = _BLOCK.regex.sub(rf"\1  {MASK}\n", value)
    for pattern in (_USER, _SSHPASS, _ELEMENT, _OPTION, _ASSIGNED):
        value = pattern.regex.sub(rf"\1{MASK}", value)
    return value


def _rest_of_keys(value: str) -> str:
    """Mask private keys whose first line is missing: their last line, and the lines of the key before it."""
    parts, done = [], 0
    for end in _KEY_END.regex.finditer(value):
        start = done + len(value[done : end.start()].rstrip(" \t"))
        while start > done and _KEY_LINE.regex.fullmatch(
            value, above := value.rfind("\n", done, start - 1) + 1 or done, start - 1
        ):
            start = above
        parts += [value[done:start], MASK]
        done = end.end()
    return "".join([*parts, value[done:]])


def _basic(match: re.Match[str]) -> str:
    """Mask the word after "Basic" if it is a login in base64; else leave the text as it is."""
    encoded = match[2]
    try:
        decoded = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (Base64Error, ValueError):
        return match[0]
    return match[1] + MASK if b":" in decoded else match[0]


def masked_start(value: str, limit: int) -> str:
    """Return the first ``limit`` characters of a text, masked. If it is longer, add how many characters are left out.

    The cost does not grow with the text: only this part and a margin after it are masked. The margin is then dropped, so
    half a secret at its end never shows.
    """
    if len(value) <= limit + _MARGIN:
        return clip(masked(value), limit)
    kept = masked(value[: limit + _MARGIN])
    return f"{kept[: max(min(limit, len(kept) - _MARGIN), 0)]}… ({len(value) - limit} more characters)"


def masked_end(value: str, limit: int) -> str:
    """Return the last ``limit`` characters of a text, masked. As with ``masked_start``, the cost does not grow with it."""
    if len(value) <= limit + _MARGIN:
        return masked(value)[-limit:]
    kept = masked(value[-limit - _MARGIN :])
    return kept[max(_MARGIN, len(kept) - limit) :]


def clip(value: str, limit: int) -> str:
    """Return the first ``limit`` characters of a text. If it is longer, add how many characters are left out."""
    if len(value) <= limit:
        return value
    return f"{value[:limit]}… ({len(value) - limit} more characters)"


def is_secret_name(name: str) -> bool:
    """Return whether the name of a parameter or variable says that its value is a secret."""
    return _NAME.regex.search(name) is not None


_NAME = _Pattern(_SECRET_NAME, re.IGNORECASE)
