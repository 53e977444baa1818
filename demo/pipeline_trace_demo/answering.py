"""Makes HTTP answers from the documents of a replayed controller. Does no I/O."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from . import pages
from .faults import Answer, html
from .hierarchy import without_tree
from .logs import is_html
from .recording import Documents
from .runs import runs
from .tree import TreeError, parse, select

_RUNS = "/wfapi/runs"
_PROGRESSIVE = re.compile(r".*/logText/progressive(?:Text|Html)")


def of_document(document: Any, query: str) -> Answer:
    """Return the answer of ``api/json``: ``document``, or what the query's ``tree`` wants of it."""
    tree = parse_qs(query, keep_blank_values=True).get("tree")
    if tree is None:
        return of_jenkins(without_tree(document))
    try:
        return of_jenkins(select(document, parse(tree[0])))
    except TreeError:
        return html(500, pages.oops())


def of_jenkins(document: Any) -> Answer:
    """Return a document as an answer of Jenkins' own API, with the version of Jenkins in its headers."""
    return _json(document, pages.JENKINS_HEADERS)


def of_plugin(key: str, query: str, documents: Documents) -> Answer | None:
    """Return the answer of a path other than api/json; None if the controller has none.

    ``key``: the path, with the query where that names a node (``exchanges.keyed``).
    """
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    if key.endswith(_RUNS):
        full = asked.get("fullStages") == "true"
        listed = runs(key.removesuffix(_RUNS), documents.answers, asked.get("since"), full)
        if listed is not None:
            return _json(listed)
    # Only whole logs were recorded.
    is_part = _PROGRESSIVE.fullmatch(key) and asked.get("start", "0") != "0"
    if key not in documents.answers or is_part:
        return None
    body = documents.answers[key]
    return _text(key, body, documents.headers.get(key, {})) if isinstance(body, str) else _json(body)


def _text(key: str, text: str, headers: Mapping[str, str]) -> Answer:
    body = text.encode()
    # Of a derived log, the size without Jenkins' invisible notes.
    size = {"X-Text-Size": str(len(body)), **headers} if _PROGRESSIVE.fullmatch(key) else {}
    if is_html(key) and not size:
        return html(200, text)
    return Answer(200, body, {"Content-Type": pages.HTML if is_html(key) else pages.TEXT, **size})


def _json(document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(200, body, {**(headers or {}), "Content-Type": pages.JSON})


def of_container(status: int, message: str, path: str, headers: dict[str, str] | None = None) -> Answer:
    """Return an error page of the servlet container, which is not Jenkins' own."""
    page = pages.container_error(status, message, path)
    return Answer(status, page.encode(), {"Content-Type": pages.HTML_OF_CONTAINER, **(headers or {})})


def credentials(authorization: str) -> tuple[str, str] | None:
    """Return the user and the token in an Authorization header; None if there are none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, token


def who_am_i(authorization: str | None) -> dict[str, Any]:
    """Return what ``whoAmI`` says about an Authorization header."""
    user = credentials(authorization) if authorization else None
    return {
        "_class": "hudson.security.WhoAmI",
        "anonymous": user is None,
        "authenticated": True,
        "authorities": ["authenticated" if user else "anonymous"],
        "name": user[0] if user else "anonymous",
    }
