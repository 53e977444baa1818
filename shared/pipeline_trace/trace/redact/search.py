"""Where the secrets of a text are: it is searched for triggers once, and then for what they ask for."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from . import programs, tokens
from .pattern import Pattern, Spans, find_rows

if TYPE_CHECKING:
    from .own import Own

# A text of letters, blanks, commas and full stops has no secret, unless "pass" or "bearer" tells so.
_SIGNS = Pattern(r"[=:@_\"'<>%/\\|~0-9$-]")
# Parts of names whose value is a secret.
_NAMES = ("pass", "pwd", "secret", "token", "key", "cred", "auth", "rootpw", "bindpw")
_FOREIGN = ("пароль", "密码", "密碼", "パスワード", "비밀번호", "contraseña", "hasło")
# Ends of more such names: too short to be looked for everywhere, but before a sign that assigns.
_WORDS = (
    "pin psk pat sid otp mfa dsn jwt sig sas cvv signature salt hmac csrf sessionid session_id session seed"
    " mnemonic cookie headers team kennwort wachtwoord senha clave certificate-data dockerconfigjson dockercfg nonce"
    " sonar.login connectionstring psw pswd samlresponse crumb x-jfrog-art-api"
)
_END = r"(?:[\w.;&?'\"\s-]pw|" + "|".join(sorted({re.escape(word[-3:]) for word in _WORDS.split()})) + ")"
_ASSIGNED = Pattern(rf"[=:](?:(?<={_END}[=:])|(?<=[\"' ].)(?<={_END}[\"' ][=:])|(?<=\\\".)(?<={_END}\\\"[=:]))")
# Words of protocols.
_PROTOCOLS = Pattern(
    r"[PALIF(](?:(?<=P)ASS |(?<=A)UTH |(?<=L)OGIN |(?<=I)DENTIFY |(?<=F)ALSE|(?<=connect\()|(?<=construct\()"
    r"|(?<=login\()|(?<=bind\()|(?<=auth\())"
)
_PROTOCOL_WORDS = (
    "stats auth ", "login=", "createUser ", "SETUSER ", ': PSK "', ': XAUTH "', ': EAP "', 'user = "', "community ",
    "addauth ", "::",
)  # fmt: skip
# What heads of tables have whose columns are secret.
_HEADS = ("passw", "pwd", "secret", "token", "api", "value")
# What a line of .pgpass has.
_COLONS = 4
_PORT = Pattern(r":(?:\d{4,5}|\*):")


def find(text: str) -> Spans:
    """Return the parts of a text that are secrets, in no order."""
    spans: Spans = []
    added = own_secrets()
    if added:
        _find_own(added, text, spans)
    low = text.lower()
    if _SIGNS.regex.search(text) is None and text.isascii() and "pass" not in low and "bearer" not in low:
        return spans
    if len(low) != len(text):
        # One letter becomes two.
        low = text.replace("\u0130", "i").lower()
    _find_named(text, low, spans)
    if "://" in text or ("@" in text and (":" in text or "/" in text)) or ("%" in text and "%3a%2f%2f" in low):
        from . import urls

        urls.find(text, spans)
    tokens.find_tokens(text, spans)
    if "bearer" in low or "basic" in low:
        tokens.find_schemes(text, low, spans)
    if "PRIVATE KEY" in text or ("$" in text and "ANSIBLE_VAULT" in text) or "Private-Lines" in text:
        tokens.find_keys(text, spans)
    if "\n" in text:
        tokens.find_base64_lines(text, spans)
    if "$" in text or "{" in text or "md5" in text:
        find_rows(tokens.HASHES, text, spans)
    if programs.MAYBE.regex.search(text) or _has_program(low):
        from . import commands

        commands.find(text, low, spans)
    _find_told(text, low, spans)
    _find_structured(text, low, spans)
    return spans


def _has_program(low: str) -> bool:
    """Return whether a text has a program that takes a secret without an option."""
    for sign, words in programs.MAYBE_WORDS:
        if sign in low:
            for word in words:
                if word in low:
                    return True
    return False


@cache
def own_secrets() -> Own | None:
    """Return what the user adds, ``None`` if it is nothing."""
    from . import own

    return own.loaded()


def _find_own(added: Own, text: str, spans: Spans) -> None:
    from . import own

    own.find(added, text, spans)


def _find_told(text: str, low: str, spans: Spans) -> None:
    """Add what programs and people tell, in this order: codes, lines of .pgpass, dialogues."""
    if _PROTOCOLS.regex.search(text) or any(word in text for word in _PROTOCOL_WORDS):
        from . import logs

        logs.find_protocols(text, spans)
    if "code" in low or "otp" in low:
        from . import logs

        find_rows(logs.CODES, text, spans)
    if text.count(":") >= _COLONS and _PORT.regex.search(text):
        from . import logs

        logs.find_files(text, spans)
    if "\\" in text or "securestring" in low:
        from . import logs

        logs.find_dialogues(text, low, spans)


def _find_structured(text: str, low: str, spans: Spans) -> None:
    """Add what documents, tables and statements have at places that say that it is secret."""
    # JSON and a repr write the end of a line as two characters.
    lines = text.replace("\\n", " \n") if "\\n" in text else text
    if "Secret" in text and "kind" in text:
        from . import manifests

        manifests.find(lines, spans)
    if "\n" in lines and any(word in low for word in _HEADS):
        from . import tables

        tables.find(lines, low, spans)
    if "SecureString" in text or "secretsmanager" in text:
        from . import tables

        find_rows(tables.AWS, text, spans)
    if "aram" in text or "args" in low or " with " in low or "sqlalchemy" in low:
        from . import sql

        sql.find_bound(text, spans)


def _find_named(text: str, low: str, spans: Spans) -> None:
    """Add what names give away."""
    hits = []
    for found in _ASSIGNED.regex.finditer(low):
        at = found.start() - 1
        while low[at] in "\"' \\":
            at -= 1
        hits.append(at)
    if low.startswith("pw"):
        hits.append(0)
    for word in _NAMES + (added.names if (added := own_secrets()) else ()) + (() if text.isascii() else _FOREIGN):
        at = low.find(word)
        while at >= 0:
            hits.append(at)
            at = low.find(word, at + len(word))
    if hits:
        from . import assignments

        hits.sort()
        assignments.find(text, hits, spans)
    if "pass" in low or " is " in low:
        from . import logs

        logs.find_sentences(text, spans)
    if "identified" in low or "password for" in low:
        from . import sql

        find_rows(sql.USERS, text, spans)
    if hits and "(" in text and "values" in low:
        from . import sql

        sql.find_inserts(text, spans)
