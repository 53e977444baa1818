"""ssh and scp to an application's host."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION
from lab.model import Case, Machine, Site, Tool

OPTIONS = "-o BatchMode=yes -o ConnectTimeout=2 -o ServerAliveInterval=1 -o ServerAliveCountMax=2"
LOGIN = f"ssh {OPTIONS} deploy@app1.internal"
DEPLOY = f"{LOGIN} 'cd /srv/shop && ./deploy.sh 1.4.2'"
COPY = f"scp {OPTIONS} shop.tar deploy@app1.internal:/srv/shop/"
FILES = {"shop.tar": b"x" * 300_000}
# Only for the agent of a run: /home, /tmp and /run are its own.
KEYS = """mkdir -p /home/deploy/.ssh /home/jenkins/.ssh /run/sshd /tmp/srv/shop
ssh-keygen -q -t ed25519 -N '' -f /tmp/host_key
ssh-keygen -q -t ed25519 -N '' -C ci -f /home/jenkins/.ssh/id_ed25519
cp /home/jenkins/.ssh/id_ed25519.pub /home/deploy/.ssh/authorized_keys
mount --bind /tmp/srv /srv
printf 'app1.internal %s\\n' "$(cut -d' ' -f1,2 /tmp/host_key.pub)" > /home/jenkins/.ssh/known_hosts
chown -R 1000:1000 /home/jenkins/.ssh
cat > /srv/shop/deploy.sh <<'END'
#!/bin/sh
set -eu
echo "deploying $1"
END
chmod 755 /srv/shop/deploy.sh
chown -R 1001:1001 /home/deploy /srv/shop
"""
_QUIET = "-o StrictModes=no -o UsePAM=no -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no -o PidFile=none"
CONFIG = f"-o ListenAddress=10.20.0.21 {_QUIET} -o Subsystem='sftp internal-sftp'"
SERVER = f"exec /usr/sbin/sshd -D -e -f /dev/null -h /tmp/host_key {CONFIG}"


def remote(text: str) -> str:
    """Return what makes the project's script on the host do this."""
    return f"{KEYS}cat > /srv/shop/deploy.sh <<'END'\n#!/bin/sh\nset -eu\n{text}\nEND\n"


def cases() -> Iterator[Case]:
    """Yield all cases of ssh."""
    for fault in CONNECTION:
        site = Site(host="app1.internal", tls=False, port=22) if fault in ("reset", "closed", "hang") else None
        kind = "dns" if fault in ("name-unknown", "dns-down") else "host_unreachable"
        yield Case(fault, DEPLOY, site=site, kind=kind, why="the shared host cannot be reached")
        yield Case(fault, COPY, "scp", site=site, files=FILES, kind=kind, why="the shared host cannot be reached")
    up = {"service": SERVER}
    yield Case("host-key", DEPLOY, "unknown", before=KEYS + "rm /home/jenkins/.ssh/known_hosts", **up)
    changed = (
        "ssh-keygen -q -t ed25519 -N '' -f /tmp/other\nprintf 'app1.internal %s\\n' \"$(cut -d' ' -f1,2 /tmp/other.pub)\""
    )
    yield Case("host-key", DEPLOY, "changed", before=f"{KEYS}{changed} > /home/jenkins/.ssh/known_hosts", **up)
    yield Case("key-refused", DEPLOY, before=KEYS + "echo > /home/deploy/.ssh/authorized_keys", **up)
    yield Case("key-refused", COPY, "scp", files=FILES, before=KEYS + "echo > /home/deploy/.ssh/authorized_keys", **up)
    yield Case("key-refused", DEPLOY, "absent", before=KEYS + "rm /home/jenkins/.ssh/id_ed25519", **up)
    yield Case(
        "script-bug", DEPLOY, before=remote('rm -r "$OLD_RELEASE"'), why="the project's script uses an unset variable", **up
    )
    yield Case(
        "missing-file",
        DEPLOY,
        before=KEYS + "rm /srv/shop/deploy.sh",
        owner="unknown",
        why="not copied, or not on the host",
        **up,
    )
    yield Case("app-unhealthy", DEPLOY, before=remote('echo "shop 1.4.2: prices.yaml: unknown key taxx"; exit 1'), **up)
    yield Case(
        "tool-missing",
        DEPLOY,
        before=remote("podmann restart shop"),
        owner="dev",
        why="a misspelt program in the script",
        **up,
    )
    yield Case("tool-missing", DEPLOY, "host", before=remote("podman restart shop"), **up)
    full = "mount -t tmpfs -o size=100k tmpfs /srv/shop && chown 1001 /srv/shop\n"
    yield Case("disk-full", COPY, files=FILES, before=KEYS + full, owner="unknown", why="it says only Failure", **up)
    fill = remote("df -h /srv/shop\nhead -c 300000 /dev/zero > /srv/shop/new.tar").replace(
        "cat > /srv/shop/deploy.sh", f"{full}cat > /srv/shop/deploy.sh"
    )
    yield Case(
        "disk-full", DEPLOY, "script", before=f"{fill}chmod 755 /srv/shop/deploy.sh", why="no space left on the host", **up
    )
    denied = KEYS + "chown -R root /srv/shop && chmod 755 /srv/shop"
    yield Case("no-permission", COPY, files=FILES, before=denied, why="the deploy account may not write on the host", **up)
    yield Case("missing-file", COPY, "source", before=KEYS, **up)
    yield Case("not-executable", DEPLOY, before=KEYS + "chmod 644 /srv/shop/deploy.sh", **up)
    yield Case(
        "host-misspelt",
        f"grep host inventory.ini\n{LOGIN.replace('app1', 'ap1')} true",
        files={"inventory.ini": "[shop]\nhost=app1.internal\n"},
    )
    yield Case("wrong-option", DEPLOY.replace("ConnectTimeout=2", "ConectTimeout=2"))
    yield Case("tool-missing", DEPLOY, "agent", machine=Machine(without=("ssh",)))
    yield Case("tool-misspelt", DEPLOY.replace("ssh", "shh", 1))
    sleep = {"before": remote("echo waiting for the queue; sleep 60"), **up}
    yield Case("killed", DEPLOY, machine=Machine(kill=("KILL", "^ssh ", 3)), **sleep)
    yield Case("timeout", f"timeout 3 {DEPLOY}", **sleep)
    yield Case(
        "closed",
        DEPLOY,
        "midway",
        **sleep,
        machine=Machine(kill=("KILL", "sshd", 3)),
        kind="host_unreachable",
        why="the host breaks off",
    )


TOOL = Tool("ssh", cases, setup="test -x /usr/sbin/sshd || apt-get install -y -qq openssh-server openssh-client")
