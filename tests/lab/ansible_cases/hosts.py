"""Hosts behind ssh: gone, strange, full, without the right."""

from __future__ import annotations

from collections.abc import Iterator

from lab.ansible_cases.playbooks import RUN, play
from lab.faults import CONNECTION
from lab.model import Case, Site

REMOTE = "[app]\napp1.internal\n[app:vars]\nansible_user=deploy\n"
SSHD = """
mkdir -p /home/deploy/.ssh /run/sshd
cp ~jenkins/tools/ansible/keys/id.pub /home/deploy/.ssh/authorized_keys
chown -R deploy /home/deploy; chmod 700 /home/deploy/.ssh
install -d -m 700 -o jenkins ~jenkins/.ssh
install -m 600 -o jenkins ~jenkins/tools/ansible/keys/id ~jenkins/.ssh/id_ed25519
printf 'app1.internal %s\\n' "$(cut -d' ' -f1,2 ~jenkins/tools/ansible/keys/host.pub)" >~jenkins/.ssh/known_hosts
chown jenkins ~jenkins/.ssh/known_hosts
"""
SERVE = (
    "/usr/sbin/sshd -D -h /home/jenkins/tools/ansible/keys/host -o ListenAddress=10.20.0.21 -o PidFile=none -o UsePAM=no -o"
    " StrictModes=no"
)
PING = "- name: Copy the release\n  ansible.builtin.copy: {content: shop, dest: /home/deploy/release}\n"


def _remote(tasks: str = PING, more: str = "") -> dict[str, str | bytes]:
    return {**play(tasks, more), "hosts": REMOTE}


def ssh() -> Iterator[Case]:
    """Yield the cases of hosts behind ssh."""
    away = {"kind": "host_unreachable", "why": "the node cannot be reached over ssh"}
    run = f"{RUN} --timeout 3"
    for fault in CONNECTION:
        site = Site(host="app1.internal", tls=False, port=22)
        yield Case(
            fault,
            run,
            "ssh",
            files=_remote(),
            before=SSHD,
            site=site,
            **(away if fault not in ("name-unknown", "dns-down") else {}),
        )
    yield Case("key-refused", run, files=_remote(), before=f"{SSHD}\n: >/home/deploy/.ssh/authorized_keys", service=SERVE)
    changed = (
        f"{SSHD}\nssh-keygen -q -t ed25519 -N '' -f /tmp/other && printf 'app1.internal %s\\n' \"$(cut -d' ' -f1,2"
        ' /tmp/other.pub)" >~jenkins/.ssh/known_hosts'
    )
    yield Case("host-key", run, "changed", files=_remote(), before=changed, service=SERVE)
    yield Case("host-key", run, "unknown", files=_remote(), before=f"{SSHD}\n: >~jenkins/.ssh/known_hosts", service=SERVE)
    why = "the CI account lacks the right on the node"
    sudo = "printf 'deploy ALL=(ALL) ALL\\n' >/etc/sudoers.d/deploy && chmod 440 /etc/sudoers.d/deploy"
    sudo = f"mount -t tmpfs -o mode=755 tmpfs /etc/sudoers.d && {sudo}"
    yield Case(
        "no-permission", run, "sudo", files=_remote(more="become: true"), before=f"{SSHD}\n{sudo}", service=SERVE, why=why
    )
    yield Case(
        "no-permission",
        run,
        "dest",
        files=_remote(PING.replace("/home/deploy/release", "/etc/shop.conf")),
        before=SSHD,
        service=SERVE,
        why=why,
    )
    full = (
        f"{SSHD}\nmount -t tmpfs -o size=64k tmpfs /home/deploy/full && chown deploy /home/deploy/full && dd if=/dev/zero"
        " of=/home/deploy/full/log bs=1k count=60 2>/dev/null"
    )
    large = PING.replace("content: shop", "content: \"{{ 'shop' * 20000 }}\"").replace(
        "/home/deploy/release", "/home/deploy/full/release"
    )
    yield Case(
        "disk-full",
        run,
        "node",
        files=_remote(large),
        before=full.replace("mount", "mkdir /home/deploy/full; mount", 1),
        service=SERVE,
    )
    home = (
        f"{SSHD}\nmkdir -p /home/deploy/.ansible; mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs /home/deploy/.ansible; chown"
        " deploy /home/deploy/.ansible"
    )
    yield Case("disk-full", run, "ansible-tmp", files=_remote(), before=home, service=SERVE)
    yield Case(
        "tool-missing",
        run,
        "python",
        files={**_remote(), "hosts": REMOTE + "ansible_python_interpreter=/usr/bin/python3.8\n"},
        before=SSHD,
        service=SERVE,
    )
    typo = {**_remote(), "hosts": REMOTE.replace("app1.internal", "app1.internl")}
    yield Case(
        "host-misspelt",
        f"git show --format= HEAD~0 -- hosts 2>/dev/null || diff -u hosts.before hosts || true\n{run}",
        files={**typo, "hosts.before": REMOTE},
        before=SSHD,
    )
