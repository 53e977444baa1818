"""Small packages that the lab's registries serve: made here, so nothing is fetched for them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """Return files as a .tar.gz: the same bytes each time."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """Return files as a zip: the same bytes each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


def wheel(name: str, version: str, requires: tuple[str, ...] = (), size: int = 0, python: str = "") -> bytes:
    """Return a wheel with one module, of at least ``size`` bytes that do not compress."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    extra = f"Requires-Python: {python}\n" if python else ""
    files: dict[str, str | bytes] = {
        f"{module}/__init__.py": f'VERSION = "{version}"\n',
        f"{module}/data.bin": noise(size),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extra}"
        + "".join(f"Requires-Dist: {line}\n" for line in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    return zipped(files)


def noise(size: int) -> bytes:
    """Return bytes that look random and are the same each time."""
    return b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(size // 32 + (size > 0)))
