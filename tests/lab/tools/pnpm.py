"""pnpm against a registry of npm's protocol."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS, UPLOAD
from lab.model import Case, Machine, Site, Tool
from lab.registries import NPM
from lab.tools.npm import PUBLISHED, RC, TOKEN
from lab.tools.npm import manifest as npm_manifest

INSTALL = "pnpm install --no-frozen-lockfile --reporter append-only"
SITE = Site(NPM)
DOWNLOAD = Site(NPM, at="/shop-rates/-/")


def manifest(dependencies: dict[str, str] | None = None, **more: object) -> dict[str, str | bytes]:
    """Return the files of a project with these dependencies."""
    return {**npm_manifest(dependencies, **more), "~/.npmrc": RC["~/.npmrc"] + "store-dir=/home/jenkins/store\n"}


FILES = manifest({"shop-pricing": "1.4.2"})


def cases() -> Iterator[Case]:
    """Yield all cases of pnpm."""
    for fault in [*CONNECTION, *TLS, *STATUS, "html", "redirect-loop"]:
        yield Case(fault, INSTALL, files=FILES, site=SITE, env=TOKEN)
    for fault in [*STATUS, "truncated", "reset-midway", "stalled"]:
        yield Case(fault, INSTALL, "download", files=FILES, site=DOWNLOAD, env=TOKEN, seconds=60)
    for fault in ("html", "corrupt"):
        yield Case(
            fault, INSTALL, "download", files=FILES, site=DOWNLOAD, env=TOKEN, owner="unknown", why="lock file or content"
        )
    for fault in [*UPLOAD, "http-401", "http-403", "http-502"]:
        yield Case(fault, "pnpm publish --no-git-checks", "publish", files=manifest(), site=PUBLISHED, env=TOKEN)
    yield Case("missing-internal", INSTALL, files=FILES, site=Site(), env=TOKEN)
    yield Case("missing-version", INSTALL, files=manifest({"shop-pricing": "14.0.2"}), site=SITE, env=TOKEN)
    strict = manifest({"shop-cart": "1.0.0", "shop-rates": "2.0.0"})
    strict["~/.npmrc"] = f"{strict['~/.npmrc']!s}strict-peer-dependencies=true\n"
    yield Case("dependency-conflict", INSTALL, files=strict, site=SITE, env=TOKEN)
    engines = manifest(engines={"node": ">=99"})
    engines["~/.npmrc"] = f"{engines['~/.npmrc']!s}engine-strict=true\n"
    yield Case("tool-too-old", INSTALL, files=engines, site=SITE, env=TOKEN)
    lock = {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n\nimporters:\n  .:\n    dependencies: {}\n"}
    yield Case("lock-out-of-step", "pnpm install --frozen-lockfile", files={**FILES, **lock}, site=SITE, env=TOKEN)
    broken = {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n  importers: [\n"}
    yield Case("bad-yaml", "pnpm install --frozen-lockfile", files={**FILES, **broken}, site=SITE, env=TOKEN)
    yield Case("missing-file", "pnpm install --frozen-lockfile", files=FILES, site=SITE, env=TOKEN)
    yield Case("disk-full", INSTALL, files=FILES, machine=Machine(workspace="700k"), site=SITE, env=TOKEN)
    yield Case(
        "read-only",
        INSTALL,
        files=FILES,
        machine=Machine(read_only=(_HERE,)),
        site=SITE,
        env=TOKEN,
        owner="unknown",
        why=_NO_WORD,
    )
    yield Case(
        "no-permission", INSTALL, files=FILES, site=SITE, env=TOKEN, before="mkdir node_modules && touch node_modules/.old"
    )
    yield Case("tool-missing", INSTALL, files=FILES, machine=Machine(without=("pnpm",)))
    yield Case("tool-misspelt", INSTALL.replace("pnpm", "pmpn"), files=FILES)
    yield Case("wrong-option", "pnpm install --no-frozen-lockfle", files=FILES, site=SITE, env=TOKEN)
    yield Case("bad-manifest", INSTALL, files={**FILES, "package.json": '{"name": "shop", "version": "1.0.0",}\n'})
    yield Case("unknown-target", "pnpm run bulid", files=manifest(scripts={"build": "node build.js"}))
    panic = {**manifest(scripts={"start": "node server.js"}), "server.js": "const shop = undefined;\nshop.open();\n"}
    yield Case("panic", "pnpm start", files=panic)
    syntax = {**manifest(scripts={"build": "node build.js"}), "build.js": "const total = (a, b => a;\n"}
    yield Case("syntax", "pnpm build", files=syntax)
    yield Case("import", "pnpm build", files={**syntax, "build.js": "require('./rates/table');\n"})


# What Node.js says of a folder in a read-only file system.
_NO_WORD = "it says only that a folder is not there"
_HERE = "/home/jenkins/workspace/shop"
TOOL = Tool("pnpm", cases, setup="npm install --silent --no-fund --prefix . pnpm@9.8.0", path=("pnpm/node_modules/.bin",))
