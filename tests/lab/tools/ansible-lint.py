"""ansible-lint: rules that a playbook breaks."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Tool

RUN = "ansible-lint --offline --nocolor site.yml"
PLAY = "---\n- name: Deploy\n  hosts: all\n  gather_facts: false\n  tasks:\n"


def cases() -> Iterator[Case]:
    """Yield all cases of ansible-lint."""
    fine = {"site.yml": f"{PLAY}    - name: Say\n      ansible.builtin.debug:\n        msg: hello\n"}
    for variant, text in {
        "fqcn": f"{PLAY}    - name: Say\n      debug:\n        msg: a\n",
        "name": f"{PLAY}    - ansible.builtin.debug:\n        msg: a\n",
        "latest": f"{PLAY}    - name: Install\n      ansible.builtin.apt:\n        name: curl\n        state: latest\n",
        "mode": f"{PLAY}    - name: Copy\n      ansible.builtin.copy:\n        content: a\n        dest: /tmp/a\n",
        "changed": f"{PLAY}    - name: Run\n      ansible.builtin.command: ls\n",
    }.items():
        yield Case("lint", RUN, variant, files={"site.yml": text})
    yield Case("bad-yaml", RUN, files={"site.yml": f"{PLAY}    - name: Say\n     ansible.builtin.debug: {{}}\n"})
    yield Case(
        "playbook",
        RUN,
        "syntax",
        files={"site.yml": f"{PLAY}    - name: Say\n      ansible.builtin.debgu:\n        msg: a\n"},
        owner="unknown",
        kind="missing_tool",
        why="misspelt, or a collection that is not installed: the text does not tell",
    )
    yield Case(
        "missing-file",
        RUN,
        "include",
        files={"site.yml": f"{PLAY}    - name: More\n      ansible.builtin.import_tasks: more.yml\n"},
    )
    yield Case(
        "template",
        RUN,
        files={"site.yml": f'{PLAY}    - name: Say\n      ansible.builtin.debug:\n        msg: "{{{{ a | }}}}"\n'},
        kind="lint",
    )
    yield Case("missing-file", RUN.replace("site.yml", "sites.yml"), files=fine)
    yield Case("bad-config", RUN, files={**fine, ".ansible-lint": "skip_lists: [fqcn]\n"})
    yield from call_faults(RUN, fine, option="--no-such", misspelt="ansible-lnit")


TOOL = Tool("ansible-lint", cases, setup=venv("ansible-core==2.19.* ansible-lint"), path=("ansible-lint/bin",))
