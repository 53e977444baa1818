"""Rewrites the links in the answers of plugins, which have the controller's path but not its address."""

from __future__ import annotations

import re
from typing import Any

_LINKS = frozenset({"href", "consoleUrl", "url"})
_LINK = re.compile(r"^(?:/[^/]+)??(?=/(?:job|computer)/)")
_LINK_IN_TEXT = re.compile(r"(?<=href=')(?:/[^/']+)??(?=/(?:job|computer)/)")


def relink(answer: Any, context_path: str, *, is_html: bool = False) -> Any:
    """Return a copy of an answer with links that begin with ``context_path``, as Jenkins does.

    ``is_html``: whether an answer that is a text is HTML. Only HTML has links.
    """
    if isinstance(answer, dict):
        shown = {name: relink(value, context_path) for name, value in answer.items()}
        for name in _LINKS & shown.keys():
            if isinstance(shown[name], str):
                shown[name] = _LINK.sub(context_path, shown[name])
        if isinstance(shown.get("text"), str):
            shown["text"] = _LINK_IN_TEXT.sub(context_path, shown["text"])
        return shown
    if isinstance(answer, list):
        return [relink(item, context_path) for item in answer]
    if is_html and isinstance(answer, str):
        return _LINK_IN_TEXT.sub(context_path, answer)
    return answer
