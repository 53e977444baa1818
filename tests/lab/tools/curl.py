"""curl: downloads, uploads and questions to the deployed application."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS, UPLOAD
from lab.model import Case, Machine, Reply, Site, Tool
from lab.packages import archive, noise

URL = "https://artifacts.internal/shop/rates-2.0.0.tar"
GET = f"curl --fail --silent --show-error --location --connect-timeout 2 --max-time 3 -o rates.tar {URL}"
LOUD = f"curl -fL --connect-timeout 2 --max-time 3 -o rates.tar {URL}"
PUT = "curl -fsS --connect-timeout 2 --max-time 4 -T shop.tar https://artifacts.internal/shop/shop-1.4.2.tar"
HEALTH = "curl -fsS --max-time 3 https://shop.internal/health"
RATES = archive({"rates.bin": noise(900_000)})
PAGES = {"/shop/rates-2.0.0.tar": Reply(RATES), "/shop/shop-1.4.2.tar": Reply(status=201)}
SITE = Site(PAGES, host="artifacts.internal")


def cases() -> Iterator[Case]:
    """Yield all cases of curl."""
    for fault in [*CONNECTION, *TLS, *STATUS, "truncated", "reset-midway", "stalled", "redirect-loop"]:
        yield Case(fault, GET, site=SITE)
        yield Case(fault, LOUD, "loud", site=SITE)
    for fault in [*UPLOAD, *CONNECTION, "tls-expired", "http-401", "http-403", "http-500", "http-502", "http-503"]:
        yield Case(fault, PUT, "upload", files={"shop.tar": noise(60_000)}, site=SITE)
    for fault in ("html", "corrupt"):
        yield Case(fault, f"{GET}\ncurl -fsS {URL}.sha256 -o sums\nsha256sum -c sums", site=_summed())
    unclear = {"owner": "unknown", "why": "a wrong address, or a portal"}
    yield Case("html", f"{GET}\ntar xf rates.tar", "tar", site=SITE, **unclear)
    parse = "curl -fsS https://artifacts.internal/shop/latest.json | python3 -m json.tool"
    yield Case("html", parse, "json", site=Site({"/shop/latest.json": Reply(b"{}")}, host="artifacts.internal"), **unclear)
    yield from _application()
    yield from _machine()
    yield from _project()


def _summed() -> Site:

    line = f"{hashlib.sha256(RATES).hexdigest()}  rates.tar\n"
    return Site({**PAGES, "/shop/rates-2.0.0.tar.sha256": Reply(line.encode())}, at="tar$", host="artifacts.internal")


def _application() -> Iterator[Case]:
    for status in (500, 502, 503, 504):
        site = Site(host="shop.internal", fault=f"http-{status}")
        yield Case("proxy-5xx", HEALTH, str(status), f"the proxy before the application answers {status}", site=site)
    down = b'{"status":"DOWN","version":"1.4.2","checks":[{"name":"prices","error":"prices.yaml: unknown key taxx"}]}\n'
    ask = 'curl -sS --max-time 3 https://shop.internal/health | tee health.json\ngrep -q \'"status":"UP"\' health.json'
    yield Case(
        "app-unhealthy",
        ask,
        site=Site({"/health": Reply(down, "application/json", 503)}, host="shop.internal", fault="none"),
    )
    for fault in ("tls-expired", "tls-wrong-name", "name-unknown", "connect-timeout"):
        yield Case(fault, HEALTH, "health", site=Site(host="shop.internal"))
    yield Case("local-service-absent", "curl -fsS http://localhost:8080/health")


def _machine() -> Iterator[Case]:
    yield Case("disk-full", f"df -h .\n{LOUD}", machine=Machine(workspace="200k"), site=SITE)
    yield Case("read-only", LOUD, machine=Machine(read_only=("/home/jenkins/workspace/shop",)), site=SITE)
    yield Case("no-permission", LOUD, before="touch rates.tar", site=SITE)
    yield Case("out-of-memory", GET, machine=Machine(memory=20), site=SITE)
    yield Case("tool-missing", GET, machine=Machine(without=("curl",)))
    slow = Site(PAGES, host="artifacts.internal", fault="stalled")
    patient = GET.replace("--max-time 3", "--max-time 60")
    yield Case("killed", patient, machine=Machine(kill=("KILL", "^curl", 2)), site=slow)
    yield Case("terminated", patient, machine=Machine(kill=("TERM", "^curl", 2)), site=slow)
    yield Case("timeout", f"timeout 2 {patient}", site=slow)


def _project() -> Iterator[Case]:
    yield Case("tool-misspelt", GET.replace("curl", "crul", 1))
    yield Case("wrong-option", GET.replace("--silent", "--silnt"))
    yield Case("empty-variable", "HOST=\ncurl -fsS https://$HOST/shop/rates-2.0.0.tar -o rates.tar")
    yield Case(
        "undefined-variable", "set -u\ncurl -fsS https://artifacts.internal/shop/rates-$RATES_VERSION.tar -o rates.tar"
    )
    yield Case("missing-file", PUT, site=SITE)
    yield Case("missing-internal", GET, site=Site(host="artifacts.internal"))
    yield Case("script-bug", "curl -fsS htps://artifacts.internal/shop/rates-2.0.0.tar -o rates.tar", "scheme")
    yield Case("wrong-parameter", f"{GET.replace('rates.tar ', 'out/rates/rates.tar ')}", "folder", site=SITE)
    yield Case(
        "pin-differs", f"{GET}\necho '{'ab' * 32}  rates.tar' | sha256sum -c -", site=Site(PAGES, host="artifacts.internal")
    )
    twice = f"curl -fsS --retry 3 --retry-delay 0 -o rates.tar {URL}\npython3 -m py_compile total.py"
    yield Case(
        "recovered-then-dev",
        twice,
        files={"total.py": "def total(:\n"},
        site=Site(PAGES, host="artifacts.internal", fault="http-503", times=1),
    )


TOOL = Tool("curl", cases)
