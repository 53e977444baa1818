"""Makes a log neutral: no host, address, path or secret of the machine that ran the tool is left in it."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Mapping

from pipeline_trace.trace.redact import masked

HOME = "/home/jenkins"
TOOLS = "/opt/tools"
# What a log of another machine keeps: names for examples, this machine itself.
_OURS = re.compile(r"(?:^|\.)(?:example|internal|invalid|test|localhost|local)$|^[\d.]+$")
_URL = re.compile(r"(?<=://)((?:[^\s/@'\"]+@)?)([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)(?=[:/\s'\",;)\]}>]|$)")
_HOST = re.compile(r"(?<![\w@./-])((?:[a-z0-9-]+\.)+(?:org|com|net|io|dev|in))(?![\w.-]*\w)")
_ADDRESS = re.compile(r"(?<![\d.])(?!127\.|0\.0\.0\.0|10\.|192\.0\.2\.)(?:\d{1,3}\.){3}\d{1,3}(?=:\d+|[\s,)\]]|$)")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.(?:org|com|net|io|dev)\b")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-B0-2])")
_CONTROL = re.compile(r"[^\n\t\r -\ufffd]")


def neutral(log: str, places: Mapping[str, str]) -> str:
    """Return a log with neutral hosts, addresses and paths, and without secrets.

    ``places``: paths of this machine with what takes their place; longer ones go first.
    """
    text = _CONTROL.sub("", _ANSI.sub("", log))
    machine = socket.gethostname()
    for path in sorted(places, key=len, reverse=True):
        text = text.replace(path, places[path])
    text = text.replace("/root", HOME).replace(machine, "agent-1") if machine else text
    text = re.sub(r"/tmp/(?!shop)[\w.-]*[A-Z\d_-][\w.-]{5,}", "/tmp/build", text)
    text = _URL.sub(lambda found: found[1] + _host(found[2]), text)
    text = _HOST.sub(lambda found: _host(found[1]), text)
    text = _MAIL.sub("someone@mail.example", text)
    return masked(_ADDRESS.sub("192.0.2.10", text))


def _host(name: str) -> str:
    """Return a name for a host: its own if it is one for examples, else one by what it serves."""
    if _OURS.search(name):
        return name
    first = name.split(".")[0]
    kind = first if first in ("git", "docs", "www", "proxy") else "registry"
    return "git.example" if "git" in name else f"{kind}.example"


def places(workspace: str, home: str, tools: str) -> dict[str, str]:
    """Return the paths of a run with their neutral names."""
    own = {workspace: f"{HOME}/workspace/shop", home: HOME, tools: TOOLS, os.path.realpath(tools): TOOLS}
    return {**own, sys.base_prefix: "/usr/local"}
