"""Makes the body of a request from a user's template. See sandbox.py for its limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .forms import body_of_text
from .message import Value
from .settings import JSON, TEMPLATE

_SANDBOX = Path(__file__).with_name("sandbox.py")
# The sandbox ends itself after 2 seconds of CPU time. A busy machine gives it less than it needs.
_SECONDS = 10.0


class TemplateError(Exception):
    """A template gives no message. The message is one line."""


def body_from(template: str, form: str, values: Mapping[str, Value]) -> Any:
    """Return the body of a request. For Slack and Teams the template makes the text, for JSON the whole body.

    ``values``: of message.values_of. Raises TemplateError.
    """
    text = _rendered(template, values)
    if not text.strip():
        raise TemplateError(f"{TEMPLATE}: it makes an empty message")
    if form != JSON:
        return body_of_text(form, text)
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise TemplateError(f"{TEMPLATE}: what it makes is not JSON; write texts as {{{{ line | tojson }}}}") from None


def _no_constant(name: str) -> Any:
    """Raise ValueError: NaN and Infinity are no JSON."""
    raise ValueError(name)


def _rendered(template: str, values: Mapping[str, Value]) -> str:
    asked = json.dumps({"template": template, "values": dict(values)})
    command = [sys.executable, "-I", str(_SANDBOX)]
    try:
        # Without the environment, which has the address of the webhook and logins.
        done = subprocess.run(
            command,
            input=asked,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_SECONDS,
            check=False,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            start_new_session=True,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else {"error": "it takes too much time or memory"}
        if "error" in answer:
            raise TemplateError(f"{TEMPLATE}: {answer['error']}")
        return str(answer["text"])
    except subprocess.TimeoutExpired:
        raise TemplateError(f"{TEMPLATE}: it takes too much time") from None
    except (OSError, ValueError) as error:
        raise TemplateError(f"{TEMPLATE}: it cannot be used ({type(error).__name__})") from None
