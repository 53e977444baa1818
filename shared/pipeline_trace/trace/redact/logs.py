"""Secrets in what programs and people print: sentences, files of passwords, one-time codes, dialogues."""

from __future__ import annotations

from . import looks
from .pattern import BEGIN, Pattern, Row, Spans, find_rows

_PASSWORD = r"(?:password|passwd|passphrase|passcode|pass code|pin)"
# Only where what follows looks made to be hard to guess: "password is wrong" is prose.
_SENTENCES = (
    Row("sentence", "the password is SECRET",
        Pattern(rf"(?i){BEGIN}{_PASSWORD}\b[^\n:=\"']{{0,60}}?\s(?:is|was|to|as|of|with"
                rf"|now)(?: now)?[:=]?\s+[\"'`]?(?P<secret>[^\s\"'`\\]{{4,200}})")),
    Row("for somebody", "temporary password for root@localhost: SECRET",
        Pattern(rf"(?i){BEGIN}{_PASSWORD}\b(?:[ \t]+[^\s:=]{{1,80}}){{1,8}}[ \t]?[:=]\s+[\"'`]?"
                r"(?P<secret>[^\s\"'`\\]{4,200})")),
    Row("token in a sentence", "your token is SECRET",
        Pattern(r"(?i)\b(?:token|secret|key|credentials?)(?: (?:value|string|word))?\s+(?:is|was)(?: now)?[:=]?\s+[\"'`]?"
                r"(?P<secret>[^\s\"'`\\]{8,200})")),
)  # fmt: skip
CODES = (
    Row("one-time code", "Your verification code is SECRET",
        Pattern(r"(?i)\b(?:otp|(?:one.time|verification|security|login|auth\w*|2fa|mfa|totp|sms)"
                r" (?:code|pass(?:word|code)|pin))"
                r"(?:\s+(?:is|for \S+ is))?[:=]?\s+(?P<secret>\d{4,8})\b")),
    Row("one-time code before its name", "SECRET is your login code",
        Pattern(r"(?i)\b(?P<secret>\d{4,8}) (?:is|as) (?:your|the) [a-z -]{0,40}(?:code|pin|otp|password)\b")),
)  # fmt: skip
_PGPASS = Row(
    "line of .pgpass", "db.example.com:5432:app:app:SECRET",
    Pattern(r"(?m)^[ \t]*(?:(?:\*|localhost|[\w-]+(?:\.[\w-]+)+):(?:\d{4,5}|\*)|[\w-]+:(?:5432|5433|6432|\*))"
            r":[^:\s]{1,64}:[A-Za-z_*][^:\s]{0,64}:(?P<secret>[^\s]+)"),
)  # fmt: skip
_DIALOGUE = Row(
    "expect", 'send "SECRET\\r"',
    Pattern(r"(?i)\bsend(?:_user)?\s+(?:--\s+)?\\?\"(?!(?:y|n|yes|no|exit|quit|\$\w+|[a-z ]{0,12})\\{1,4}[rn])"
            r"(?P<secret>[^\"\\\n]{4,200})\\{1,4}[rn]"),
)  # fmt: skip
_POWERSHELL = Row(
    "PowerShell", "ConvertTo-SecureString 'SECRET' -AsPlainText",
    Pattern(r"(?i)ConvertTo-SecureString\s+(?:-String\s+)?[\"'](?P<secret>[^\"'\n]+)"),
)  # fmt: skip


# What protocols and settings say in words.
PROTOCOLS = (
    Row("PASS", "PASS SECRET", Pattern(r"(?m)^(?:[<>]+ ?|C: ?)?PASS (?P<secret>(?![\w.-]+/[\w./-]+\s*$)[^\s:=]\S*)\s*$")),
    Row("AUTH", "AUTH PLAIN SECRET", Pattern(r"\bAUTH (?:PLAIN|LOGIN|CRAM-MD5|XOAUTH2) (?P<secret>[A-Za-z0-9+/=]{6,})")),
    Row("user of Redis", "ACL SETUSER bob on >SECRET",
        Pattern(r"\bACL SETUSER \S{1,80}[^\n>]{0,200}?[ '\"]>(?P<secret>[^\s'\"]+)")),
    Row("AUTH of Redis", "AUTH SECRET", Pattern(r"(?m)^AUTH (?:\S{1,80} )?(?P<secret>\S{4,})\s*$")),
    Row("LOGIN", "a1 LOGIN bob SECRET", Pattern(r"(?m)^\w{1,10} LOGIN \S{1,80} (?P<secret>\S+)\s*$")),
    Row("IDENTIFY", "NICKSERV IDENTIFY SECRET", Pattern(r"\bIDENTIFY (?P<secret>[^\s]{4,})")),
    Row("community of SNMP", "rocommunity SECRET", Pattern(r"\b(?:r[ow]community6?|snmp-server community) (?P<secret>\S+)")),
    Row("ZooKeeper", "addauth digest bob:SECRET", Pattern(r"\baddauth digest [^\s:]{1,80}:(?P<secret>\S+)")),
    Row("key of a VPN", ': PSK "SECRET"', Pattern(r": (?:PSK|XAUTH|EAP|NTLM) \"(?P<secret>[^\"\n]+)")),
    Row("settings of curl", 'user = "bob:SECRET"', Pattern(r"\buser(?: = |: |=| )\"[^\s\":]{1,80}:(?P<secret>[^\"\n]+)\"")),
    Row("login of a proxy", "stats auth bob:SECRET", Pattern(r"\b(?:stats auth |login=)[\w.@-]{1,80}:(?P<secret>\S+)")),
    Row("user of SNMP", 'createUser bob SHA "SECRET"',
        Pattern(r"\b(?:MD5|SHA|DES|AES)(?:-?\d{2,3})? \"(?P<secret>[^\"\n]+)\"")),
    Row("cookie file", "example.com TRUE / FALSE 0 sid SECRET",
        Pattern(r"(?m)^\S{1,200}\s(?:TRUE|FALSE)\s\S{1,200}\s(?:TRUE|FALSE)\s\d{1,12}\s\S{1,100}\s(?P<secret>\S+)$")),
    Row("command of a runner", "::add-mask::SECRET",
        Pattern(r"::(?:add-mask|set-(?:output|env) name=\S{0,80}?(?:token|pass|secret|key)[\w-]{0,80})::"
                r"(?P<secret>[^\n]+)")),
    Row("call that logs in", "mysqli_connect('db', 'root', 'SECRET')",
        Pattern(r"(?:connect|__construct|login|bind|auth|auth_password|authenticate)"
                r"\((?:[^()'\"\n]{0,40}['\"][^'\"\n]{0,200}['\"]){1,4},"
                r"\s*['\"](?P<secret>[^'\"\n]+)['\"](?:\)|, (?:Array|NULL|null|\[))")),
)  # fmt: skip


def find_protocols(text: str, spans: Spans) -> None:
    """Add what is said in protocols."""
    find_rows(PROTOCOLS, text, spans)


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
