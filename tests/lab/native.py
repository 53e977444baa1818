"""What healthy registries of Go and Rust answer."""

from __future__ import annotations

import hashlib
import json

from lab.model import Reply
from lab.packages import archive, noise, zipped


def go_pages(*modules: tuple[str, str, str]) -> dict[str, Reply]:
    """Return a module proxy: of each module its path, its version and its source."""
    pages: dict[str, Reply] = {}
    for path, version, source in modules:
        base = f"/{path}/@v"
        pages[f"{base}/list"] = Reply(f"{version}\n".encode(), "text/plain")
        info = json.dumps({"Version": version, "Time": "2026-01-05T10:00:00Z"}).encode()
        pages[f"{base}/{version}.info"] = pages[f"/{path}/@latest"] = Reply(info, "application/json")
        mod = f"module {path}\n\ngo 1.21\n"
        pages[f"{base}/{version}.mod"] = Reply(mod.encode(), "text/plain")
        inside = f"{path}@{version}"
        data = zipped({f"{inside}/go.mod": mod, f"{inside}/rates.go": source, f"{inside}/data.bin": noise(200_000)})
        pages[f"{base}/{version}.zip"] = Reply(data, "application/zip")
    return pages


def cargo_pages(host: str, *crates: tuple[str, str, str]) -> dict[str, Reply]:
    """Return a sparse registry below /index/: of each crate its name, its version and its source."""
    download = f"https://{host}/crates/{{crate}}/{{version}}/download"
    pages = {"/index/config.json": Reply(json.dumps({"dl": download}).encode(), "application/json")}
    for name, version, source in crates:
        manifest = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n'
        inside = f"{name}-{version}"
        data = archive(
            {f"{inside}/Cargo.toml": manifest, f"{inside}/src/lib.rs": source, f"{inside}/data.bin": noise(200_000)}
        )
        entry = {
            "name": name,
            "vers": version,
            "deps": [],
            "cksum": hashlib.sha256(data).hexdigest(),
            "features": {},
            "yanked": False,
        }
        index = f"/index/{name[:2]}/{name[2:4]}/{name}"
        known = pages[index].body if index in pages else b""
        pages[index] = Reply(known + json.dumps(entry).encode() + b"\n", "text/plain")
        pages[f"/crates/{name}/{version}/download"] = Reply(data)
    return pages
