"""The network of a run: its own namespace, neutral names and addresses, and the DNS server that knows no name."""

from __future__ import annotations

import socket
import subprocess
import threading
from contextlib import suppress

NAMES = {
    "registry.example": "10.20.0.11",
    "mirror.internal": "10.20.0.12",
    "git.internal": "10.20.0.13",
    "db.internal": "10.20.0.14",
    "artifacts.internal": "10.20.0.15",
    "app1.internal": "10.20.0.21",
    "app2.internal": "10.20.0.22",
    "k8s.internal": "10.20.0.16",
    "shop.internal": "10.20.0.30",
}
# Packets to these are lost; no route leads to those.
LOST, ROUTELESS = "10.20.8.9", "10.99.1.1"
_DNS, _DEAF = "10.20.0.2", "10.20.0.3"
AGENT = "agent-3"


def prepare() -> None:
    """Set up the namespace that this process is in: the addresses, and a link that nobody reads."""
    commands = [
        "link set lo up",
        *(f"addr add {address}/32 dev lo" for address in (_DNS, _DEAF, *NAMES.values())),
        "tuntap add dev lost0 mode tun",
        "addr add 10.20.8.1/24 dev lost0",
        "link set lost0 up",
    ]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)
    with suppress(OSError):
        threading.Thread(target=_no_such_name, daemon=True).start()


def hosts(fault: str, host: str) -> str:
    """Return /etc/hosts of a case whose fault is at this host."""
    found = {**NAMES}
    if fault in ("name-unknown", "dns-down"):
        del found[host]
    elif fault == "connect-timeout":
        found[host] = LOST
    elif fault == "no-route":
        found[host] = ROUTELESS
    lines = [f"{address}\t{name}" for name, address in found.items()]
    return "\n".join(["127.0.0.1\tlocalhost", f"127.0.1.1\t{AGENT}", *lines, ""])


def resolver(fault: str) -> str:
    """Return /etc/resolv.conf of a case with this fault."""
    return f"nameserver {_DEAF if fault == 'dns-down' else _DNS}\noptions timeout:1 attempts:1\n"


def _no_such_name() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((_DNS, 53))
        while True:
            asked, who = server.recvfrom(4096)
            # The question comes back with NXDOMAIN, without additional records.
            end = asked.index(b"\0", 12) + 5
            server.sendto(asked[:2] + b"\x81\x83" + asked[4:6] + bytes(6) + asked[12:end], who)
