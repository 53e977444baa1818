"""Poetry against an index of Python packages."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS, UPLOAD
from lab.model import Case, Machine, Site, Tool
from lab.packages import wheel
from lab.registries import PYTHON
from lab.tools.uv import pyproject as project

LOCK = "poetry lock --no-interaction"
INSTALL = f"{LOCK}\npoetry install --no-interaction --no-root"
SITE = Site(PYTHON)
DOWNLOAD = Site(PYTHON, at="/packages/shop_rates")
_SOURCE = '\n[[tool.poetry.source]]\nname = "shop"\nurl = "https://registry.example/simple/"\npriority = "primary"\n'


def pyproject(*dependencies: str) -> dict[str, str]:
    """Return the files of a project with these dependencies."""
    return project(*dependencies, more=_SOURCE)


FILES = pyproject("shop-pricing==1.4.2")


def cases() -> Iterator[Case]:
    """Yield all cases of Poetry."""
    for fault in [*CONNECTION, *TLS, *STATUS, "html", "redirect-loop"]:
        yield Case(fault, LOCK, files=FILES, site=SITE, seconds=60)
    for fault in [*STATUS, "truncated", "reset-midway", "stalled"]:
        yield Case(fault, INSTALL, "download", files=FILES, site=DOWNLOAD, seconds=60)
    for fault in ("html", "corrupt"):
        yield Case(
            fault, INSTALL, "download", files=FILES, site=DOWNLOAD, seconds=60, owner="unknown", why="lock file or content"
        )
    publish = "poetry publish --no-interaction --repository shop --username ci --password ci-password"
    built = {**FILES, "dist/shop-1.0.0-py3-none-any.whl": wheel("shop", "1.0.0")}
    target = {"POETRY_REPOSITORIES_SHOP_URL": "https://registry.example/upload/"}
    for fault in [*UPLOAD, "http-401", "http-403", "http-502", "refused", "tls-expired"]:
        yield Case(fault, publish, "publish", files=built, site=Site(), env=target)
    yield Case("missing-internal", LOCK, files=FILES, site=Site())
    yield Case("missing-version", LOCK, files=pyproject("shop-pricing==14.0.2"), site=SITE)
    yield Case("dependency-conflict", LOCK, files=pyproject("shop-pricing==1.4.2", "shop-old==1.0.0"), site=SITE)
    yield Case("bad-manifest", LOCK, files={"pyproject.toml": '[project\nname = "shop"\n'})
    yield Case("bad-config", LOCK, files={"pyproject.toml": '[project]\nversion = "one"\n'})
    yield Case("missing-file", LOCK)
    change = "poetry lock --no-interaction\nsed -i s/1.4.2/1.4.1/ pyproject.toml\npoetry install --no-interaction --no-root"
    yield Case("lock-out-of-step", change, files=FILES, site=SITE)
    yield Case("missing-file", "poetry install --no-interaction", "package", files=pyproject(), site=SITE)
    yield Case("unknown-target", "poetry run chekc", files=pyproject(), site=SITE)
    yield Case("wrong-option", "poetry install --no-rooot", files=FILES)
    yield Case("tool-missing", LOCK, files=FILES, machine=Machine(without=("poetry",)))
    yield Case("tool-misspelt", LOCK.replace("poetry", "potery"), files=FILES)
    yield Case("read-only", LOCK, files=FILES, site=SITE, machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    yield Case("home-denied", LOCK, files=FILES, site=SITE, before="mkdir /home/jenkins/.cache /home/jenkins/.config")
    yield Case("no-permission", LOCK, files=FILES, site=SITE, before="touch poetry.lock; chown root . && chmod 755 .")


TOOL = Tool(
    "poetry",
    cases,
    setup="/usr/bin/python3 -m venv .\nbin/pip install --quiet poetry",
    path=("poetry/bin",),
    env={"POETRY_REQUESTS_TIMEOUT": "2", "POETRY_REQUESTS_MAX_RETRIES": "0", "POETRY_KEYRING_ENABLED": "false"},
)
