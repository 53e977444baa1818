"""ruff: findings, format, configuration."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Machine, Tool

RUN = "ruff check --no-cache ."


def cases() -> Iterator[Case]:
    """Yield all cases of ruff."""
    fine = {"cart.py": "def total(prices: list[int]) -> int:\n    return sum(prices)\n"}
    for variant, text in {
        "unused": "import os\n\n\ndef total():\n    return 1\n",
        "bare-except": "try:\n    a = 1\nexcept:\n    pass\n",
        "redefined": "def total():\n    return 1\n\n\ndef total():\n    return 2\n",
    }.items():
        yield Case("lint", RUN, variant, files={"cart.py": text})
    yield Case("undefined-name", RUN, files={"cart.py": "def total():\n    return sum(price)\n"}, kind="lint")
    yield Case("syntax", RUN, files={"cart.py": "def total(:\n    return 1\n"})
    yield Case("format", "ruff format --no-cache --check .", files={"cart.py": "def total( a,b ):\n  return a+b\n"})
    yield Case("format", "ruff format --no-cache --diff .", "diff", files={"cart.py": "x = {  'a':1 }\n"})
    yield Case("bad-config", RUN, "rule", files={**fine, "ruff.toml": 'lint.select = ["ZZZ9"]\n'})
    yield Case("bad-config", RUN, "key", files={**fine, "ruff.toml": "line-lenght = 100\n"})
    yield Case("bad-config", RUN, "toml", files={**fine, "pyproject.toml": "[tool.ruff\nline-length = 100\n"})
    yield Case("missing-file", "ruff check --no-cache src/", files=fine)
    yield Case("no-permission", RUN, files=fine, before="touch locked.py && chmod 600 locked.py")
    yield Case(
        "read-only",
        "ruff format --no-cache .",
        files={"cart.py": "x = {  'a':1 }\n"},
        machine=Machine(read_only=("/home/jenkins/workspace/shop",)),
    )
    yield from call_faults(RUN, fine, option="--fix-all-things", misspelt="rufff")


TOOL = Tool("ruff", cases, setup=venv("ruff"), path=("ruff/bin",))
