"""rsync from a mirror's daemon, and between folders of the agent."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION
from lab.model import Case, Machine, Site, Tool

URL = "rsync://mirror.internal/shop/"
GET = f"rsync -a --contimeout=2 --timeout=3 {URL} rates/"
PUT = "rsync -a --contimeout=2 --timeout=3 dist/ rsync://mirror.internal/shop/"
DIST = {"dist/shop.tar": b"x" * 200_000}


def daemon(more: str = "") -> dict[str, str]:
    """Return what runs a mirror with the module ``shop``."""
    config = f"use chroot = no\nuid = 0\ngid = 0\nlock file = /tmp/rsyncd.lock\n[shop]\npath = /tmp/mirror\n{more}\n"
    content = "mkdir /tmp/mirror && head -c 400000 /dev/zero > /tmp/mirror/rates.bin\n"
    before = f"{content}cat > /tmp/rsyncd.conf <<'END'\n{config}END\n"
    return {"before": before, "service": "exec rsync --daemon --no-detach --address=10.20.0.12 --config=/tmp/rsyncd.conf"}


def cases() -> Iterator[Case]:
    """Yield all cases of rsync."""
    for fault in CONNECTION:
        site = Site(host="mirror.internal", tls=False, port=873) if fault in ("reset", "closed", "hang") else None
        yield Case(fault, GET, site=site)
        yield Case(fault, PUT, "upload", files=DIST, site=site)
    yield Case(
        "html",
        GET,
        site=Site(host="mirror.internal", tls=False, port=873, fault="tls-plain"),
        what="a web server has the port",
    )
    locked = daemon("auth users = ci\nsecrets file = /tmp/secrets")
    locked["before"] += "echo ci:right > /tmp/secrets && chmod 600 /tmp/secrets"
    login = {"RSYNC_PASSWORD": "wrong"}
    yield Case("key-refused", GET.replace("//", "//ci@"), env=login, **locked)
    yield Case("http-403", GET, "hosts", what="the daemon does not let the agent in", **daemon("hosts allow = 192.0.2.1"))
    yield Case(
        "http-429", GET, "connections", what="the daemon has too many connections", kind="service_unavailable", **_busy()
    )
    yield Case(
        "read-only",
        PUT,
        "mirror",
        files=DIST,
        what="the mirror is read-only",
        why="the mirror takes nothing",
        **daemon("read only = yes"),
    )
    yield Case(
        "unknown-target",
        GET.replace("/shop/", "/shopp/"),
        owner="unknown",
        why="a wrong name, or gone from the mirror",
        **daemon(),
    )
    yield Case("missing-internal", f"{GET.replace('/shop/', '/shop/rates-9.tar')}", **daemon())
    full = daemon("read only = no")
    full["before"] = "mount -t tmpfs -o size=100k tmpfs /srv\n" + full["before"].replace("path = /tmp/mirror", "path = /srv")
    yield Case("disk-full", PUT, "mirror", files=DIST, why="no space left on the mirror", kind="disk_full", **full)
    yield Case("disk-full", GET, machine=Machine(workspace="200k"), **daemon())
    yield Case("read-only", GET, machine=Machine(read_only=("/home/jenkins/workspace/shop",)), **daemon())
    denied = daemon()
    denied["before"] += "mkdir rates && chmod 755 rates"
    yield Case("no-permission", GET, **denied)
    yield Case("tool-missing", GET, machine=Machine(without=("rsync",)))
    yield Case("tool-misspelt", GET.replace("rsync", "rsnyc", 1))
    yield Case("wrong-option", GET.replace("--timeout", "--timeuot"))
    yield Case("missing-file", "rsync -a dits/ /home/jenkins/release/", files=DIST)
    hang = Site(host="mirror.internal", tls=False, port=873, fault="hang")
    patient = GET.replace("--timeout=3", "--timeout=60")
    yield Case("killed", patient, site=hang, machine=Machine(kill=("KILL", "^rsync", 2)))
    yield Case("terminated", patient, site=hang, machine=Machine(kill=("TERM", "^rsync", 2)))
    yield Case("timeout", f"timeout 2 {patient}", site=hang)


def _busy() -> dict[str, str]:
    found = daemon("max connections = 1")
    # One that stays, until the run ends.
    hold = "sleep 0.5; (exec 3<>/dev/tcp/10.20.0.12/873; printf '@RSYNCD: 31.0\\nshop\\n' >&3; sleep 20)"
    found["service"] = f'rsync --daemon --no-detach --address=10.20.0.12 --config=/tmp/rsyncd.conf & bash -c "{hold}"'
    return found


TOOL = Tool("rsync", cases, setup="command -v rsync || apt-get install -y -qq rsync")
