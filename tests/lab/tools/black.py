"""black: files that are not formatted, or cannot be."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Machine, Tool

RUN = "black --check ."


def cases() -> Iterator[Case]:
    """Yield all cases of black."""
    fine = {"cart.py": "def total(prices):\n    return sum(prices)\n"}
    ugly = {"cart.py": "def total( a,b ):\n  return {  'a':a }\n"}
    yield Case("format", RUN, files=ugly)
    yield Case("format", f"{RUN} --diff", "diff", files=ugly)
    yield Case("format", RUN, "several", files={**ugly, "rates.py": "x = {  1:2 }\n", **{"fine.py": "x = 1\n"}})
    yield Case("syntax", RUN, files={"cart.py": "def total(:\n    return 1\n"})
    yield Case("syntax", RUN, "indent", files={"cart.py": "def total():\nreturn 1\n"})
    yield Case("bad-config", RUN, files={**fine, "pyproject.toml": "[tool.black\nline-length = 88\n"})
    yield Case("missing-file", "black --check src", files=fine)
    yield Case("read-only", "black .", files=ugly, machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    yield Case("no-permission", "black .", files=ugly, before="chmod 644 cart.py && chown root cart.py . && chmod 755 .")
    yield from call_faults(RUN, fine, option="--chek", misspelt="blakc")


TOOL = Tool("black", cases, setup=venv("black"), path=("black/bin",))
