"""tox: environments whose dependencies come from an index."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, CONTENT, STATUS, TLS
from lab.model import Case, Machine, Site, Tool
from lab.registries import PYTHON
from lab.usual import Work, agent_cases, dev, shown_change, unclear

TEST = "tox"
SITE = Site(PYTHON)
INDEX = (
    "PIP_INDEX_URL=https://registry.example/simple/\n    PIP_RETRIES=1\n    PIP_DEFAULT_TIMEOUT=2\n    PIP_NO_CACHE_DIR=1\n    PIP_DISABLE_PIP_VERSION_CHECK=1\n"
    "    PIP_CERT=/etc/ssl/certs/ca-certificates.crt"
)
LOCAL = "[tox]\nenvlist = unit\nskipsdist = true\n[testenv]\nskip_install = true\ncommands = python -m unittest\n"
FETCHES = f"{LOCAL}deps = shop-rates==2.0.0\nsetenv =\n    {INDEX}\n"
CART = "def total(counts, rate=12):\n    return sum(counts) * rate\n"
CHECK = "import unittest\n\nfrom cart import total\n\n\nclass CartTest(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(total([1, 2]), 36)\n"
FILES = {"tox.ini": LOCAL, "cart.py": CART, "test_cart.py": CHECK}
FETCHING = {**FILES, "tox.ini": FETCHES}

# Of these pip says only that no version matches.
_UNTOLD = {*STATUS, "html", "empty"} - {"http-401"}


def cases() -> Iterator[Case]:
    """Yield all cases of tox."""
    for fault in [*CONNECTION, *TLS, *STATUS, "redirect-loop", "html", "empty"]:
        yield unclear(
            Case(fault, TEST, files=FETCHING, site=SITE, seconds=60), _UNTOLD, "pip does not tell why it finds nothing"
        )
    for fault in ["http-403", "http-502", "http-503", *CONTENT]:
        if fault not in ("redirect-loop", "empty"):
            case = Case(fault, TEST, "download", files=FETCHING, site=Site(PYTHON, at="/packages/"), seconds=60)
            yield unclear(case, ("html", "corrupt"), "a pin, or the content")
    yield from _lookups()
    slow = {"test_cart.py": CHECK.replace("self.assert", "__import__('time').sleep(60); self.assert")}
    yield from agent_cases(Work("tox", TEST, FILES, size="500k", memory=40, output=".tox", slow=TEST, slow_files=slow))
    yield Case(
        "tool-missing",
        TEST,
        "interpreter",
        files={**FILES, "tox.ini": LOCAL.replace("[testenv]", "[testenv]\nbasepython = python3.99")},
    )
    yield Case(
        "home-denied",
        TEST,
        files=FETCHING,
        site=SITE,
        before="mkdir -p /home/jenkins/.local/share && chmod -R 700 /home/jenkins/.local && chown -R 0 /home/jenkins/.local",
    )
    yield Case("temp-full", TEST, files=FETCHING, site=SITE, machine=Machine(temp="1m"))
    yield Case(
        "tool-too-old",
        TEST,
        files={**FILES, "tox.ini": LOCAL.replace("[tox]", "[tox]\nrequires = tox>=99\nprovision_tox_env = .none")},
        site=SITE,
    )
    yield from dev(TEST, FILES, *_project())
    yield Case("unknown-target", "tox -e lint_all", files=FILES)
    yield Case("wrong-option", "tox --fail-quick", files=FILES)
    yield Case("missing-file", TEST, files={"cart.py": CART})


def _lookups() -> Iterator[Case]:
    def deps(text: str) -> dict[str, str]:
        return {**FILES, "tox.ini": FETCHES.replace("shop-rates==2.0.0", text)}

    yield Case("missing-internal", TEST, files=deps("shop-ledger==1.4.2"), site=SITE)
    yield Case("missing-version", TEST, files=deps("shop-pricing==14.0.2"), site=SITE)
    yield Case("dependency-conflict", TEST, files=deps("\n    shop-pricing==1.4.2\n    shop-old==1.0.0"), site=SITE)
    before, show = shown_change("tox.ini", "requests", "reqeusts")
    yield Case("misspelt-name", f"{show}\n{TEST}", files=deps("reqeusts==2.32.3"), site=SITE, before=before)
    yield Case("missing-file", TEST, "requirements", files=deps("-r requirements/dev.txt"), site=SITE)


def _project() -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("test", "", {"cart.py": CART.replace("12", "11")}),
        ("test-error", "", {"cart.py": CART.replace("sum(counts)", "counts['tea']")}),
        ("import", "", {"test_cart.py": CHECK.replace("from cart", "from basket")}),
        ("missing-dependency", "", {"cart.py": "import pydantic\n" + CART}),
        ("syntax", "", {"cart.py": CART.replace(":\n", "\n")}),
        ("bad-manifest", "", {"tox.ini": LOCAL.replace("[testenv]", "[testenv")}),
        ("bad-config", "", {"tox.ini": LOCAL.replace("python -m unittest", "{envtmpdirs}/x {[shop]none}")}),
        ("bad-config", "allowlist", {"tox.ini": LOCAL.replace("python -m unittest", "make check")}),
        ("tool-misspelt", "command", {"tox.ini": LOCAL.replace("python -m unittest", "pyhton -m unittest")}),
        (
            "bad-manifest",
            "package",
            {
                "tox.ini": "[tox]\nenvlist = unit\n[testenv]\ncommands = python -m unittest\n",
                "pyproject.toml": "[project\nname = 'shop'\n",
            },
        ),
    ]


TOOL = Tool("tox", cases, setup="/usr/bin/python3 -m venv . && bin/pip -q install tox", path=("tox/bin",))
