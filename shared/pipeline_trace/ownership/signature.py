"""Computes the signature of a failure: its deciding log line without what differs between builds. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TLD = r"(?:com|org|net|io|local|internal|lan|dev|de|corp|svc|cluster|example|cloud|intranet)"
_ADDRESS = r"\b(?:\d{1,3}\.){3}\d{1,3}"
_FULL_NAME = rf"\b(?:localhost|[a-z][\w-]*(?:\.[\w-]+)*\.{_TLD})\b"
# Numbers that tell failures apart: an HTTP status, a port of a service (clients have higher ones).
_KEPT = r"\b(?:error|status|code|returned)[:= ]+[45]\d\d\b|\bport[:= ]+(?:[12]?\d{1,4}|3[01]\d{3})\b"
# A number that belongs to a name (web2, E0308, v1.2.3) is kept as well.
_NUMBER = r"(?<![a-z0-9.])\d+(?:\.\d+)*"
_MASKS = tuple(
    (re.compile(expression, re.IGNORECASE), mask)
    for expression, mask in (
        (r"\x1b\[[0-9;]*m", ""),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>)\]]+", "<url>"),
        (r"\bsha(?:1|256|384|512)[-:][\w+/=-]+|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b", "<hash>"),
        (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", "<hash>"),
        (rf"(?:{_ADDRESS}|{_FULL_NAME})(?::\d+)?\b", "<host>"),
        (r"(?<![\w<])(?:~|\.{0,2})/[\w.@+-]+(?:/[\w.@+-]+)+", "<path>"),
        (rf"({_KEPT})|{_NUMBER}", lambda match: match[1] or "<n>"),
        (r"\s+", " "),
    )
)
# A signature of at least this length may have been cut off.
_SHORTEST = 60
_HOST = re.compile(
    rf"\b[a-z][a-z0-9+.-]*://(?:[^\s/@'\"]*@)?([\w.-]+)(?::(\d+))?"
    rf"|({_ADDRESS}|{_FULL_NAME})(?::(\d+))?\b"
    r"|\b(?:host|hostname|server|node|lookup|resolve|reach|connect(?:ion)? to)\b[ :='\"]+([a-z][\w-]*\d[\w-]*)",
    re.IGNORECASE,
)
# What comes before the address of a page that explains an error.
_EXPLAINED = re.compile(r"\b(?:see|visit|docs|documentation|help|info|information)\W*(?:at |on )?\W*$", re.IGNORECASE)
# Each machine calls itself so.
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "0.0.0.0"))
# Clients get a port from here on, another one each time.
_FIRST_CLIENT_PORT = 32_768
_WORD = re.compile(r"<\w+>|[a-z]{3,}")
# Words that any failed command may end with, whatever failed: "script returned exit code 1", "BUILD FAILURE".
_COMMON = """
aborted above all and app build caused code command completed denied details directory does download elifecycle err
errno error errors exception execute executing execution exist exit exited fail failed failing failure false fatal file
finished for found full have ignore info information install job killed last line log logs make makefile marked message
module more msg non not npm null one output permission pipeline process project propagate recipe result return returned
returning run running script see shell signal stage state status step stopped subcommand such summary target task tasks
terminated test tests the there this timed timeout total unknown unstable warning was went were what while with wrong
yarn zero
"""
_COMMON_WORDS = frozenset(_COMMON.split())


@dataclass(frozen=True)
class Signature:
    """What a failure has in common with another.

    ``text``: the line with times, addresses, hosts, hashes, paths and numbers replaced by placeholders.
    ``hosts``: the hosts that the line names, with the ports of services.
    """

    text: str
    hosts: frozenset[str] = frozenset()

    @property
    def telling(self) -> bool:
        """Return whether the text says what failed. Any failed command ends with "script returned exit code 1"."""
        return any(word not in _COMMON_WORDS and word[0] != "<" for word in _WORD.findall(self.text))

    @property
    def shared_hosts(self) -> frozenset[str]:
        """Return the hosts without localhost, which is another one on each machine."""
        return frozenset(host for host in self.hosts if host.partition(":")[0] != "localhost")

    def like(self, other: Signature) -> bool:
        """Return whether both may be the same failure: the same text, and no other hosts. One text may be cut off."""
        return are_alike(self.text, other.text) and (
            not self.hosts or not other.hosts or not self.hosts.isdisjoint(other.hosts)
        )


def signature_of(line: str) -> Signature:
    """Return the signature of a line."""
    text = line
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return Signature(text.strip().lower(), frozenset(_hosts(line)))


def _hosts(line: str) -> Iterator[str]:
    for match in _HOST.finditer(line):
        if _EXPLAINED.search(line, max(0, match.start() - 30), match.start()):
            continue
        host = (match[1] or match[3] or match[5]).lower().rstrip(".")
        port = match[2] or match[4]
        name = "localhost" if host in _LOOPBACK else host
        yield f"{name}:{port}" if port and int(port) < _FIRST_CLIENT_PORT else name


def are_alike(one: str, other: str) -> bool:
    """Return whether the texts of two signatures are the same. One of them may be cut off."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    # The last characters may be half of a placeholder.
    return len(short) >= _SHORTEST and long.startswith(short[:-20])
