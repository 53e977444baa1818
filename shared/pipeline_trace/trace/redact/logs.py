"""Secrets in what programs and people print: sentences, files of passwords, one-time codes, dialogues."""

from __future__ import annotations

from . import looks
from .pattern import Pattern, Row, Spans, find_rows

_PASSWORD = r"(?:password|passwd|passphrase|passcode|pass code|pin)"
# Only where what follows looks made to be hard to guess: "password is wrong" is prose.
_SENTENCES = (
    Row("sentence", "the password is SECRET",
        Pattern(rf"(?i)\b{_PASSWORD}\b[^\n:=\"']{{0,60}}?\s(?:is|was|to|as|of|with|now)(?: now)?[:=]?\s+[\"'`]?(?P<secret>[^\s\"'`]{{4,200}})")),
    Row("for somebody", "temporary password for root@localhost: SECRET",
        Pattern(rf"(?i)\b{_PASSWORD}\b(?:[ \t]+[^\s:=]{{1,80}}){{1,8}}[:=]\s+[\"'`]?(?P<secret>[^\s\"'`]{{4,200}})")),
    Row("token in a sentence", "your token is SECRET",
        Pattern(r"(?i)\b(?:token|secret|key|credentials?)\s+(?:is|was)(?: now)?[:=]?\s+[\"'`]?(?P<secret>[^\s\"'`]{8,200})")),
)  # fmt: skip
CODES = (
    Row("one-time code", "Your verification code is SECRET",
        Pattern(r"(?i)\b(?:otp|(?:one.time|verification|security|login|auth\w*|2fa|mfa|totp|sms) (?:code|pass(?:word|code)|pin))"
                r"(?:\s+(?:is|for \S+ is))?[:=]?\s+(?P<secret>\d{4,8})\b")),
)  # fmt: skip
_PGPASS = Row(
    "line of .pgpass", "db.example.com:5432:app:app:SECRET",
    Pattern(r"(?m)^[ \t]*(?:(?:\*|localhost|[\w-]+(?:\.[\w-]+)+):(?:\d{4,5}|\*)|[\w-]+:(?:5432|5433|6432|\*)):[^:\s]{1,64}:[A-Za-z_*][^:\s]{0,64}:(?P<secret>[^\s]+)"),
)  # fmt: skip
SQL = (
    Row("SQL", "ALTER USER a IDENTIFIED BY SECRET",
        Pattern(r"(?i)\bidentified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?(?:values\s+)?[\"'`]?(?P<secret>(?!random\b)[^\s\"'`;]+(?:[^\"'`\n]*(?=[\"'`]))?)")),
)  # fmt: skip
_DIALOGUE = Row(
    "expect", 'send "SECRET\\r"',
    Pattern(r"(?i)\bsend(?:_user)?\s+(?:--\s+)?\\?\"(?!(?:y|n|yes|no|exit|quit|\$\w+|[a-z ]{0,12})\\{1,4}[rn])(?P<secret>[^\"\\\n]{4,200})\\{1,4}[rn]"),
)  # fmt: skip
_POWERSHELL = Row(
    "PowerShell", "ConvertTo-SecureString 'SECRET' -AsPlainText",
    Pattern(r"(?i)ConvertTo-SecureString\s+(?:-String\s+)?[\"'](?P<secret>[^\"'\n]+)"),
)  # fmt: skip


def find_sentences(text: str, spans: Spans) -> None:
    """Add secrets that a sentence tells."""
    for row in _SENTENCES:
        for found in row.pattern.regex.finditer(text):
            word = found["secret"].rstrip(".,;:!)")
            if looks.is_random(word) or (
                not looks.is_plain(word) and len(word) >= 6 and not word.startswith(("<", "$", "{", "/", "***"))
            ):
                spans.append((found.start("secret"), found.start("secret") + len(word)))


def find_files(text: str, spans: Spans) -> None:
    """Add the passwords of lines of .pgpass."""
    find_rows((_PGPASS,), text, spans)


def find_dialogues(text: str, low: str, spans: Spans) -> None:
    """Add what is typed into a dialogue."""
    if "send" in low and "\\" in text:
        find_rows((_DIALOGUE,), text, spans)
    if "securestring" in low:
        find_rows((_POWERSHELL,), text, spans)
