"""unzip and zip: packing and unpacking of releases."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine, Tool
from lab.packages import noise, zipped

PACKED = zipped({"shop/data.bin": noise(600_000), "shop/app.py": "print(1)\n"})
UNPACK = "unzip -o shop.zip"
FILES = {"shop.zip": PACKED}


def cases() -> Iterator[Case]:
    """Yield all cases of unzip."""
    yield Case("disk-full", UNPACK, files=FILES, machine=Machine(workspace="800k"))
    yield Case("read-only", UNPACK, files=FILES, machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    yield Case("no-permission", UNPACK, files=FILES, before="mkdir shop && touch shop/app.py && chmod 755 shop")
    unknown = {"owner": "unknown", "why": "upload, store or download: not said"}
    yield Case("truncated", UNPACK, files={"shop.zip": PACKED[: len(PACKED) // 2]}, kind="integrity", **unknown)
    yield Case("corrupt", UNPACK, files={"shop.zip": PACKED[:3000] + bytes(40) + PACKED[3040:]}, **unknown)
    yield Case("html", UNPACK, files={"shop.zip": "<html><body>Sign in</body></html>\n"}, **unknown)
    yield Case("empty", UNPACK, files={"shop.zip": ""}, **unknown)
    yield Case(
        "missing-file",
        UNPACK.replace("shop.zip", "dist/shop.zip"),
        files=FILES,
        owner="unknown",
        why="an earlier stage, or the name: not said",
    )
    yield Case("missing-file", f"{UNPACK} shop/settings.py", "member", files=FILES)
    yield Case("missing-file", "zip -r shop.zip confg", "pack", files={"app.py": ""})
    yield Case("wrong-option", UNPACK.replace("-o", "--overwrit"), files=FILES)
    yield Case("tool-misspelt", UNPACK.replace("unzip", "unzpi"), files=FILES)
    yield Case("tool-missing", UNPACK, files=FILES, machine=Machine(without=("unzip",)))


TOOL = Tool("unzip", cases, setup="command -v zip unzip || apt-get install -y -qq zip unzip")
