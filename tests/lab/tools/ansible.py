"""ansible-playbook on hosts that are reached over ssh or are the agent itself."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS, WEB
from lab.model import Case, Machine, Reply, Site, Tool
from lab.packages import archive

RUN = "ansible-playbook -i hosts site.yml"
LOCAL = "[app]\napp1.internal ansible_connection=local\n"
REMOTE = "[app]\napp1.internal\n[app:vars]\nansible_user=deploy\n"
RELEASE = archive({"shop/app.py": "print('shop')\n", "shop/data.bin": b"\x07" * 900_000})
STORE = Site({"/shop/shop-1.8.0.tar.gz": Reply(RELEASE, "application/gzip")}, host="artifacts.internal")
ADDRESS = "https://artifacts.internal/shop/shop-1.8.0.tar.gz"


# Writes the results that end the playbook where the lab looks for them, and nothing into the log.
TELL = """
import json
from ansible.plugins.callback import CallbackBase

LEFT_OUT = ("invocation", "diff", "_ansible_no_log")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME, CALLBACK_NEEDS_ENABLED = 2.0, "notification", "tell", True
    found = []

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.found.clear()  # What failed before was rescued.

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self.tell("failed", result)

    def v2_runner_on_unreachable(self, result):
        self.tell("unreachable", result)

    def tell(self, event, result):
        shown = {key: value for key, value in result.result.items() if key not in LEFT_OUT}
        task = result.task
        self.found.append(
            {"event": event, "host": result.host.get_name(), "task": task.get_name(), "action": task.action, "result": shown}
        )

    def v2_playbook_on_stats(self, stats):
        if self.found:
            with open("/home/jenkins/out/task_result.json", "w") as told:
                json.dump(self.found[0] if len(self.found) == 1 else self.found, told, default=str)
"""


def play(tasks: str, more: str = "") -> dict[str, str | bytes]:
    """Return the files of a playbook for the agent itself. ``more``: keywords of the play."""
    lines = ["- name: Deploy shop", "  hosts: app", "  gather_facts: false", *(f"  {line}" for line in more.splitlines())]
    body = "".join(f"    {line}\n" if line else "\n" for line in tasks.strip("\n").splitlines())
    return {
        "hosts": LOCAL,
        "site.yml": "\n".join(lines) + f"\n  tasks:\n{body}",
        "~/.ansible/plugins/callback/tell.py": TELL,
    }


def module(name: str, arguments: str, title: str) -> str:
    """Return a task. ``arguments``: lines of YAML, not indented."""
    return f"- name: {title}\n  {name}:\n" + "".join(f"    {line}\n" for line in arguments.splitlines())


DOWNLOAD = play(module("ansible.builtin.get_url", f"url: {ADDRESS}\ndest: ./shop.tar.gz\ntimeout: 3", "Fetch the release"))
REGISTER = play(
    module(
        "ansible.builtin.uri",
        "url: https://registry.example/api/nodes\nmethod: POST\nbody_format: json\nbody: {node: app1}\ntimeout: 3",
        "Register the node",
    )
)
PIP = "name: shop-pricing==1.4.2\nexecutable: /usr/bin/pip3\nextra_args: --index-url https://registry.example/simple/ --retries 0 --timeout 3 --target deps --no-cache-dir"


def cases() -> Iterator[Case]:
    """Yield all cases of Ansible."""
    for fault in WEB:
        yield Case(fault, RUN, "get_url", files=DOWNLOAD, site=STORE)
    for fault in [*CONNECTION, *TLS, *STATUS]:
        yield Case(fault, RUN, "uri", files=REGISTER, site=Site({"/api/nodes": Reply(b"{}", "application/json")}))
    pip = play(module("ansible.builtin.pip", PIP, "Install the libraries"))
    for fault in [*CONNECTION, *TLS, *STATUS]:
        yield Case(fault, RUN, "pip", files=pip, site=Site())
    clone = play(
        module(
            "ansible.builtin.git",
            "repo: https://git.internal/shop/config.git\ndest: ./config\nversion: main",
            "Check out the settings",
        )
    )
    for fault in [*CONNECTION, *TLS, "http-401", "http-403", "http-500", "http-503"]:
        yield Case(fault, RUN, "git", files=clone, site=Site(host="git.internal"))
    yield from _ssh()
    yield from _services()
    yield from _machine()
    yield from _playbook()
    yield from _values()
    yield from _change()


SSHD = """
mkdir -p /home/deploy/.ssh /run/sshd
cp ~jenkins/tools/ansible/keys/id.pub /home/deploy/.ssh/authorized_keys
chown -R deploy /home/deploy; chmod 700 /home/deploy/.ssh
install -d -m 700 -o jenkins ~jenkins/.ssh
install -m 600 -o jenkins ~jenkins/tools/ansible/keys/id ~jenkins/.ssh/id_ed25519
printf 'app1.internal %s\\n' "$(cut -d' ' -f1,2 ~jenkins/tools/ansible/keys/host.pub)" >~jenkins/.ssh/known_hosts
chown jenkins ~jenkins/.ssh/known_hosts
"""
SERVE = "/usr/sbin/sshd -D -h /home/jenkins/tools/ansible/keys/host -o ListenAddress=10.20.0.21 -o PidFile=none -o UsePAM=no -o StrictModes=no"
PING = "- name: Copy the release\n  ansible.builtin.copy: {content: shop, dest: /home/deploy/release}\n"


def _remote(tasks: str = PING, more: str = "") -> dict[str, str | bytes]:
    return {**play(tasks, more), "hosts": REMOTE}


def _ssh() -> Iterator[Case]:
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
    changed = f"{SSHD}\nssh-keygen -q -t ed25519 -N '' -f /tmp/other && printf 'app1.internal %s\\n' \"$(cut -d' ' -f1,2 /tmp/other.pub)\" >~jenkins/.ssh/known_hosts"
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
    full = f"{SSHD}\nmount -t tmpfs -o size=64k tmpfs /home/deploy/full && chown deploy /home/deploy/full && dd if=/dev/zero of=/home/deploy/full/log bs=1k count=60 2>/dev/null"
    large = PING.replace("content: shop", f"content: \"{{{{ 'shop' * 20000 }}}}\"").replace(
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
    home = f"{SSHD}\nmkdir -p /home/deploy/.ansible; mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs /home/deploy/.ansible; chown deploy /home/deploy/.ansible"
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


def _services() -> Iterator[Case]:
    wait = play(
        module(
            "ansible.builtin.wait_for", "host: db.internal\nport: 5432\ntimeout: 3", "Database answers (before any change)"
        )
    )
    for fault in ("refused", "connect-timeout", "no-route", "name-unknown"):
        yield Case(fault, RUN, "wait_for", files=wait, site=Site(host="db.internal", tls=False, port=5432))
    yield Case(
        "local-service-absent",
        RUN,
        files=play(module("ansible.builtin.wait_for", "port: 8080\ntimeout: 2", "Application listens")),
    )
    command = play(
        module(
            "ansible.builtin.command", "cmd: curl -sSf --max-time 3 https://registry.example/api/nodes", "Ask for the nodes"
        )
    )
    for fault in [*CONNECTION, *TLS, *STATUS]:
        yield Case(fault, RUN, "command", files=command, site=Site())
    until = play(
        module("ansible.builtin.get_url", f"url: {ADDRESS}\ndest: ./shop.tar.gz\ntimeout: 2", "Fetch the release")
        + "  register: got\n  until: got is success\n  retries: 2\n  delay: 0\n"
    )
    for fault in ("refused", "http-503", "name-unknown", "tls-expired", "http-403"):
        yield Case(fault, RUN, "until", files=until, site=STORE)
    health = play(
        module(
            "ansible.builtin.uri", "url: http://app1.internal:8080/health\nreturn_content: true", "New version is healthy"
        )
    )
    named = Reply(b'{"status": "down", "version": "1.8.0", "reason": "missing setting DB_URL"}', "application/json", 503)
    own = {"host": "app1.internal", "tls": False, "port": 8080, "fault": "none"}
    shown = module(
        "ansible.builtin.uri",
        "url: http://app1.internal:8080/health\nreturn_content: true\nstatus_code: [200, 503]",
        "Ask the new version",
    )
    shown += "  register: health\n" + module(
        "ansible.builtin.assert",
        'that: health.status == 200\nfail_msg: "version 1.8.0 reports: {{ health.json.reason }}"',
        "New version is healthy",
    )
    yield Case("app-unhealthy", RUN, "assert", files=play(shown), site=Site({"/health": named}, **own))
    yield Case("app-unhealthy", RUN, "uri", files=health, site=Site({"/health": named}, **own))
    yield Case(
        "proxy-5xx",
        RUN,
        files=health,
        site=Site({"/health": Reply(b"<html><h1>502 Bad Gateway</h1></html>", "text/html", 502)}, **own),
    )
    test = module("ansible.builtin.command", "cmd: ./selftest", "Self-test of the new version")
    yield Case(
        "app-unhealthy",
        RUN,
        "selftest",
        files={**play(test), "selftest": "#!/bin/sh\necho 'selftest: cart total is 0, expected 42' >&2\nexit 1\n"},
        before="chmod +x selftest",
    )


def _machine() -> Iterator[Case]:
    files = {"files": DOWNLOAD, "site": STORE}
    yield Case("disk-full", RUN, "get_url", machine=Machine(workspace="200k"), **files)
    yield Case("temp-full", RUN, "get_url", machine=Machine(temp="8k"), **files)
    yield Case("read-only", RUN, "get_url", machine=Machine(read_only=("/home/jenkins/workspace/shop",)), **files)
    unpack = play(module("ansible.builtin.unarchive", "src: shop.tar.gz\ndest: .", "Unpack the release"))
    yield Case("disk-full", RUN, "unarchive", files={**unpack, "shop.tar.gz": RELEASE}, machine=Machine(workspace="300k"))
    copy = play(module("ansible.builtin.copy", "content: shop\ndest: releases/current", "Write the release"))
    yield Case("no-permission", RUN, "copy", files=copy, before="mkdir releases && chmod 755 releases")
    yield Case("home-denied", RUN, files=copy, before="chown root ~jenkins && chmod 755 ~jenkins")
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


def _playbook() -> Iterator[Case]:
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


def _values() -> Iterator[Case]:
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
        'that: pool_size | int <= 100\nfail_msg: "pool_size is {{ pool_size }}, at most 100 is allowed (group_vars/app.yml)"',
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


def _change() -> Iterator[Case]:
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
        f"- name: Fetch or go on\n  block:\n{inner}  rescue:\n    - name: Say\n      ansible.builtin.debug: {{msg: old release stays}}\n{settings}"
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
        "test_shop.py": "import unittest\nclass Rates(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(41, 42)\n",
    }
    yield Case("test", RUN, files=mock)


TOOL = Tool(
    "ansible",
    cases,
    setup="for p in sshd sudo; do command -v $p || apt-get install -y -qq openssh-server sudo; done\n/usr/bin/python3 -m venv .\nbin/pip install --quiet 'ansible-core==2.19.*'\nmkdir -p keys\n"
    "for k in id host; do [ -f keys/$k ] || ssh-keygen -q -t ed25519 -N '' -C ci -f keys/$k; done; chmod 644 keys/id",
    path=("ansible/bin",),
    env={
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "ANSIBLE_CALLBACKS_ENABLED": "tell",
    },
)
