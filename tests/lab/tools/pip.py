"""Cases of pip with a small package index that speaks pip's protocol."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Site, Tool
from lab.registries import PYTHON

INDEX = "https://registry.example/simple/"
INSTALL = f"pip install --no-cache-dir --retries 1 --timeout 2 --target .deps --index-url {INDEX} -r requirements.txt"
FILES = {"requirements.txt": "shop-pricing==1.4.2\n"}


SITE = Site(PYTHON)
DOWNLOAD = Site(PYTHON, at="/packages/shop_rates")


def cases() -> Iterator[Case]:
    """Yield all cases of pip."""
    for fault in [*CONNECTION, *TLS, *STATUS, "redirect-loop", "html", "empty"]:
        yield Case(fault, INSTALL, files=FILES, site=SITE)
    for fault in [*STATUS, "stalled"]:
        yield Case(fault, INSTALL, "download", files=FILES, site=DOWNLOAD)
    for fault in ("html", "truncated", "reset-midway", "corrupt"):
        # The text is that of a wrong pin.
        yield Case(fault, INSTALL, "download", files=FILES, site=DOWNLOAD, owner="unknown", why="a pin or the content")
    yield from _lookups()
    yield from _machine()
    yield from _project()


def _lookups() -> Iterator[Case]:
    healthy = {"site": SITE}
    yield Case("missing-internal", INSTALL, files=FILES, site=Site())
    yield Case("missing-version", INSTALL, files={"requirements.txt": "shop-pricing==14.0.2\n"}, **healthy)
    pinned = f"shop-rates==2.0.0 --hash=sha256:{'ab' * 32}\n"
    yield Case("pin-differs", f"{INSTALL} --require-hashes", files={"requirements.txt": pinned}, **healthy)
    conflict = "shop-pricing==1.4.2\nshop-old==1.0.0\n"
    yield Case("dependency-conflict", INSTALL, files={"requirements.txt": conflict}, **healthy)
    why = "the agent's Python, or the project's wish"
    yield Case("tool-too-old", INSTALL, files={"requirements.txt": "shop-next==3.0.0\n"}, why=why, **healthy)


def _machine() -> Iterator[Case]:
    healthy = {"files": FILES, "site": SITE}
    yield Case("disk-full", INSTALL, machine=Machine(workspace="2m"), **healthy)
    yield Case("temp-full", INSTALL, machine=Machine(temp="1m"), **healthy)
    yield Case("read-only", INSTALL, machine=Machine(read_only=("/home/jenkins/workspace/shop",)), **healthy)
    yield Case("no-permission", INSTALL, before="mkdir .deps && touch .deps/old && chmod 755 .deps", **healthy)
    yield Case("out-of-memory", INSTALL, machine=Machine(memory=48), **healthy)
    slow = {"files": FILES, "site": Site(PYTHON, at="/packages", fault="stalled")}
    patient = INSTALL.replace("--timeout 2", "--timeout 20")
    yield Case("killed", patient, machine=Machine(kill=("KILL", "pip install", 3)), **slow)
    yield Case("terminated", patient, machine=Machine(kill=("TERM", "pip install", 3)), **slow)
    yield Case("timeout", f"timeout 3 {patient}", **slow)
    yield Case("tool-missing", INSTALL, machine=Machine(without=("pip",)), files=FILES)


def _project() -> Iterator[Case]:
    yield Case("tool-misspelt", INSTALL.replace("pip ", "ppi ", 1), files=FILES)
    yield Case("missing-file", INSTALL.replace("requirements.txt", "requirments/dev.txt"), files=FILES)
    yield Case("wrong-option", f"{INSTALL} --no-chache", files=FILES)
    yield Case("bad-manifest", INSTALL, files={"requirements.txt": "shop-pricing=1.4.2\n"})
    setup = {"setup.py": "from setuptools import setup\nsetup(name='shop', version='1.0.0'\n"}
    build = "pip install --no-cache-dir --no-deps --no-build-isolation --target .deps ."
    yield Case("syntax", build, "setup.py", files=setup)
    yield Case("bad-manifest", build, "pyproject", files={"pyproject.toml": '[project\nname = "shop"\n'})
    broken = {"requirements.txt": "shop-pricing==1.4.2\n", "check.py": "def total(:\n    return 0\n"}
    yield Case(
        "recovered-then-dev",
        f"{INSTALL} --retries 5\npython3 -m py_compile check.py",
        files=broken,
        site=Site(PYTHON, at="/packages", fault="http-503", times=1),
    )


TOOL = Tool(
    "pip",
    cases,
    setup="/usr/bin/python3 -m venv .\nbin/pip install --quiet setuptools wheel",
    path=("pip/bin",),
    env={"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
)
