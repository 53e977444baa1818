"""Secrets that a command reads from its input: what is echoed into it, a here-string, the lines up to a word."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from . import names
from .blocks import end_of_heredoc
from .pattern import Pattern, Spans

_BEFORE_PROGRAM = Pattern(r".*(?:\\[nrt]|\x1b\[[0-9;]*m)", re.DOTALL)
_LONGEST_NAME = 200

# Programs that read a secret from their input, and the words of which one must be in the command.
_READERS = (
    ("sudo passwd chpasswd docker podman skopeo buildah nerdctl helm gpg gpg2 kinit su cryptsetup openssl smbpasswd vault gh"
     " glab htpasswd ldapsearch aws az crane oras cosign cf ssh-add ssh-keygen ansible-vault chage saslpasswd2"
     " wpa_passphrase npm kubeseal sops base64 mysql psql argocd op bw",
     "-S --stdin --password-stdin --passphrase-fd --with-token --auth-token-stdin -i stdin fd:0 -in -d passwd chpasswd su"
     " kinit smbpasswd encrypt_string -x saslpasswd2 secret login luksOpen luksFormat open - -kfile --key-file=- set --raw"),
    ("wrangler vercel fly flyctl netlify railway supabase gcloud doppler heroku gh glab eas",
     "secret secrets env auth:token config:set variable"),
    ("kubectl oc", "secret login"),
    ("docker podman", "secret"),
    ("pulumi", "--secret"),
    ("pass", "insert"),
    ("realm adcli net", "join --stdin-password"),
    ("cargo snyk tailscale", "login auth up"),
)  # fmt: skip
# What says for certain that the input is a secret, and no script or document.
_SURE = frozenset(
    (
        "--stdin",
        "--password-stdin",
        "--passphrase-fd",
        "--with-token",
        "passwd",
        "chpasswd",
        "smbpasswd",
        "secret",
        "secrets",
    )
)
_FROM_INPUT = ("=-", "=@-", "=/dev/stdin")
# Characters of the lines up to a word that are read.
_LONGEST_TEXT = 2000


class Word(NamedTuple):
    """A word of a command: where it is without its quotes, and what it says."""

    start: int
    end: int
    text: str


def program(word: str) -> str:
    """Return the name of the program that a word begins with: without folders, and what a line or colour ended before it."""
    if "\\" in word or "\x1b" in word:
        word = _BEFORE_PROGRAM.regex.sub("", word[-_LONGEST_NAME:])
    return word.rpartition("/")[2].removesuffix(".exe")


@cache
def _reading() -> dict[str, frozenset[str]]:
    """Return for each program the words with which it reads a secret."""
    table: dict[str, frozenset[str]] = {}
    for programs, words in _READERS:
        for name in programs.split():
            table[name] = table.get(name, frozenset()) | frozenset(words.split())
    return table


def find(text: str, words: list[Word], piped: list[Word], spans: Spans) -> None:
    """Add the secrets that a command reads. ``piped``: what the command before it prints."""
    table = _reading()
    needed = frozenset().union(*(table.get(program(word.text), frozenset()) for word in words))
    if any(word.text == "read" for word in words) and any(names.is_secret_name(word.text) for word in words):
        # `read -r password <<< x`
        needed |= {"read"}
    said = {word.text for word in words}
    if needed and (not said.isdisjoint(needed) or any(word.text.endswith(_FROM_INPUT) for word in words)):
        body = [] if said.isdisjoint(_SURE) else _heredoc(text, words)
        spans.extend(_secret_part(word) for word in [*piped, *_here_string(words), *_substituted(words), *body])


def printed(text: str, words: list[Word]) -> list[Word]:
    """Return what an ``echo`` or ``printf`` prints, or a ``cat`` of a here-string."""
    for number, word in enumerate(words):
        if word.text in ("echo", "printf"):
            return [each for each in words[number + 1 :] if not each.text.startswith(("-", "%", "$")) and len(each.text) > 2]
    if any(word.text in ("cat", "tee") for word in words[:3]):
        return [*_here_string(words), *_heredoc(text, words)]
    return []


def _secret_part(word: Word) -> tuple[int, int]:
    """Return the secret part of what is read: of ``user:password`` for chpasswd, the password."""
    colon = -1 if "\n" in word.text else word.text.find(":")
    return (word.start + colon + 1, word.end) if 0 < colon < len(word.text) - 1 else (word.start, word.end)


def _here_string(words: list[Word]) -> list[Word]:
    """Return what stands behind ``<<<``."""
    for number, word in enumerate(words):
        if word.text == "<<<":
            return words[number + 1 : number + 2]
        if word.text.startswith("<<<"):
            said = word.text[3:].strip("\"'")
            start = word.start + word.text.index(said, 3)
            return [Word(start, start + len(said), said)]
    return []


def _substituted(words: list[Word]) -> list[Word]:
    """Return what is printed in the place of a file: ``<(echo secret)``."""
    found: list[Word] = []
    for number, word in enumerate(words):
        if not word.text.endswith(("<(echo", "<(printf")):
            continue
        for each in words[number + 1 :]:
            bare = each.text.rstrip(")")
            if not bare.startswith(("-", "%", "$")):
                found.append(Word(each.start, each.start + len(bare), bare))
            if bare != each.text or each.text == word.text:
                break
    return found


def _heredoc(text: str, words: list[Word]) -> list[Word]:
    """Return the lines up to a word: ``<<EOF``."""
    for number, word in enumerate(words):
        if not word.text.startswith("<<") or word.text.startswith("<<<"):
            continue
        tag = word.text[2:].lstrip("-~") or (words[number + 1].text if number + 1 < len(words) else "")
        tag = tag.strip("\"'")
        begin = text.find("\n", word.end, word.end + _LONGEST_TEXT) + 1
        if tag and begin:
            body = text[begin : begin + _LONGEST_TEXT]
            end = end_of_heredoc(body, 0, tag)
            # Without its end, all that follows may be it.
            return _lines(text, begin, begin + end) if end < len(body) else [Word(begin, begin + end, body)]
    return []


def _lines(text: str, start: int, end: int) -> list[Word]:
    """Return the lines of a part of a text, each as a word."""
    found = []
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        said = text[start:stop].strip()
        if said:
            first = text.index(said, start)
            found.append(Word(first, first + len(said), said))
        start = stop + 1
    return found
