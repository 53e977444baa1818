"""Who asks: users with passwords or certificates, their settings, and which of them they may change."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import Refusal


@dataclass(frozen=True)
class User:
    """A user of the server.

    ``certificate``: the common name of a client's certificate that lets the user in without a password. ``settings``: the
    user's profile, e.g. ``{"readonly": "1"}``. ``changeable``: settings that may be changed though ``readonly`` is 1.
    """

    password: str = ""
    certificate: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    changeable: tuple[str, ...] = ()


def load(path: Path) -> dict[str, User]:
    """Return the users of a file by their names."""
    return {name: User(**values) for name, values in json.loads(path.read_text()).items()}


Texts = Mapping[str, str]


def login(users: Mapping[str, User], headers: Texts, query: Texts, certificate: str) -> tuple[str, User]:
    """Return who asks. ``certificate``: the common name in the client's, or ''. Raises Refusal."""
    name, password = _credentials(headers, query)
    user = users.get(name)
    if user and headers.get("X-ClickHouse-SSL-Certificate-Auth") == "on":
        known = bool(user.certificate) and user.certificate == certificate
    else:
        known = user is not None and hmac.compare_digest(user.password.encode(), password.encode())
    if not user or not known:
        wrong = "Authentication failed: password is incorrect, or there is no user with such name."
        raise Refusal(f"Code: 516. DB::Exception: {name}: {wrong} (AUTHENTICATION_FAILED)")
    return name, user


def _credentials(headers: Texts, query: Texts) -> tuple[str, str]:
    kind, _, basic = (headers.get("Authorization") or "").partition(" ")
    if kind.lower() == "basic":
        try:
            name, _, password = base64.b64decode(basic, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refusal("Code: 36. DB::Exception: Invalid authentication header. (BAD_ARGUMENTS)") from None
        return name or "default", password
    name = _text(headers, "X-ClickHouse-User") or query.get("user") or "default"
    return name, _text(headers, "X-ClickHouse-Key") or query.get("password") or ""


def _text(headers: Texts, name: str) -> str:
    """Return a header's value as it was meant: http.server reads bytes as Latin-1."""
    return headers.get(name, "").encode("latin-1").decode("utf-8", "replace")
