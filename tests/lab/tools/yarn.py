"""yarn 1 against a registry of npm's protocol."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Site, Tool
from lab.registries import NPM
from lab.tools.npm import manifest

INSTALL = "yarn install --non-interactive --no-progress --network-timeout 2000"
SITE = Site(NPM)
DOWNLOAD = Site(NPM, at="/shop-rates/-/")
# Yarn reads npm's settings, too, and stops where they name a variable that is not set.
FILES = {**manifest({"shop-pricing": "1.4.2"}), "~/.npmrc": "", "~/.yarnrc": 'registry "https://registry.example/"\n'}


def project(dependencies: dict[str, str] | None = None, **more: object) -> dict[str, str | bytes]:
    """Return the files of a project with these dependencies."""
    return {**manifest(dependencies, **more), "~/.npmrc": FILES["~/.npmrc"], "~/.yarnrc": FILES["~/.yarnrc"]}


def cases() -> Iterator[Case]:
    """Yield all cases of yarn."""
    for fault in [*CONNECTION, *TLS, *STATUS, "html", "redirect-loop"]:
        yield Case(fault, INSTALL, files=FILES, site=SITE, seconds=60)
    for fault in [*STATUS, "truncated", "reset-midway", "stalled"]:
        yield Case(fault, INSTALL, "download", files=FILES, site=DOWNLOAD, seconds=60)
    for fault in ("html", "corrupt"):
        yield Case(fault, INSTALL, "download", files=FILES, site=DOWNLOAD, owner="unknown", why="lock file or content")
    yield Case("missing-internal", INSTALL, files=FILES, site=Site())
    yield Case("missing-version", INSTALL, files=project({"shop-pricing": "14.0.2"}), site=SITE)
    yield Case("tool-too-old", INSTALL, files=project({"shop-next": "3.0.0"}), site=SITE)
    lock = '# yarn lockfile v1\n\n\nshop-rates@1.0.0:\n  version "1.0.0"\n  resolved "https://registry.example/shop-rates/-/shop-rates-1.0.0.tgz"\n'
    yield Case("lock-out-of-step", f"{INSTALL} --frozen-lockfile", files={**FILES, "yarn.lock": lock}, site=SITE)
    yield Case("disk-full", INSTALL, files=FILES, machine=Machine(workspace="700k"), site=SITE)
    yield Case("read-only", INSTALL, files=FILES, machine=Machine(read_only=("/home/jenkins/workspace/shop",)), site=SITE)
    yield Case("no-permission", INSTALL, files=FILES, site=SITE, before="mkdir node_modules && touch node_modules/.old")
    yield Case("tool-missing", INSTALL, files=FILES, machine=Machine(without=("yarn",)))
    yield Case("tool-misspelt", INSTALL.replace("yarn", "yran"), files=FILES)
    yield Case("wrong-option", "yarn install --cwd web", files=FILES, site=SITE)
    yield Case("bad-manifest", INSTALL, files={**FILES, "package.json": '{"name": "shop", "version": "1.0.0",}\n'})
    yield Case("unknown-target", "yarn run bulid", files=project(scripts={"build": "node build.js"}))
    panic = {**project(scripts={"start": "node server.js"}), "server.js": "const shop = undefined;\nshop.open();\n"}
    yield Case("panic", "yarn start", files=panic)
    syntax = {**project(scripts={"build": "node build.js"}), "build.js": "const total = (a, b => a;\n"}
    yield Case("syntax", "yarn build", files=syntax)
    yield Case("import", "yarn build", files={**syntax, "build.js": "require('./rates/table');\n"})
    missing = project(scripts={"build": "tsc -p ."})
    yield Case(
        "tool-missing",
        "yarn build",
        "script",
        files=missing,
        owner="dev",
        why="not in the manifest",
        kind="dependency_resolution",
    )


TOOL = Tool("yarn", cases, setup="npm install --silent --no-fund --prefix . yarn@1.22.22", path=("yarn/node_modules/.bin",))
