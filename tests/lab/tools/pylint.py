"""pylint: findings and configuration."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Tool

RUN = "pylint --disable=missing-docstring cart.py"


def cases() -> Iterator[Case]:
    """Yield all cases of pylint."""
    fine = {"cart.py": "def total(prices):\n    return sum(prices)\n"}
    for variant, text in {
        "member": "import os\n\nprint(os.no_such_name)\n",
        "arguments": "def total(a):\n    return a\n\n\ntotal()\n",
        "unused": "import os\n",
        "self": "class Cart:\n    def total():\n        return 1\n",
    }.items():
        yield Case("lint", RUN, variant, files={"cart.py": text})
    yield Case("undefined-name", RUN, files={"cart.py": "def total():\n    return price\n"}, kind="lint")
    yield Case("syntax", RUN, files={"cart.py": "def total(:\n    return 1\n"})
    yield Case(
        "import",
        RUN,
        files={"cart.py": "from prices import rate\n\nprint(rate)\n"},
        owner="unknown",
        why="the project's module, or a dependency that the set-up lacks: not said",
    )
    yield Case("lint", f"{RUN} --fail-under=9.9", "score", files={"cart.py": "X = 1\nx = 2\ny = 3\nprint(X, x ,y)\n"})
    yield Case("missing-file", RUN.replace("cart.py", "carts.py"), files=fine)
    yield from call_faults(RUN, fine, option="--no-such-option", misspelt="pylnt")


TOOL = Tool("pylint", cases, setup=venv("pylint"), path=("pylint/bin",))
