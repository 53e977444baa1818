"""flake8: findings and configuration."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Machine, Tool

RUN = "flake8 ."


def cases() -> Iterator[Case]:
    """Yield all cases of flake8."""
    fine = {"cart.py": "def total(prices):\n    return sum(prices)\n"}
    for variant, text in {
        "unused": "import os\n",
        "long": f"x = '{'a' * 120}'\n",
        "blank": "def a():\n    pass\ndef b():\n    pass\n",
        "variable": "def a():\n    unused = 1\n",
    }.items():
        yield Case("lint", RUN, variant, files={"cart.py": text})
    yield Case("undefined-name", RUN, files={"cart.py": "def total():\n    return price\n"}, kind="lint")
    yield Case("syntax", RUN, files={"cart.py": "def total(:\n    return 1\n"})
    yield Case("bad-config", RUN, files={**fine, ".flake8": "[flake8]\nmax-line-length = wide\n"})
    yield Case("bad-config", RUN, "code", files={**fine, ".flake8": "[flake8]\nextend-ignore = E203, # spaces\n"})
    yield Case("missing-file", "flake8 src", files=fine)
    yield Case(
        "no-permission",
        f"{RUN} --output-file reports/flake8.txt",
        files=fine,
        before="mkdir reports && chmod 755 reports && touch reports/flake8.txt",
    )
    yield Case(
        "disk-full",
        f"{RUN} --output-file flake8.txt --tee --show-source",
        files={"cart.py": "import os\n" * 400},
        machine=Machine(workspace="8k"),
    )
    yield from call_faults(RUN, fine, option="--max-lines", misspelt="flake")


TOOL = Tool("flake8", cases, setup=venv("flake8"), path=("flake8/bin",))
