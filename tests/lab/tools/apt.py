"""apt-get against a mirror, with its own lists and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Reply, Site, Tool
from lab.packages import noise

MIRROR = "https://mirror.internal/debian"
UPDATE = "apt-get update"
FETCH = "apt-get update\napt-get download shop-tools"
CONFIG = """Dir::State "/home/jenkins/apt/state";
Dir::State::status "/home/jenkins/apt/status";
Dir::Cache "/home/jenkins/apt/cache";
Dir::Etc::sourcelist "/home/jenkins/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::trusted "/home/jenkins/apt/trusted.gpg";
Dir::Etc::trustedparts "-";
Acquire::Retries "0";
Acquire::https::Timeout "2";
Acquire::http::Timeout "2";
Acquire::Languages "none";
APT::Update::Error-Mode "any";
APT::Get::Assume-Yes "true";
APT::Sandbox::User "jenkins";
"""
SOURCE = f"deb [trusted=yes arch=amd64] {MIRROR} bookworm main\n"


def files(source: str = SOURCE) -> dict[str, str]:
    """Return the agent's settings of apt, with these sources."""
    folders = {f"~/apt/{name}/.keep": "" for name in ("state/lists/partial", "cache/archives/partial")}
    return {"~/apt/apt.conf": CONFIG, "~/apt/sources.list": source, "~/apt/status": "", **folders}


def repository(wrong_sum: bool = False) -> dict[str, Reply]:
    """Return the pages of a mirror with one package, and perhaps a wrong checksum of its index."""
    deb = noise(300_000)
    control = (
        "Package: shop-tools\nVersion: 1.4.2\nArchitecture: amd64\nMaintainer: Shop <ops@shop.example>\nDescription: tools\n"
    )
    entry = f"Filename: pool/shop-tools_1.4.2_amd64.deb\nSize: {len(deb)}\nSHA256: {hashlib.sha256(deb).hexdigest()}\n"
    packages = f"{control}{entry}\n".encode()
    digest = "ab" * 32 if wrong_sum else hashlib.sha256(packages).hexdigest()
    head = "Origin: Shop\nSuite: stable\nCodename: bookworm\nDate: Sat, 01 Aug 2026 08:00:00 UTC\n"
    release = (
        f"{head}Architectures: amd64\nComponents: main\nSHA256:\n {digest} {len(packages)} main/binary-amd64/Packages\n"
    )
    return {
        "/debian/dists/bookworm/Release": Reply(release.encode(), "text/plain"),
        "/debian/dists/bookworm/main/binary-amd64/Packages": Reply(packages, "text/plain"),
        "/debian/pool/shop-tools_1.4.2_amd64.deb": Reply(deb),
    }


PAGES = repository()
SITE = Site(PAGES, host="mirror.internal")


def cases() -> Iterator[Case]:
    """Yield all cases of apt."""
    for fault in [*CONNECTION, *TLS, *STATUS, "html", "redirect-loop"]:
        yield Case(fault, UPDATE, files=files(), site=SITE)
    for fault in [*STATUS, "html", "truncated", "reset-midway", "stalled", "corrupt"]:
        yield Case(fault, FETCH, "download", files=files(), site=Site(PAGES, at="/pool/", host="mirror.internal"))
    yield Case("index-differs", UPDATE, files=files(), site=Site(repository(wrong_sum=True), host="mirror.internal"))
    yield Case("unsigned", UPDATE, files=files(SOURCE.replace("trusted=yes ", "")), site=SITE)
    yield Case("missing-internal", "apt-get update\napt-get download shop-ledger", files=files(), site=SITE)
    yield Case(
        "missing-version",
        "apt-get update\napt-cache policy shop-tools\napt-get download shop-tools=14.0",
        files=files(),
        site=SITE,
    )
    misspelt = "apt-get update\napt-cache search shop\napt-get download shop-toools"
    yield Case("misspelt-name", misspelt, files=files(), site=SITE)
    suite = files(SOURCE.replace("bookworm", "bokworm"))
    yield Case(
        "wrong-parameter", UPDATE, "suite", "a misspelt suite", files=suite, site=SITE, why="the suite's name is misspelt"
    )
    yield Case("bad-config", UPDATE, files=files("debb https://mirror.internal/debian bookworm main\n"), site=SITE)
    hold = "import fcntl,time; f=open('/home/jenkins/apt/state/lists/lock','w'); fcntl.lockf(f,2); time.sleep(60)"
    lock = f'as_jenkins /usr/bin/python3 -c "{hold}"'
    yield Case("lock-held", UPDATE, files=files(), site=SITE, service=lock)
    cache = "/home/jenkins/apt/cache"
    full = f"mount -t tmpfs -o size=100k tmpfs {cache}; mkdir -p {cache}/archives/partial; chown -R 1000 {cache}"
    yield Case(
        "disk-full",
        f"apt-get update\ndf -h {cache}\napt-get install shop-tools",
        files=files(),
        site=SITE,
        before=full,
    )
    yield Case("no-permission", UPDATE, files=files(), site=SITE, before="chown -R root /home/jenkins/apt")
    yield Case("read-only", UPDATE, files=files(), site=SITE, machine=Machine(read_only=("/home/jenkins/apt",)))
    yield Case("tool-missing", UPDATE, files=files(), machine=Machine(without=("apt-get",)))
    yield Case("tool-misspelt", UPDATE.replace("apt-get", "atp-get"), files=files())
    yield Case("unknown-target", "apt-get updaet", files=files())
    yield Case("wrong-option", "apt-get install --yess shop-tools", files=files())


TOOL = Tool("apt", cases, env={"APT_CONFIG": "/home/jenkins/apt/apt.conf"})
