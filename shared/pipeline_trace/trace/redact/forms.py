"""The ways in which a value follows a name, and where each of them may stand."""

from __future__ import annotations

import re
from typing import NamedTuple

from . import looks, names
from .pattern import Pattern

QUOTE = r"(?:\\{0,40}[\"'`]|&quot;|&#0?34;|&#x22;|&#0?39;|&#x27;|&apos;|%22|%27|\\{1,8}u002[27])"


class Form(NamedTuple):
    """A way in which a value follows a name.

    ``kinds``: the kinds of names that it is for; if empty, all. ``holds``: one of these stands behind the name; so most
    texts need not compile the pattern.
    """

    name: str
    example: str
    pattern: str
    kinds: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()


_SURE = (names.PASSWORD, names.SECRET, names.HEADER, names.KEY, names.NUMBER)
# In this order; the first one that fits is it. Each begins behind the name.
FORMS = (
    Form("pair", '{"name": "DB_PASSWORD", "value": "SECRET"}',
         rf"{QUOTE}?(?:[ \t]{{0,8}}[,;])?\s{{0,60}}(?=\S)(?:[^{{}}\[\]\n]|\[\d{{1,3}}\]){{0,80}}?{QUOTE}?\b"
         rf"(?:(?:[pP]arameter|[oO]utput)?[vV]alue|VALUE|defaultValue|default|stringValue){QUOTE}?"
         rf"(?:[ \t]*(?:=>|[:=])[ \t]*|(?<=with value)[ \t]+(?={QUOTE}))",
         _SURE),
    Form("variable", 'variable "db_password" { default = "SECRET" }', rf"{QUOTE}\s*\{{[^{{}}]{{0,200}}?\bdefault\s*=\s*",
         _SURE),
    Form("typed", "const token: string = 'SECRET'", rf":[ \t]*[A-Za-z][\w.<>\[\]|]{{0,40}}[ \t]*=[ \t]*(?={QUOTE})", _SURE,
         ("=",)),
    Form("operator", "DB_PASSWORD=SECRET",
         rf"(?:{QUOTE})?[\])]?(?: (?:\d{{1,2}}|ID|[Vv]alue)|[ \t]?\.{{2,80}})?(?P<before>[ \t]*)"
         rf"(?P<sign>=>|->|<-|:=|[?+!:]?={{1,3}}|:(?!//|:)|::(?=[ \t])|\uff1a|\uff1d|%3[AaDd]|&#61;)"
         rf"(?P<blank>\s{{0,40}}string\(\d{{1,6}}\) "
         rf"|[ \t]*\([\w.*]{{1,40}}\) (?:\(len=\d{{1,9}}\) )?(?={QUOTE})|[ \t]*|%20)"),
    Form("element", '<password type="plain">SECRET</password>',
         r"(?P<tag>(?:\s[^<>]{0,200})?>)(?P<blank>\s*)(?:<[vV]alue>\s*(?=[^<]{0,2000}</))?"),
    Form("named element", '<string name="password">SECRET</string>',
         r"[\"'](?:\s[^<>]{0,200})?>(?P<blank>\s*)(?:<[vV]alue>\s*(?=[^<]{0,2000}</))?"),
    Form("neighbour element", "<key>password</key><string>SECRET</string>", r"</[\w:.-]+>\s*<[\w:.-]+>"),
    Form("cell", "| password | SECRET |", r"(?P<before>[ \t]*)(?P<cell>[|\u2502\u2503])(?P<blank>[ \t]*)", _SURE),
    Form("part", 'form-data; name="password"\n\nSECRET', rf"{QUOTE}(?:\r?\n|\\r\\n|\\n){{2}}", _SURE),
    Form("tuple", "('password', 'SECRET')", rf"(?P<close>{QUOTE}),[ \t]*(?=[bBu]?{QUOTE})", _SURE),
    Form("call", "setPassword('SECRET')", rf"(?=\(\s*{QUOTE})", (names.PASSWORD, names.SECRET)),
    Form("quoted", "IDENTIFIED BY 'SECRET'", r"[ \t]+(?:BY[ \t]+|by[ \t]+|AS[ \t]+|TO[ \t]+)?(?=['\"])",
         (names.PASSWORD, names.SECRET)),
    Form("option", "deploy --password SECRET", rf"(?P<option>{QUOTE}?[ \t]*,?\s+|{QUOTE}?,(?={QUOTE}))"),
    Form("numbered", "username bob password 7 SECRET",
         r"[ \t]+(?:\d|ENC|encrypted|cleartext|plaintext)[ \t]+(?=\S{4})", _SURE),
    Form("dotted", "Password........SECRET", r"[ \t]?\.{4,80}[ \t]{0,2}(?=[^\s.:=])", (names.PASSWORD, names.SECRET),
         ("....",)),
    Form("default", "os.environ['DB_PASSWORD'] or 'SECRET'",
         rf"(?:{QUOTE}?[)\]]{{1,2}}[ \t]*(?:or\b|\|\||\?\?|\?:|\{{)|[ \t]+(?:\|\||\?\?))[ \t]*(?={QUOTE})", _SURE,
         (")", "]", "|", "?")),
    Form("member", '{password,"SECRET"}', rf",[ \t]*(?={QUOTE})", (names.PASSWORD, names.SECRET)),
    Form("registry", "DefaultPassword    REG_SZ    SECRET", r"[ \t]+REG_(?:\w{1,20}_)?SZ[ \t]+", _SURE, ("REG_",)),
    Form("refused", "api_key\n  no string [input_value='SECRET']", r"\r?\n[^\n]{0,300}?\binput_value=", _SURE,
         ("input_value=",)),
    Form("tab", "password\tSECRET", r"\t+", _SURE),
)  # fmt: skip
PATTERNS = {form.name: (form, Pattern(form.pattern)) for form in FORMS}
# Which forms may follow, by the sign behind the name.
_QUOTED = ("operator", "pair", "variable", "named element", "part", "tuple", "default", "option")
_BLANK = (
    "operator",
    "pair",
    "element",
    "cell",
    "quoted",
    "numbered",
    "registry",
    "dotted",
    "default",
    "refused",
    "option",
    "tab",
)
BY_SIGN = {
    **dict.fromkeys("=:\uff1a\uff1d?+!-", ("operator",)),
    **dict.fromkeys(")]", ("operator", "default")),
    ".": ("operator", "dotted"),
    ":": ("typed", "operator"),
    **dict.fromkeys("\"'`\\", _QUOTED),
    **dict.fromkeys(" \t\r\n", _BLANK),
    "%": ("operator", "pair", "part"),
    "&": ("operator", *_QUOTED),
    "<": ("operator", "neighbour element"),
    ">": ("element",),
    "|": ("cell",),
    "(": ("call",),
    ",": ("pair", "member", "option"),
}
_NEXT_OPTION = Pattern(r"\\*[\"']?-{1,2}(?P<word>[A-Za-z][^\s\"'=]{0,80})")
_READS = ("get", "read", "load", "fetch", "lookup", "find", "delete", "is", "has", "check", "list", "remove", "rotate")
_SETTERS = Pattern(
    r"(?:^|[\s;&|])(?:(?:kv put|etcdctl put|config set)\s+[\w./:-]*\Z|(?:d-i|rclone config) [^\n]*\s\Z)"
    r"|(?:^|[\s;&|])(?:setx|setenv|SetEnv|ENV|set -\w+|configure set|config set|config --global|config|nmcli [^\n]*"
    r"|login\s+\S+|machine\s+\S+[^\n]*)\s+\Z"
)
# The port of a host.
_PORT = Pattern(r"\d{2,5}(?![\w-])")
_TAG = Pattern(r"<(?:[\w-]{1,30}:)?\Z")


def fits(form: str, found: re.Match[str], window: str, text: str, start: int, kind: str) -> bool:
    """Return whether a form may follow what stands before the name."""
    if form == "operator":
        sign = found["sign"]
        if sign == ":" and not found["blank"] and not found["before"]:
            if kind is names.SECRET and "-" in text[start : found.start()] and _PORT.regex.match(text, found.end()):
                # `auth-token:8080` is a host.
                return False
            # `a:b:c` is a path or an image, but `password:secret` is none.
            return kind in (names.PASSWORD, names.SECRET, names.HEADER) or text[found.start()] in "\"'" or window[-1:] == "/"
        if sign == "->":
            # `feature/x -> origin/feature/x` are branches.
            following = _WORD.regex.match(text, found.end())
            same = following is not None and following[0].endswith(text[start : found.start()])
            return bool(found["blank"]) and window[-1:] != "/" and not same
        # Two words that are compared.
        return sign != "==" or text[found.start()] not in "\"'" or text[found.end() : found.end() + 1] not in ("'", '"')
    if form == "element":
        return _TAG.regex.search(window) is not None
    if form == "named element":
        return "<" in window and window[-1:] in ("'", '"')
    if form == "neighbour element":
        return window.endswith(">")
    if form == "cell":
        return window.rstrip()[-1:] in ("|", "\u2502", "\u2503") or (
            kind in (names.PASSWORD, names.SECRET) and window[-1:] == "\n" and found["cell"] == "|"
        )
    if form == "tuple":
        return re.search(r"[\[(]\s*[bu]?\\*[\"']\Z", window) is not None
    if form == "member":
        return window[-1:] == "{"
    if form == "call":
        return not text[start : found.start()].lower().startswith(_READS)
    if form == "option":
        name = text[start : found.start()]
        if name.startswith("-") or window.endswith(("-", "--")):
            following = _NEXT_OPTION.regex.match(text, found.end())
            return following is None or looks.is_mixed(following["word"])
        if kind not in (names.PASSWORD, names.SECRET):
            return _SETTERS.regex.search(window) is not None
        return _SETTERS.regex.search(window) is not None or _follows(text, found.end(), window)
    if form == "quoted" and kind is names.SECRET and "#define" not in window:
        return looks.is_mixed(text[found.end() + 1 : found.end() + 81].split(text[found.end()])[0])
    if form == "numbered":
        word = _WORD.regex.match(text, found.end())
        return word is not None and not word[0].isalpha()
    if form == "tab":
        return window == "" or window[-1:] == "\n"
    return True


def _follows(text: str, start: int, window: str) -> bool:
    """Return whether the word after a name and a blank is its value.

    It is if it looks like a secret, or if the line has only these two words.
    """
    word = _WORD.regex.match(text, start)
    if word is None or "\n" in text[start - 1 : start]:
        return False
    alone = window[-1:] in ("", "\n") and text[word.end() : word.end() + 1] in ("", "\n", "\r")
    return looks.is_mixed(word[0]) or (alone and not word[0].isalpha() and not looks.is_prose(word[0]))


_WORD = Pattern(r"[^\s\"'=:]{4,200}")
