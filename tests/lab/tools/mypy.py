"""mypy: type errors and configuration."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Machine, Tool

RUN = "mypy --strict cart.py"


def cases() -> Iterator[Case]:
    """Yield all cases of mypy."""
    fine = {"cart.py": "def total(prices: list[int]) -> int:\n    return sum(prices)\n"}
    for variant, text in {
        "argument": "def total(a: int) -> int:\n    return a\n\n\ntotal('one')\n",
        "return": "def total(a: int) -> str:\n    return a\n",
        "attribute": "class Cart:\n    pass\n\n\nCart().total\n",
        "none": "def total(a: int | None) -> int:\n    return a + 1\n",
        "untyped": "def total(a):\n    return a\n",
        "override": (
            "class A:\n    def f(self) -> int:\n        return 1\n\n\nclass B(A):\n    def f(self) -> str:\n        return"
            " ''\n"
        ),
    }.items():
        yield Case("type", RUN, variant, files={"cart.py": text})
    yield Case("undefined-name", RUN, files={"cart.py": "def total() -> int:\n    return price\n"})
    yield Case("syntax", RUN, files={"cart.py": "def total(:\n    return 1\n"})
    yield Case(
        "import",
        RUN,
        files={"cart.py": "from prices import rate\n"},
        owner="unknown",
        why="the project's module, or a dependency that the set-up lacks: not said",
    )
    yield Case(
        "missing-dependency",
        RUN,
        "stubs",
        files={"cart.py": "import requests\n"},
        owner="unknown",
        why="the manifest, or the set-up of the agent: not said",
    )
    yield Case("missing-file", "mypy --strict carts.py", files=fine)
    yield Case("disk-full", RUN, files=fine, machine=Machine(workspace="16k"))
    yield Case(
        "read-only",
        f"{RUN} --junit-xml report.xml",
        files=fine,
        machine=Machine(read_only=("/home/jenkins/workspace/shop",)),
    )
    yield from call_faults(RUN, fine, option="--stricter", misspelt="mypi")


TOOL = Tool("mypy", cases, setup=venv("mypy"), path=("mypy/bin",))
