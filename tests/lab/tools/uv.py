"""uv against an index of Python packages."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS, UPLOAD
from lab.model import Case, Machine, Site, Tool
from lab.packages import wheel
from lab.registries import PYTHON

INSTALL = "uv pip install --target .deps --index-url https://registry.example/simple/ -r requirements.txt"
SYNC = "uv sync --index-url https://registry.example/simple/"
FILES = {"requirements.txt": "shop-pricing==1.4.2\n"}
SITE = Site(PYTHON)
DOWNLOAD = Site(PYTHON, at="/packages/shop_rates")
HERE = "/home/jenkins/workspace/shop"


def pyproject(*dependencies: str, more: str = "") -> dict[str, str]:
    """Return the files of a project with these dependencies."""
    listed = ", ".join(f'"{each}"' for each in dependencies)
    text = f'[project]\nname = "shop"\nversion = "1.0.0"\nrequires-python = ">=3.9"\ndependencies = [{listed}]\n{more}'
    return {"pyproject.toml": text}


def cases() -> Iterator[Case]:
    """Yield all cases of uv."""
    for fault in [*CONNECTION, *TLS, *STATUS, "html", "redirect-loop"]:
        yield Case(fault, INSTALL, files=FILES, site=SITE)
        yield Case(fault, SYNC, "sync", files=pyproject("shop-pricing==1.4.2"), site=SITE)
    for fault in [*STATUS, "truncated", "reset-midway", "stalled"]:
        yield Case(fault, INSTALL, "download", files=FILES, site=DOWNLOAD)
    for fault in ("html", "corrupt"):
        yield Case(fault, INSTALL, "download", files=FILES, site=DOWNLOAD, owner="unknown", why="a pin or the content")
    publish = "uv publish --publish-url https://registry.example/upload --username ci --password ci-password dist/*"
    built = {"dist/shop-1.0.0-py3-none-any.whl": wheel("shop", "1.0.0")}
    for fault in [*UPLOAD, "http-401", "http-403", "http-502", "refused", "tls-expired"]:
        yield Case(fault, publish, "publish", files=built, site=Site())
    yield from _lookups()
    yield from _others()


def _lookups() -> Iterator[Case]:
    yield Case("missing-internal", INSTALL, files=FILES, site=Site())
    yield Case("missing-internal", SYNC, "sync", files=pyproject("shop-pricing==1.4.2"), site=Site())
    yield Case("missing-version", INSTALL, files={"requirements.txt": "shop-pricing==14.0.2\n"}, site=SITE)
    yield Case(
        "dependency-conflict", INSTALL, files={"requirements.txt": "shop-pricing==1.4.2\nshop-old==1.0.0\n"}, site=SITE
    )
    yield Case("dependency-conflict", SYNC, "sync", files=pyproject("shop-pricing==1.4.2", "shop-old"), site=SITE)
    pinned = f"shop-rates==2.0.0 --hash=sha256:{'ab' * 32}\n"
    yield Case("pin-differs", f"{INSTALL} --require-hashes", files={"requirements.txt": pinned}, site=SITE)
    why = "the agent's Python, or the project's wish"
    yield Case("tool-too-old", INSTALL, files={"requirements.txt": "shop-next==3.0.0\n"}, site=SITE, why=why)
    own = '[[package]]\nname = "shop"\nversion = "1.0.0"\nsource = { virtual = "." }\n'
    lock = f'version = 1\nrevision = 1\nrequires-python = ">=3.9"\n\n{own}'
    locked = {**pyproject("shop-pricing==1.4.2"), "uv.lock": lock}
    yield Case("lock-out-of-step", f"{SYNC} --locked", files=locked, site=SITE)
    yield Case("missing-file", f"{SYNC} --frozen", "lock", files=pyproject("shop-pricing==1.4.2"), site=SITE)


def _others() -> Iterator[Case]:
    yield Case("disk-full", INSTALL, files=FILES, machine=Machine(workspace="2m"), site=SITE)
    yield Case("read-only", INSTALL, files=FILES, machine=Machine(read_only=(HERE,)), site=SITE)
    yield Case("no-permission", INSTALL, files=FILES, before="mkdir .deps && touch .deps/old", site=SITE)
    yield Case("home-denied", INSTALL, files=FILES, before="mkdir /home/jenkins/.cache", site=SITE)
    slow = Site(PYTHON, at="/packages", fault="stalled")
    patient = {"UV_HTTP_TIMEOUT": "60"}
    yield Case("killed", INSTALL, files=FILES, site=slow, env=patient, machine=Machine(kill=("KILL", "^uv pip", 2)))
    yield Case("terminated", INSTALL, files=FILES, site=slow, env=patient, machine=Machine(kill=("TERM", "^uv pip", 2)))
    yield Case("timeout", f"timeout 2 {INSTALL}", files=FILES, site=slow, env=patient)
    yield Case("tool-missing", INSTALL, files=FILES, machine=Machine(without=("uv",)))
    yield Case("tool-misspelt", INSTALL.replace("uv ", "vu ", 1), files=FILES)
    yield Case("missing-file", INSTALL.replace("requirements.txt", "requirments.txt"), files=FILES)
    yield Case("wrong-option", f"{INSTALL} --no-chache", files=FILES)
    yield Case("bad-manifest", INSTALL, files={"requirements.txt": "shop-pricing=1.4.2\n"})
    yield Case("bad-manifest", SYNC, "pyproject", files={"pyproject.toml": '[project\nname = "shop"\n'})
    yield Case("panic", "uv run --no-project check.py", files={"check.py": "rates = {}\nprint(rates['de'])\n"})
    yield Case("unknown-target", "uv run --no-project chekc.py", files={"check.py": "print(1)\n"})


TOOL = Tool(
    "uv",
    cases,
    setup="/usr/bin/python3 -m venv .\nbin/pip install --quiet uv",
    path=("uv/bin",),
    env={"UV_HTTP_TIMEOUT": "2", "UV_HTTP_RETRIES": "1", "UV_PYTHON": "/usr/bin/python3", "UV_PYTHON_DOWNLOADS": "never"},
)
