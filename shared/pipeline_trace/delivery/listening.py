"""Notes where `serve` listens on this machine, so that a playbook can end with a link to its trace.

The note is a file in the home folder. A `serve` that was killed leaves it behind, so a reader asks whether somebody listens.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from ..trace.files import read_regular
from .destinations import traces_endpoint
from .home import Home
from .journal import write_private

_NAME = "serve.json"
_MOST_BYTES = 4096
# A local address answers at once, or nobody listens there.
_SECONDS = 0.1
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def note(home: Home, url: str, grpc: str) -> None:
    """Write down where `serve` listens. ``url``: of HTTP. ``grpc``: HOST:PORT. Raises OSError."""
    write_private(home.path / _NAME, json.dumps({"url": url, "grpc": grpc}).encode())


def forget(home: Home, url: str) -> None:
    """Remove the note, unless another `serve` has written its own since."""
    if _noted(home.path / _NAME).get("url") == url:
        (home.path / _NAME).unlink(missing_ok=True)


def page_of(home: Home, environ: Mapping[str, str], trace_id: str) -> str:
    """Return the address of a trace's page if `serve` listens on this machine and gets the spans; else an empty text.

    It gets them by the store of this home folder, or because the OTLP variables name it.
    """
    noted = _noted(home.path / _NAME)
    url, receiver = noted.get("url", ""), traces_endpoint(environ)
    try:
        if receiver and not _is_one_of(receiver, url, f"//{noted.get('grpc', '')}"):
            return ""
        parts = urlsplit(url)
        if not _answers(parts):
            return ""
    except ValueError:
        return ""
    # A server on all addresses is for others, who need this machine's name.
    shown = f"http://{socket.gethostname()}:{parts.port}" if parts.hostname in _ANY else url
    return f"{shown}/trace/{trace_id}"


def url_of(home: Home) -> str:
    """Return where `serve` listens for HTTP on this machine, for a process on it; "" if none shows this home folder."""
    try:
        parts = urlsplit(_noted(home.path / _NAME).get("url", ""))
        if not _answers(parts):
            return ""
    except ValueError:
        return ""
    host = _ANY.get(parts.hostname or "", parts.hostname or "")
    return f"http://[{host}]:{parts.port}" if ":" in host else f"http://{host}:{parts.port}"


def _answers(parts: SplitResult) -> bool:
    """Return whether somebody listens at a noted address. Raises ValueError if it is none."""
    if not parts.hostname or not parts.port:
        return False
    with suppress(OSError), socket.create_connection((_ANY.get(parts.hostname, parts.hostname), parts.port), _SECONDS):
        return True
    return False


def _is_one_of(receiver: str, *addresses: str) -> bool:
    """Return whether a receiver is one of these addresses of this machine."""
    wanted = urlsplit(receiver if "://" in receiver else f"//{receiver}")
    return any(
        wanted.port == other.port and (wanted.hostname == other.hostname or wanted.hostname in _LOOPBACK)
        for other in map(urlsplit, addresses)
    )


def _noted(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        found = json.loads(read_regular(path, _MOST_BYTES))
        if isinstance(found, dict):
            return {name: value for name, value in found.items() if isinstance(value, str)}
    return {}
