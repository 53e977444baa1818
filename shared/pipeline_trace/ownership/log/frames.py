"""Tells whose code a stack trace runs through: the project's, or that of tools and libraries. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence

OWN = "own"
OTHERS = "others"
# Lines before and after an error that belong to its stack trace.
_REACH = 60
_FRAME = re.compile(
    r"^\s*File \"(?P<python>[^\"]+)\", line \d+"
    r"|^\s+at (?:async |new )?(?:[^()\s]+ )?(?:\[as \S+\] )?\(?(?P<node>(?:file://|node:|[\w.@~-]*/|[A-Z]:\\)[^()]*):\d+:\d+\)?$"
    r"|^\s*at (?P<java>[\w$./<>-]+)\((?:\w+\.(?:java|kt|scala|groovy):\d+|Native Method|Unknown Source|\w+\.\w+)\)"
    r"|^\s+(?P<go>/\S+\.(?:go|s)):\d+ \+0x"
    r"|^\s*(?:from |\d+: )?(?P<ruby>[\w./-]+\.rb):\d+:in "
    r"|^\s*at .+ in (?P<net>\S+):line \d+"
    r"|^\s*#\d+ (?P<php>/\S+\.php)[(:]\d+"
)
_TOOLS = re.compile(
    r"site-packages|dist-packages|/lib/python\d|^<|/(?:local/)?bin/[\w.-]+$|^/usr/|^/opt/|^/snap/|^/nix/|hostedtoolcache|/\.pyenv/|/conda\w*/"
    r"|node_modules|^node:|^internal/|/_actions/|/\.yarn/|/\.npm/|/\.nvm/|/go/pkg/mod|/usr/local/go|/gems/|/vendor/|/ruby/\d|/\.cargo/|/rustc/"
    r"|^(?:app//|java\.\w+/|jdk\.\w+/)?(?:java|javax|jdk|sun|com\.sun|hudson|jenkins|org\.jenkinsci|com\.cloudbees|org\.gradle|worker\.org|org\.apache"
    r"|org\.codehaus|org\.sonar\w*|org\.sonarsource|com\.google|org\.springframework|kotlin|scala|org\.junit|junit|org\.testng|org\.eclipse|io\.netty"
    r"|org\.hibernate|groovy|org\.groovy|com\.android|sbt|clojure|org\.jetbrains|com\.zaxxer|org\.postgresql|com\.mysql|ch\.qos|org\.slf4j|reactor"
    r"|okhttp3|retrofit2|io\.grpc|org\.yaml|com\.fasterxml|org\.mockito|net\.bytebuddy|org\.flywaydb|liquibase|io\.quarkus|io\.micronaut|org\.owasp"
    r"|com\.amazonaws|software\.amazon|com\.github\.\w+\.maven)\."
)


def whose_frames(lines: Sequence[str], number: int) -> str:
    """Return whose the frames around a line are: "own" if one is of the project, else "others", "" without frames."""
    found = ""
    for line in lines[max(number - _REACH, 0) : number + _REACH]:
        frame = _FRAME.match(line)
        if frame:
            found = OTHERS
            if not _TOOLS.search(next(filter(None, frame.groups()))):
                return OWN
    return found


def is_frame(line: str) -> bool:
    """Return whether a line is a frame of a stack trace."""
    return _FRAME.match(line) is not None or line.lstrip().startswith("at ")


def first_frame(lines: Sequence[str]) -> int | None:
    """Return the number of the first line that is a frame; None if there is none."""
    return next((number for number, line in enumerate(lines) if _FRAME.match(line)), None)
