"""The agent on which Ansible runs, broken."""

from __future__ import annotations

from collections.abc import Iterator

from lab.ansible_cases.playbooks import DOWNLOAD, RELEASE, RUN, STORE, module, play
from lab.model import Case, Machine


def machine() -> Iterator[Case]:
    """Yield the cases of a broken agent."""
    files = {"files": DOWNLOAD, "site": STORE}
    yield Case("disk-full", RUN, "get_url", machine=Machine(workspace="200k"), **files)
    yield Case("temp-full", RUN, "get_url", machine=Machine(temp="8k"), **files)
    yield Case("read-only", RUN, "get_url", machine=Machine(read_only=("/home/jenkins/workspace/shop",)), **files)
    unpack = play(module("ansible.builtin.unarchive", "src: shop.tar.gz\ndest: .", "Unpack the release"))
    yield Case("disk-full", RUN, "unarchive", files={**unpack, "shop.tar.gz": RELEASE}, machine=Machine(workspace="300k"))
    copy = play(module("ansible.builtin.copy", "content: shop\ndest: ./current", "Write the release"))
    yield Case(
        "no-permission", RUN, "copy", files=copy, before="touch current && chmod 644 current && chown root . && chmod 755 ."
    )
    yield Case("home-denied", RUN, files=copy, before="chown -R root ~jenkins/.ansible && chmod 755 ~jenkins/.ansible")
    yield Case(
        "temp-missing",
        RUN,
        files={**copy, "ansible.cfg": "[defaults]\nlocal_tmp = /var/tmp/none/ansible\nremote_tmp = /var/none/ansible\n"},
        owner="unknown",
        why="settings of the project, or folders of the node",
    )
    yield Case("out-of-memory", RUN, files=copy, machine=Machine(memory=40))
    yield Case("too-many-files", RUN, files=copy, machine=Machine(open_files=14))
    yield Case("too-many-processes", RUN, files=copy, machine=Machine(processes=1))
    yield Case("locale", RUN, files=copy, env={"LANG": "C", "LC_ALL": "xx_XX.UTF-8"})
    slow = play("- name: Migrate\n  ansible.builtin.command: sleep 20\n")
    yield Case("killed", RUN, files=slow, machine=Machine(kill=("KILL", "bin/ansible-playbook", 3)))
    yield Case("killed", RUN, "task", files=slow, machine=Machine(kill=("KILL", "^sleep 20", 3)))
    yield Case("terminated", RUN, files=slow, machine=Machine(kill=("TERM", "bin/ansible-playbook", 3)))
    yield Case("timeout", f"timeout 3 {RUN}", files=slow)
    yield Case("tool-missing", RUN, files=copy, machine=Machine(without=("ansible-playbook",)))
    missing = play("- name: Restart the application\n  ansible.builtin.command: shopctl restart\n")
    yield Case("tool-missing", RUN, "command", files=missing)
    why = "a check of the node: too little space"
    check = module(
        "ansible.builtin.assert",
        'that: 120 > 2048\nfail_msg: "app1.internal has 120 MiB free on /srv, 2048 MiB needed"',
        "Node has enough space",
    )
    yield Case("disk-full", RUN, "preflight", files=play(check), why=why)
    lock = play(module("ansible.builtin.command", "cmd: flock -n /tmp/deploy.lock true", "Take the lock of the node"))
    yield Case(
        "lock-held",
        RUN,
        files=lock,
        before="flock /tmp/deploy.lock sleep 20 & sleep 0.3",
        owner="unknown",
        why="nothing says what the lock is",
    )
