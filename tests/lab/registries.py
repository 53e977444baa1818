"""The pages of healthy registries, in the protocols of several tools, with the shop's own packages in them."""

from __future__ import annotations

import base64
import hashlib
import json

from lab.model import Reply
from lab.packages import archive, noise, wheel

Pages = dict[str, Reply]


def python_pages(*wheels: tuple[str, str, bytes]) -> Pages:
    """Return an index of Python packages: of each wheel its name, its version and its bytes."""
    pages: Pages = {}
    for name, version, data in wheels:
        file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        link = f'<a href="/packages/{file}#sha256={hashlib.sha256(data).hexdigest()}">{file}</a><br>\n'
        known = pages.get(f"/simple/{name}/", Reply(b"<!DOCTYPE html><html><body>\n")).body
        pages[f"/simple/{name}/"] = Reply(known + link.encode(), "text/html")
        pages[f"/packages/{file}"] = Reply(data, "application/zip")
    return pages


def npm_pages(host: str, *packages: tuple[str, str, dict[str, object]]) -> Pages:
    """Return a registry of npm's protocol: of each package its name, its version and what else its manifest says."""
    pages: Pages = {}
    for name, version, more in packages:
        manifest = {"name": name, "version": version, "main": "index.js", **more}
        data = archive(
            {
                "package/package.json": json.dumps(manifest),
                "package/index.js": "module.exports = 1;\n",
                "package/data.bin": noise(600_000),
            }
        )
        base = name.rpartition("/")[2]
        path = f"/{name}/-/{base}-{version}.tgz"
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
        dist = {"tarball": f"https://{host}{path}", "shasum": hashlib.sha1(data).hexdigest(), "integrity": integrity}
        known = json.loads(pages[f"/{name}"].body)["versions"] if f"/{name}" in pages else {}
        versions = {**known, version: {**manifest, "dist": dist}}
        document = {"name": name, "dist-tags": {"latest": version}, "versions": versions}
        pages[f"/{name}"] = Reply(json.dumps(document).encode(), "application/json")
        pages[path] = Reply(data, "application/octet-stream")
    return pages


PYTHON = python_pages(
    ("shop-pricing", "1.4.1", wheel("shop-pricing", "1.4.1")),
    ("shop-pricing", "1.4.2", wheel("shop-pricing", "1.4.2", ("shop-rates>=2",), size=400_000)),
    ("shop-rates", "2.0.0", wheel("shop-rates", "2.0.0", size=3_000_000)),
    ("shop-old", "1.0.0", wheel("shop-old", "1.0.0", ("shop-rates<2",))),
    ("shop-next", "3.0.0", wheel("shop-next", "3.0.0", python=">=3.99")),
)
NPM = npm_pages(
    "registry.example",
    ("shop-pricing", "1.4.1", {}),
    ("shop-pricing", "1.4.2", {"dependencies": {"shop-rates": "^2.0.0"}}),
    ("shop-rates", "2.0.0", {}),
    ("shop-cart", "1.0.0", {"peerDependencies": {"shop-rates": "^1.0.0"}}),
    ("shop-next", "3.0.0", {"engines": {"node": ">=99"}}),
    ("shop-native", "1.0.0", {"scripts": {"install": "node build.js"}}),
)
