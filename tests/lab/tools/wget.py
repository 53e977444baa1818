"""wget: downloads from the artefact store."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Reply, Site, Tool
from lab.packages import archive, noise

URL = "https://artifacts.internal/shop/rates-2.0.0.tar"
GET = f"wget --tries=1 --timeout=2 {URL}"
QUIET = f"wget -nv --tries=1 --timeout=2 {URL}"
RATES = archive({"rates.bin": noise(900_000)})
PAGES = {"/shop/rates-2.0.0.tar": Reply(RATES)}
SITE = Site(PAGES, host="artifacts.internal")
SLOW = Site(PAGES, host="artifacts.internal", fault="stalled")


def cases() -> Iterator[Case]:
    """Yield all cases of wget."""
    for fault in [*CONNECTION, *TLS, *STATUS, "truncated", "reset-midway", "stalled", "redirect-loop"]:
        yield Case(fault, GET, site=SITE)
        yield Case(fault, QUIET, "quiet", site=SITE)
    yield Case("html", f"{GET}\ntar xf rates-2.0.0.tar", site=SITE, owner="unknown", why="a wrong address, or a portal")
    yield Case("missing-internal", GET, site=Site(host="artifacts.internal"))
    yield Case("disk-full", GET, machine=Machine(workspace="200k"), site=SITE)
    yield Case("read-only", GET, machine=Machine(read_only=("/home/jenkins/workspace/shop",)), site=SITE)
    yield Case("no-permission", f"{GET} -O rates.tar", before="touch rates.tar", site=SITE)
    yield Case("tool-missing", GET, machine=Machine(without=("wget",)))
    patient = GET.replace("--timeout=2", "--timeout=60")
    yield Case("killed", patient, machine=Machine(kill=("KILL", "^wget", 2)), site=SLOW)
    yield Case("terminated", patient, machine=Machine(kill=("TERM", "^wget", 2)), site=SLOW)
    yield Case("timeout", f"timeout 2 {patient}", site=SLOW)
    yield Case("tool-misspelt", GET.replace("wget", "wegt"))
    yield Case("wrong-option", GET.replace("--tries", "--trys"))
    yield Case("empty-variable", "HOST=\nwget --tries=1 https://$HOST/shop/rates-2.0.0.tar")
    yield Case("undefined-variable", "set -u\nwget --tries=1 https://artifacts.internal/shop/rates-$RATES_VERSION.tar")
    yield Case(
        "pin-differs", f"{QUIET}\necho '{'ab' * 32}  rates-2.0.0.tar' | sha256sum -c -", site=Site(PAGES, host=SITE.host)
    )
    again = f"wget -nv --tries=3 --waitretry=0 --retry-on-http-error=503 {URL}\npython3 -m py_compile total.py"
    recovers = Site(PAGES, host="artifacts.internal", fault="http-503", times=1)
    yield Case("recovered-then-dev", again, files={"total.py": "def total(:\n"}, site=recovers)


TOOL = Tool("wget", cases)
