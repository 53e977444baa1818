"""ansible-playbook on hosts that are reached over ssh or are the agent itself."""

from __future__ import annotations

from collections.abc import Iterator

from lab.ansible_cases import hosts, machine, project, services, values
from lab.model import Case, Tool


def cases() -> Iterator[Case]:
    """Yield all cases of Ansible."""
    yield from services.services()
    yield from hosts.ssh()
    yield from machine.machine()
    yield from project.playbook()
    yield from values.values()
    yield from values.change()


TOOL = Tool(
    "ansible",
    cases,
    setup=(
        "for p in sshd sudo; do command -v $p || apt-get install -y -qq openssh-server sudo; done\n/usr/bin/python3 -m venv"
        " .\nbin/pip install --quiet 'ansible-core==2.19.*'\nmkdir -p keys\nfor k in id host; do [ -f keys/$k ] ||"
        " ssh-keygen -q -t ed25519 -N '' -C ci -f keys/$k; done; chmod 644 keys/id"
    ),
    path=("ansible/bin",),
    env={
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "ANSIBLE_CALLBACKS_ENABLED": "tell",
    },
)
