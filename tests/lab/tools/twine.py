"""twine: uploads to an index of Python packages."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS, UPLOAD
from lab.model import Case, Machine, Reply, Site, Tool
from lab.packages import wheel

URL = "https://registry.example/upload/"
UPLOADS = f"twine upload --non-interactive --disable-progress-bar --repository-url {URL} dist/*"
FILES = {"dist/shop-1.0.0-py3-none-any.whl": wheel("shop", "1.0.0")}
SITE = Site({"/upload/": Reply(b"ok", "text/plain")})
LOGIN = {"TWINE_USERNAME": "ci", "TWINE_PASSWORD": "lab-password"}


def cases() -> Iterator[Case]:
    """Yield all cases of twine."""
    for fault in [*CONNECTION, *TLS, *STATUS, *UPLOAD, "redirect-loop"]:
        if fault not in ("hang", "connect-timeout"):
            yield Case(fault, UPLOADS, files=FILES, site=SITE, env=LOGIN, seconds=60)
    yield Case("missing-file", UPLOADS, env=LOGIN)
    yield Case("bad-manifest", UPLOADS, files={"dist/shop-1.0.0-py3-none-any.whl": b"not a wheel"}, env=LOGIN)
    yield Case("wrong-option", UPLOADS.replace("--non-inter", "--no-inter"), files=FILES, env=LOGIN)
    yield Case("credential-missing", UPLOADS, files=FILES)
    yield Case("unknown-target", UPLOADS.replace(f"--repository-url {URL}", "--repository shp"), files=FILES, env=LOGIN)
    yield Case("tool-missing", UPLOADS, files=FILES, machine=Machine(without=("twine",)))
    yield Case("tool-misspelt", UPLOADS.replace("twine", "twnie", 1), files=FILES)


TOOL = Tool("twine", cases, setup="/usr/bin/python3 -m venv .\nbin/pip install --quiet twine", path=("twine/bin",))
