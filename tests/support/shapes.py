"""The playbook of tests/playbooks/shapes, which has every shape that a playbook may have, run to its end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import support
from support import played, processes

FOLDER = support.TESTS / "playbooks" / "shapes"


def play(folder: Path, ansible: Path = support.ANSIBLE) -> support.Completed:
    """Run it. The job in the background ends when Ansible has said that it asked for it once."""
    inventory = str(FOLDER / "inventory.ini")
    # Hosts have their connections from the inventory: extra variables and -c would reach the lost one too.
    words = [ansible / "ansible-playbook", "-i", inventory, "-e", f"ansible_python_interpreter={ansible / 'python'}"]
    command = [str(word) for word in (*words, "-e", f"scratch={folder / 'scratch'}", FOLDER / "site.yml")]
    env = played.environ(folder, {"PYTHONUNBUFFERED": "1"})
    out, err = folder / "stdout", folder / "stderr"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
    try:
        processes.wait_for(lambda: "ASYNC POLL on h1" in out.read_text() or process.poll() is not None, "poll", 90)
        (folder / "scratch" / "go").touch()
        process.wait(120)
    finally:
        process.kill()
    return subprocess.CompletedProcess(command, process.returncode, out.read_text(), err.read_text())
