"""Playbooks and values of the project, wrong."""

from __future__ import annotations

from collections.abc import Iterator

from lab.ansible_cases.playbooks import LOCAL, RUN, module, play
from lab.model import Case


def playbook() -> Iterator[Case]:
    """Yield the cases of wrong playbooks."""

    def playbook(
        variant: str, files: dict[str, str | bytes], fault: str = "playbook", script: str = RUN, **more: str
    ) -> Case:
        return Case(fault, script, variant, files=files, **more)

    echo = "- name: Say\n  ansible.builtin.debug: {msg: hello}\n"
    yield playbook(
        "yaml",
        {"hosts": LOCAL, "site.yml": "- hosts: app\n  tasks:\n    - name: Copy\n     ansible.builtin.copy: {src: a}\n"},
        "bad-yaml",
        kind="playbook_error",
    )
    yield playbook("tab", {"hosts": LOCAL, "site.yml": "- hosts: app\n\ttasks: []\n"}, "bad-yaml", kind="playbook_error")
    yield playbook(
        "quotes",
        {"hosts": LOCAL, "site.yml": "- hosts: app\n  tasks:\n    - ansible.builtin.debug: msg={{ a }}: b\n"},
        "bad-yaml",
        kind="playbook_error",
    )
    yield playbook("keyword", {**play(echo, "serials: 1")})
    yield playbook("two-actions", play("- name: Two\n  ansible.builtin.debug: {msg: a}\n  ansible.builtin.command: ls\n"))
    yield playbook("module-misspelt", play("- name: Copy\n  ansible.builtin.coppy: {src: a, dest: b}\n"))
    yield playbook("argument", play(module("ansible.builtin.copy", "contents: shop\ndest: ./release", "Write the release")))
    yield playbook("argument-missing", play(module("ansible.builtin.copy", "content: shop", "Write the release")))
    yield playbook("argument-choice", play(module("ansible.builtin.file", "path: ./a\nstate: folder", "Make the folder")))
    yield playbook("argument-type", play(module("ansible.builtin.wait_for", "port: http\ntimeout: 1", "Wait")))
    yield playbook("role-misspelt", play(echo, "roles: [shop_comon]"))
    yield playbook("include", play("- name: Include\n  ansible.builtin.include_tasks: taks.yml\n"))
    yield playbook("import", play("- name: Import\n  ansible.builtin.import_tasks: taks.yml\n"))
    yield playbook("vars-file", play(echo, "vars_files: [vars/stagin.yml]"))
    yield playbook("handler", play("- name: Set\n  ansible.builtin.command: 'true'\n  notify: restart shopp\n"))
    yield playbook(
        "no-playbook", {"hosts": LOCAL}, "missing-file", f"{RUN.replace('site.yml', 'sites.yml')}", kind="playbook_error"
    )
    yield playbook("option", play(echo), "wrong-option", f"{RUN} --tag deploy --stop-at")
    yield playbook("tool", play(echo), "tool-misspelt", RUN.replace("ansible-playbook", "ansible-playbok"))
    bad = {**play(echo), "hosts": "[app\napp1.internal\n"}
    yield playbook("inventory", {**bad, "ansible.cfg": "[inventory]\nany_unparsed_is_failed = true\n"}, "bad-config")
    collection = play("- name: Row\n  community.postgresql.postgresql_query: {query: select 1}\n")
    why = "requirements of the project or image of the agent: not said"
    yield playbook("collection", collection, "tool-missing", why=why)
    secret = "$ANSIBLE_VAULT;1.1;AES256\n" + "6139" * 20 + "\n"
    yield playbook(
        "vault",
        {**play(echo), "group_vars/app.yml": secret},
        "wrong-parameter",
        owner="unknown",
        kind="vault",
        why="file or password: not said",
    )
    wrong = {**play(echo), "group_vars/app.yml": secret, "pass": "other\n"}
    yield playbook(
        "vault-password",
        wrong,
        "wrong-parameter",
        f"{RUN} --vault-password-file pass",
        owner="unknown",
        kind="vault",
        why="file or password: not said",
    )
    missing = "- name: Migrate\n  ansible.builtin.script: scripts/migrat.sh\n"
    yield playbook("script", play(missing), "missing-file", kind="playbook_error")
    yield playbook(
        "script-bug",
        {
            **play("- name: Migrate\n  ansible.builtin.script: migrate.sh\n"),
            "migrate.sh": '#!/bin/sh\nset -u\necho "to $TARGET_SCHEMA"\n',
        },
        "script-bug",
    )
    sql = '- name: Run migrations\n  ansible.builtin.command: sqlite3 -bail shop.db ".read V42.sql"\n'
    yield playbook("sqlite", {**play(sql), "V42.sql": "ALTER TABLE carts ADD COLUM total int;\n"}, "migration")
