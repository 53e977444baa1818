"""Templates, variables and files of the project, wrong; and what happened before."""

from __future__ import annotations

from collections.abc import Iterator

from lab.ansible_cases.playbooks import ADDRESS, RELEASE, RUN, STORE, module, play
from lab.model import Case, Site


def values() -> Iterator[Case]:
    """Yield the cases of wrong templates, variables and files."""

    def template(text: str, more: str = "") -> dict[str, str | bytes]:
        task = module("ansible.builtin.template", "src: shop.conf.j2\ndest: ./shop.conf", "Write the settings")
        return {**play(task, more), "shop.conf.j2": text}

    yield Case("template", RUN, "unclosed", files=template("{% for a in [1] %}\nport = {{ a }}\n"))
    yield Case("template", RUN, "syntax", files=template("port = {{ port | }}\n", "vars: {port: 1}"))
    yield Case("template", RUN, "filter", files=template("port = {{ port | to_jsn }}\n", "vars: {port: 1}"))
    yield Case("undefined-variable", RUN, "template", files=template("port = {{ shop_port }}\n"), kind="playbook_error")
    yield Case(
        "undefined-variable",
        RUN,
        "attribute",
        files=template("port = {{ shop.port }}\n", "vars: {shop: {host: a}}"),
        kind="playbook_error",
    )
    when = "- name: Copy\n  ansible.builtin.command: ls\n  when: releas == 'a'\n"
    yield Case("undefined-variable", RUN, "when", files=play(when), kind="playbook_error")
    loop = '- name: Users\n  ansible.builtin.debug: {msg: "{{ item.uid }}"}\n  loop: [{name: mara}]\n'
    yield Case("undefined-variable", RUN, "loop", files=play(loop), kind="playbook_error")
    kind = "- name: Users\n  ansible.builtin.debug: {msg: a}\n  loop: shop\n"
    yield Case("playbook", RUN, "loop-type", files=play(kind))
    number = '- name: Workers\n  ansible.builtin.debug: {msg: "{{ workers + 1 }}"}\n'
    yield Case("playbook", RUN, "filter-type", files=play(number, "vars: {workers: four}"))
    asserted = module(
        "ansible.builtin.assert",
        'that: pool_size | int <= 100\nfail_msg: "pool_size is {{ pool_size }}, at most 100 is allowed'
        ' (group_vars/app.yml)"',
        "Settings are in range",
    )
    yield Case("wrong-parameter", RUN, "assert", files={**play(asserted), "group_vars/app.yml": "pool_size: 5000\n"})
    given = (
        module("ansible.builtin.fail", "msg: release is not given, use -e release=VERSION", "Release is given")
        + "  when: release is not defined\n"
    )
    yield Case("wrong-parameter", RUN, "fail", files=play(given))
    conf = module(
        "ansible.builtin.copy", "src: app.json\ndest: ./live.json\nvalidate: python3 -m json.tool %s", "Settings are valid"
    )
    yield Case("bad-config", RUN, "validate", files={**play(conf), "app.json": '{"port": 80,}\n'})
    yield Case(
        "missing-file",
        RUN,
        "copy",
        files=play(module("ansible.builtin.copy", "src: app.conf\ndest: ./live", "Copy the settings")),
        kind="playbook_error",
    )
    yield Case(
        "missing-file",
        RUN,
        "template",
        files=play(module("ansible.builtin.template", "src: ap.conf.j2\ndest: ./live", "Copy the settings")),
        kind="playbook_error",
    )
    yield Case(
        "missing-file",
        RUN,
        "unarchive",
        files=play(module("ansible.builtin.unarchive", "src: dist/shop.tgz\ndest: .", "Unpack")),
        kind="playbook_error",
    )
    yield Case(
        "missing-file",
        RUN,
        "folder",
        files=play(module("ansible.builtin.copy", "content: a\ndest: ./releases/1.8.0/app", "Copy")),
        kind="playbook_error",
    )
    line = module("ansible.builtin.lineinfile", "path: ./conf/app.ini\nline: port=80", "Set the port")
    yield Case("missing-file", RUN, "lineinfile", files=play(line), kind="playbook_error")
    broken = play(module("ansible.builtin.unarchive", "src: shop.tar.gz\ndest: .", "Unpack"))
    yield Case(
        "corrupt",
        RUN,
        "unarchive",
        files={**broken, "shop.tar.gz": RELEASE[: len(RELEASE) // 2]},
        owner="unknown",
        why="upload, store or download: not said",
    )
    wrong = play(
        module(
            "ansible.builtin.get_url",
            f"url: {ADDRESS}\ndest: ./shop.tar.gz\nchecksum: sha256:{'ab' * 32}",
            "Fetch the release",
        )
    )
    yield Case("pin-differs", RUN, files=wrong, site=STORE)
    absent = play(
        module(
            "ansible.builtin.get_url",
            "url: https://artifacts.internal/shop/shop-1.9.0.tar.gz\ndest: ./shop.tar.gz",
            "Fetch the release",
        )
    )
    yield Case("missing-internal", RUN, files=absent, site=STORE)
    user = play(module("ansible.builtin.file", "path: ./a\nstate: touch\nowner: shopuser", "Own it"))
    yield Case(
        "wrong-parameter", RUN, "owner", files=user, owner="unknown", kind="config_error", why="playbook or node: not said"
    )


def change() -> Iterator[Case]:
    """Yield the cases in which more than one thing failed."""
    fetch = module("ansible.builtin.get_url", f"url: {ADDRESS}\ndest: ./shop.tar.gz\ntimeout: 2", "Fetch the release")
    settings = module("ansible.builtin.template", "src: shop.conf.j2\ndest: ./shop.conf", "Write the settings")
    template = {"shop.conf.j2": "port = {{ shop_port }}\n"}
    ignored = play(f"{fetch}  ignore_errors: true\n{settings}")
    yield Case(
        "ignored-then-dev",
        RUN,
        files={**ignored, **template},
        site=Site(STORE.pages, host="artifacts.internal", fault="http-503"),
        kind="playbook_error",
        why="the template uses an undefined variable",
    )
    retried = play(f"{fetch}  register: got\n  until: got is success\n  retries: 4\n  delay: 0\n{settings}")
    yield Case(
        "recovered-then-dev",
        RUN,
        files={**retried, **template},
        site=Site(STORE.pages, host="artifacts.internal", fault="http-503", times=1),
        kind="playbook_error",
        why="the template uses an undefined variable",
    )
    inner = "".join(f"    {line}\n" for line in fetch.splitlines())
    rescued = play(
        f"- name: Fetch or go on\n  block:\n{inner}  rescue:\n    - name: Say\n      ansible.builtin.debug: {{msg: old"
        f" release stays}}\n{settings}"
    )
    yield Case(
        "ignored-then-dev",
        RUN,
        "rescued",
        files={**rescued, **template},
        site=Site(STORE.pages, host="artifacts.internal", fault="http-503"),
        kind="playbook_error",
        why="the template uses an undefined variable",
    )
    nobody = {**play("- name: A\n  ansible.builtin.command: ls\n"), "hosts": "[web]\nweb1.internal\n"}
    yield Case("unknown-target", f"{RUN} --limit app", files=nobody)
    mock = {
        **play("- name: Unit tests\n  ansible.builtin.command: python3 -m unittest -q test_shop\n"),
        "test_shop.py": (
            "import unittest\nclass Rates(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(41, 42)\n"
        ),
    }
    yield Case("test", RUN, files=mock)
