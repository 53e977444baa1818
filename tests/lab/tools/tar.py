"""tar: packing and unpacking of releases."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine, Tool
from lab.packages import archive, noise

PACKED = archive({"shop/data.bin": noise(600_000), "shop/app.py": "print(1)\n"})
UNPACK = "tar -xzf shop.tar.gz"
PACK = "tar -czf shop.tar.gz app"
FILES = {"shop.tar.gz": PACKED}
SOURCE = {"app/data.bin": noise(600_000)}
WORKSPACE = "/home/jenkins/workspace/shop"


def cases() -> Iterator[Case]:
    """Yield all cases of tar."""
    yield Case("disk-full", UNPACK, files=FILES, machine=Machine(workspace="800k"))
    yield Case("disk-full", PACK, "pack", files=SOURCE, machine=Machine(workspace="800k"))
    yield Case("read-only", UNPACK, files=FILES, machine=Machine(read_only=(WORKSPACE,)))
    yield Case("read-only", PACK, "pack", files=SOURCE, machine=Machine(read_only=(WORKSPACE,)))
    yield Case("no-permission", UNPACK, files=FILES, before="mkdir shop && touch shop/app.py && chmod 755 shop")
    yield Case(
        "no-permission",
        PACK,
        "pack",
        files=SOURCE,
        before="touch app/run.log && chmod 600 app/run.log && chown root app/run.log",
    )
    unknown = {"owner": "unknown", "why": "upload, store or download: not said"}
    yield Case("truncated", UNPACK, files={"shop.tar.gz": PACKED[: len(PACKED) // 2]}, kind="integrity", **unknown)
    yield Case("corrupt", UNPACK, files={"shop.tar.gz": PACKED[:3000] + bytes(40) + PACKED[3040:]}, **unknown)
    yield Case("html", UNPACK, files={"shop.tar.gz": "<html><body>Sign in</body></html>\n"}, **unknown)
    yield Case("empty", UNPACK, files={"shop.tar.gz": ""}, **unknown)
    yield Case(
        "missing-file",
        UNPACK.replace("shop.tar.gz", "dist/shop.tar.gz"),
        files=FILES,
        owner="unknown",
        why="an earlier stage, or the name: not said",
    )
    yield Case("missing-file", PACK.replace(" app", " app confg"), "pack", files=SOURCE)
    yield Case("missing-file", f"{UNPACK} shop/settings.py", "member", files=FILES)
    yield Case("wrong-option", UNPACK.replace("-xzf", "--extrct -zf"), files=FILES)
    yield Case("wrong-option", "tar", "none", files=FILES)
    yield Case("wrong-parameter", f"{UNPACK} -C releases/1.8.0", files=FILES, kind="pipeline_script")
    yield Case("tool-misspelt", UNPACK.replace("tar ", "tra ", 1), files=FILES)
    yield Case("tool-missing", UNPACK, files=FILES, machine=Machine(without=("tar",)))
    yield Case("tool-missing", UNPACK, "gzip", files=FILES, machine=Machine(without=("gzip",)))
    yield Case("undefined-variable", "set -u\ntar -xzf shop-$VERSION.tar.gz", files=FILES)


TOOL = Tool("tar", cases)
