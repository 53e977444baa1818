"""Renders a user's template in a separate process with little time, little memory and no secrets.

Run by its path: it reads JSON on stdin, and writes JSON on stdout. Jinja2's sandbox alone bounds neither time nor memory:
two loops, or a text times a number, are enough to use up either.
"""

from __future__ import annotations

import json
import resource
import sys

_SECONDS = 2
_BYTES = 512 << 20
# Characters of a message.
_LONGEST = 20_000


def main() -> None:
    """Render the template on stdin. Exit status 0; a time limit kills the process."""
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    asked = json.load(sys.stdin)
    try:
        answer = {"text": _rendered(asked["template"], asked["values"])}
    except Exception as error:
        # Any error: it is the template's, and one line.
        line = getattr(error, "lineno", None)
        said = " ".join(str(error).split())[:200]
        answer = {"error": f"{type(error).__name__}{f' in line {line}' if line else ''}: {said}"}
    json.dump(answer, sys.stdout)


def _rendered(template: str, values: dict[str, object]) -> str:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    text = ""
    for piece in environment.from_string(template).generate(values):
        text += piece
        if len(text) > _LONGEST:
            raise ValueError(f"it makes more than {_LONGEST} characters")
    return text


if __name__ == "__main__":
    main()
