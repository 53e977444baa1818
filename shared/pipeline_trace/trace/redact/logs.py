"""Secrets in what programs and people print: sentences, files of passwords, one-time codes, dialogues."""

from __future__ import annotations

from . import looks, names
from .pattern import BEGIN, Pattern, Row, Spans, find_rows

_PASSWORD = r"(?:password|passwd|passphrase|passcode|pass code|pin)"
# Only where what follows looks made to be hard to guess: "password is wrong" is prose.
_SENTENCES = (
    Row("sentence", "the password is SECRET",
        Pattern(rf"(?i){BEGIN}{_PASSWORD}\b[^\n:=\"']{{0,60}}?\s(?:is|was|to|as|of|with"
                rf"|now)(?: now)?[:=]?\s+[\"'`]?(?P<secret>[^\s\"'`\\]{{4,200}})")),
    Row("for somebody", "temporary password for root@localhost: SECRET",
        Pattern(rf"(?i){BEGIN}{_PASSWORD}\b(?:[ \t]+[^\s:=]{{1,80}}){{1,8}}[:=]\s+[\"'`]?(?P<secret>[^\s\"'`\\]{{4,200}})")),
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
SQL = (
    Row("SQL", "ALTER USER a IDENTIFIED BY SECRET",
        Pattern(rf"(?i){BEGIN}identified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?(?:values\s+)?"
                r"(?:\\{0,8}[\"'`])?(?P<secret>(?!random\b)[^\s\"'`;]+(?:[^\"'`\n]*(?=[\"'`]))?)")),
    Row("password of a user", "SET PASSWORD FOR 'a' = 'SECRET'",
        Pattern(r"(?i)\bpassword\s+for\s+[^=\n]{1,100}=\s*(?:password\()?\\{0,8}[\"'](?P<secret>[^\"'\n]+)")),
)  # fmt: skip
# The heads of a table whose values stand below them.
_HEADS = Pattern(r"[\w .\"-]{1,60}(?:,[\w .\"-]{1,60}){1,60}\r?")
_SECRET_HEAD = Pattern(r"(?i)passw|secret|token|pwd|api.?key")
_LONGEST_HEAD = 1000


def find_tables(text: str, spans: Spans) -> None:
    """Add the columns of a table with commas whose heads say that they are secret."""
    done = 0
    while found := _SECRET_HEAD.regex.search(text, done):
        start = max(text.rfind("\n", max(found.start() - _LONGEST_HEAD, 0), found.start()) + 1, 0)
        end = text.find("\n", found.end())
        if end < 0:
            return
        done = end
        line = text[start:end] if end - start <= _LONGEST_HEAD else ""
        if _HEADS.regex.fullmatch(line):
            done = _find_cells(text, end + 1, line.split(","), spans)


def _find_cells(text: str, start: int, heads: list[str], spans: Spans) -> int:
    """Add the cells below secret heads. Return where the table ends."""
    columns = [at for at, head in enumerate(heads) if names.kind_of(head.strip(' "\r')) in (names.PASSWORD, names.SECRET)]
    while columns and start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        cells = text[start:end].split(",")
        if len(cells) != len(heads):
            break
        for column in columns:
            cell, before = cells[column], start + len(",".join(cells[:column])) + (column > 0)
            bare = cell.strip(' "\r')
            if not looks.is_nothing(bare):
                spans.append((before + cell.index(bare), before + cell.index(bare) + len(bare)))
        start = end + 1
    return start


_INSERT = Pattern(r"(?i)\((?P<heads>[^()]{1,500})\)\s{0,40}values\s{0,40}\((?P<cells>[^()]{1,4000})\)")
_CELL = Pattern(r"\s*(?P<cell>'(?:[^']|'')*'|[^,']+)\s*,?")


def find_inserts(text: str, spans: Spans) -> None:
    """Add the values of SQL's INSERT whose columns are secret."""
    for found in _INSERT.regex.finditer(text):
        heads = [head.strip(' `"[]\n') for head in found["heads"].split(",")]
        cells = list(_CELL.regex.finditer(text, found.start("cells"), found.end("cells")))
        for head, cell in zip(heads, cells, strict=False):
            if names.kind_of(head) in (names.PASSWORD, names.SECRET) and not looks.is_nothing(cell["cell"].strip("' ")):
                spans.append(
                    (cell.start("cell") + cell["cell"].startswith("'"), cell.end("cell") - cell["cell"].endswith("'"))
                )


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
    Row("AUTH of Redis", "AUTH SECRET", Pattern(r"(?m)^AUTH (?:\S{1,80} )?(?P<secret>\S{4,})\s*$")),
    Row("LOGIN", "a1 LOGIN bob SECRET", Pattern(r"(?m)^\w{1,10} LOGIN \S{1,80} (?P<secret>\S+)\s*$")),
    Row("IDENTIFY", "NICKSERV IDENTIFY SECRET", Pattern(r"\bIDENTIFY (?P<secret>[^\s]{4,})")),
    Row("community of SNMP", "rocommunity SECRET", Pattern(r"\b(?:r[ow]community6?|snmp-server community) (?P<secret>\S+)")),
    Row("ZooKeeper", "addauth digest bob:SECRET", Pattern(r"\baddauth digest [^\s:]{1,80}:(?P<secret>\S+)")),
    Row("cookie file", "example.com TRUE / FALSE 0 sid SECRET",
        Pattern(r"(?m)^\S{1,200}\s(?:TRUE|FALSE)\s\S{1,200}\s(?:TRUE|FALSE)\s\d{1,12}\s\S{1,100}\s(?P<secret>\S+)$")),
    Row("command of a runner", "::add-mask::SECRET",
        Pattern(r"::(?:add-mask|set-(?:output|env) name=\S{0,80}?(?:token|pass|secret|key)[\w-]{0,80})::"
                r"(?P<secret>[^\n]+)")),
    Row("call that logs in", "mysqli_connect('db', 'root', 'SECRET')",
        Pattern(r"(?:connect|__construct|login|bind|auth_password|authenticate)\((?:[^()'\"\n]{0,40}['\"][^'\"\n]{0,200}['\"]){1,4},"
                r"\s*['\"](?P<secret>[^'\"\n]+)['\"]\)")),
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
