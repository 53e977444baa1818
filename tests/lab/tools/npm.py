"""Cases of npm with a small registry that speaks npm's protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS, UPLOAD
from lab.model import Case, Machine, Reply, Site, Tool
from lab.registries import NPM

INSTALL = "npm install --no-audit --no-fund"
PUBLISH = "npm publish"
SITE = Site(NPM)
PUBLISHED = Site({**NPM, "/shop": Reply(b"{}", "application/json")})
RC = {
    "~/.npmrc": "registry=https://registry.example/\nfetch-retries=0\nfetch-timeout=2500\nupdate-notifier=false\n"
    "//registry.example/:_authToken=${NPM_TOKEN}\n"
}
TOKEN = {"NPM_TOKEN": "lab-token"}


def manifest(dependencies: dict[str, str] | None = None, **more: object) -> dict[str, str | bytes]:
    """Return the files of a project with these dependencies."""
    body = {"name": "shop", "version": "1.0.0", "private": False, "dependencies": dependencies or {}, **more}
    return {**RC, "package.json": json.dumps(body, indent=2) + "\n"}


FILES = manifest({"shop-pricing": "1.4.2"})


def cases() -> Iterator[Case]:
    """Yield all cases of npm."""
    yield from (*_registry(), *_lookups(), *_machine(), *_project())


def _registry() -> Iterator[Case]:
    for fault in [*CONNECTION, *TLS, *STATUS, "redirect-loop", "html", "empty"]:
        # Minutes pass, whatever npm is told.
        if fault in ("connect-timeout", "hang"):
            continue
        yield Case(fault, INSTALL, files=FILES, site=SITE, env=TOKEN)
    for fault in [*STATUS, "truncated", "reset-midway", "stalled"]:
        yield Case(fault, INSTALL, "download", files=FILES, site=Site(NPM, at="/shop-rates/-/"), env=TOKEN)
    for fault in ("html", "empty", "corrupt"):
        # The text is that of a wrong lock file.
        site = Site(NPM, at="/shop-rates/-/")
        yield Case(
            fault, INSTALL, "download", files=FILES, site=site, env=TOKEN, owner="unknown", why="lock file or content"
        )
    for fault in [*UPLOAD, "http-401", "http-403", "http-502", "refused"]:
        yield Case(fault, PUBLISH, "publish", files=manifest(), site=PUBLISHED, env=TOKEN)


def _lookups() -> Iterator[Case]:
    healthy = {"site": SITE, "env": TOKEN}
    yield Case("missing-internal", INSTALL, files=FILES, site=Site(), env=TOKEN)
    yield Case("missing-version", INSTALL, files=manifest({"shop-pricing": "14.0.2"}), **healthy)
    yield Case(
        "misspelt-name",
        f"git diff HEAD~1 -- package.json\n{INSTALL}",
        files=manifest({"expresss": "4.19.2"}),
        before=_CHANGE,
        **healthy,
    )
    yield Case("dependency-conflict", INSTALL, files=manifest({"shop-cart": "1.0.0", "shop-rates": "2.0.0"}), **healthy)
    strict = {"env": {**TOKEN, "npm_config_engine_strict": "true"}, "site": SITE}
    yield Case("tool-too-old", INSTALL, files=manifest({"shop-next": "3.0.0"}), **strict)
    locked = {
        "name": "shop",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {"": {"dependencies": {"shop-rates": "2.0.0"}}},
    }
    yield Case("lock-out-of-step", "npm ci", files={**FILES, "package-lock.json": json.dumps(locked)}, **healthy)
    yield Case("missing-file", "npm ci", "lock", files=FILES, **healthy)
    entry = {
        "version": "2.0.0",
        "resolved": "https://registry.example/shop-rates/-/shop-rates-2.0.0.tgz",
        "integrity": "sha512-" + "A" * 86 + "==",
    }
    pinned = {**locked, "packages": {"": {"dependencies": {"shop-rates": "2.0.0"}}, "node_modules/shop-rates": entry}}
    files = {**manifest({"shop-rates": "2.0.0"}), "package-lock.json": json.dumps(pinned)}
    yield Case("pin-differs", "npm ci", files=files, **healthy)


# A commit with the right name, before the change.
_CHANGE = (
    "as_jenkins sh -c 'git init -q . && sed -i s/expresss/express/ package.json && git add . && "
    "git -c user.name=ci -c user.email=ci@shop.example commit -qm one && sed -i s/express/expresss/ package.json && "
    "git -c user.name=ci -c user.email=ci@shop.example commit -qam two'"
)


def _machine() -> Iterator[Case]:
    healthy = {"files": FILES, "site": SITE, "env": TOKEN}
    yield Case("disk-full", INSTALL, machine=Machine(workspace="700k"), **healthy)
    yield Case(
        "read-only",
        INSTALL,
        machine=Machine(read_only=("/home/jenkins/workspace/shop",)),
        owner="unknown",
        why="it says only that a folder is not there",
        **healthy,
    )
    yield Case(
        "no-permission", INSTALL, before="mkdir node_modules && touch node_modules/.old && chmod 755 node_modules", **healthy
    )
    yield Case(
        "home-denied", INSTALL, before="mkdir -p /home/jenkins/.npm/_cacache && chown -R root /home/jenkins/.npm", **healthy
    )
    yield Case("too-many-files", INSTALL, machine=Machine(open_files=20), **healthy)
    yield Case("out-of-memory", INSTALL, machine=Machine(memory=500), **healthy)
    slow = {
        "files": {**FILES, "~/.npmrc": RC["~/.npmrc"].replace("2500", "60000")},
        "site": Site(NPM, at="/-/", fault="stalled"),
        "env": TOKEN,
    }
    yield Case("killed", INSTALL, machine=Machine(kill=("KILL", "npm install", 4)), **slow)
    yield Case("timeout", f"timeout -k 2 4 {INSTALL}", **slow)
    yield Case("tool-missing", INSTALL, machine=Machine(without=("npm",)), files=FILES)


def _project() -> Iterator[Case]:
    yield Case("tool-misspelt", INSTALL.replace("npm", "nmp"), files=FILES)
    yield Case("bad-manifest", INSTALL, files={**RC, "package.json": '{"name": "shop", "version": "1.0.0",}\n'})
    yield Case("missing-file", INSTALL, files=RC)
    yield Case("unknown-target", "npm run bulid", files=manifest(scripts={"build": "node build.js"}))
    yield Case("wrong-option", "npm run build -- --out", files={**manifest(scripts={"build": "node -c --out=x"})})
    yield Case(
        "panic",
        "npm start",
        files={**manifest(scripts={"start": "node server.js"}), "server.js": "const shop = undefined;\nshop.open();\n"},
    )
    yield Case("test", "npm test", files={**manifest(scripts={"test": "node --test"}), "cart.test.js": _TEST})
    yield Case(
        "import",
        "npm run build",
        files={**manifest(scripts={"build": "node build.js"}), "build.js": "require('./rates/table');\n"},
    )
    yield Case(
        "syntax",
        "npm run build",
        files={**manifest(scripts={"build": "node build.js"}), "build.js": "const total = (a, b => a;\n"},
    )
    yield Case(
        "tool-missing",
        "npm run build",
        "script",
        files=manifest(scripts={"build": "tscc -p ."}),
        owner="dev",
        why="not in the manifest",
    )
    yield Case(
        "own-heap",
        "npm run build",
        files={
            **manifest(scripts={"build": "node --max-old-space-size=20 build.js"}),
            "build.js": "const a = []; for (;;) a.push(new Array(1e4).fill(a.length));\n",
        },
    )
    recovered = Site(NPM, at="/shop-rates/-/", fault="http-503", times=1)
    files = {
        **manifest({"shop-pricing": "1.4.2"}, scripts={"build": "node build.js"}),
        "build.js": "const total = (a, b => a;\n",
    }
    files["~/.npmrc"] = RC["~/.npmrc"].replace("fetch-retries=0", "fetch-retries=2\nfetch-retry-mintimeout=100")
    yield Case("recovered-then-dev", f"{INSTALL} --verbose\nnpm run build", files=files, site=recovered, env=TOKEN)


_TEST = """const test = require('node:test');
const assert = require('node:assert');
test('total has the tax', () => { assert.strictEqual(Math.round(10 * 1.2), 11); });
"""

TOOL = Tool("npm", cases)
