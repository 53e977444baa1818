"""No secret leaves by any field that can leave, in real runs; and what a failure says stays readable.

Every shape of secret is put into every field, each time with letters of its own, so that what is found says where it leaked.
All secrets here are made up.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import support
from ansible.constants import DEFAULT_VAULT_ID_MATCH
from ansible.parsing.vault import VaultLib, VaultSecret
from support import pace, processes, runs
from support.otlp_receiver import Receiver

pytestmark = pytest.mark.process

Env = dict[str, str]


def _login(core: str) -> str:
    return base64.b64encode(f"deploy:{core}".encode()).decode()


def _jwt(core: str) -> str:
    return ".".join(("eyJhbGciOiJIUzI1NiJ9", f"eyJ{core}", f"{core}N_XgL0n3I9PlFUP0THsR8U"))


def _private_key(core: str) -> str:
    """Return a key of twelve lines, as long as real ones are longer."""
    body = "\n".join(f"MIIEowIBAAKCAQEA7bq8{core}{line:02d}" for line in range(12))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"


# The shapes that the product promises to mask, and how they are met: by what people and tools print around them.
# `%s` is the secret, whose letters nobody else has.
SHAPES: dict[str, str] = {
    "bearer": "denied: Bearer %s",
    "bearer-header": "curl -H 'Authorization: Bearer %s' https://api",
    "token-header": "Authorization: token %s",
    "private-token-header": "PRIVATE-TOKEN: %s",
    "api-key-header": "X-Api-Key: %s",
    "url-login": "https://deploy:%s@git.example.com/x.git",
    "url-user": "https://%s@git.example.com/x.git",
    "url-database": "postgresql://app:%s@db:5432/app",
    "url-redis": "redis://:%s@cache:6379/0",
    "url-ssh": "ssh://git:%s@host/x",
    "query-token": "https://api/x?access_token=%s&page=2",
    "query-key": "https://api/x?page=2&api_key=%s",
    "query-signature": "https://s3/x?X-Amz-Expires=60&X-Amz-Signature=%s",
    "query-sig": "https://blob/x?sv=2024&sig=%s",
    "assigned-password": "DB_PASSWORD=%s",
    "assigned-secret": "CLIENT_SECRET=%s",
    "assigned-token": "GH_TOKEN=%s",
    "assigned-key": "API_KEY=%s",
    "assigned-pass": "ANSIBLE_BECOME_PASS=%s",
    "exported": "+ export PGPASSWORD='%s'",
    "option-password": "deploy --password %s --env prod",
    "option-equals": "deploy --db-password=%s",
    "option-token": "vault login --token %s",
    "option-secret": "az login --client-secret %s",
    "curl-user": "curl -u deploy:%s https://nexus",
    "sshpass": "sshpass -p %s ssh web1",
    "json": '{"user": "x", "password": "%s", "port": 5}',
    "json-in-json": '{"msg": "{\\"client_secret\\": \\"%s\\"}"}',
    "yaml": "private_token: %s",
    "python-dict": "{'user': 'x', 'secret_key': '%s'}",
    "python-list": "['deploy', '--password', '%s']",
    "connection-string": "Server=db;User Id=sa;Password=%s;Encrypt=True",
    "account-key": "AccountName=x;AccountKey=%s;",
    "aws": "key id %s refused",
    "github": "remote: %s is expired",
    "github-fine": "remote: (%s)",
    "gitlab": "refused %s",
    "slack": "slack said no to %s",
    "slack-user": "[%s]",
    "jwt": "jwt %s is too old",
    "basic": "Authorization: Basic %s",
    "npm": "npm %s",
    "pypi": "twine %s",
    "hashicorp": "vault token was %s",
}
# Secrets that are known by their own shape.
MAKE: dict[str, Callable[[str], str]] = {
    "aws": lambda core: "AKIA" + core.upper().ljust(16, "Q"),
    "github": lambda core: f"ghp_{core}Cc90A7e42F292c6912E7710c838347Ae"[:40],
    "github-fine": lambda core: f"github_pat_{core}0_abcdefghijklmnopqrstuvwxyz",
    "gitlab": lambda core: f"glpat-{core}AbC34dEf",
    "slack": lambda core: f"xoxb-123456789012-{core}",
    "slack-user": lambda core: f"xoxp-123456789012-{core}",
    "jwt": _jwt,
    "basic": _login,
    "npm": lambda core: f"npm_{core}abcdefghijklmnopqrstuvwxyz",
    "pypi": lambda core: f"pypi-{core}AgEIcHlwaS5vcmcCJDU1",
    "hashicorp": lambda core: f"hvs.{core}CAESIJlUqiVkEzabcdefgh",
}
# What inventories, roles and delegations take for a name.
PLAIN = ("aws", "github", "github-fine", "gitlab", "slack", "slack-user", "npm", "pypi", "hashicorp")


@dataclass
class Fed:
    """All secrets that were fed. ``cores``: what must not be found, with the field and shape that it was fed by."""

    cores: dict[str, str]

    def text(self, field: str, shape: str) -> str:
        """Return a text that holds a secret of a shape, for a field."""
        return SHAPES[shape] % self.secret(field, shape)

    def secret(self, field: str, shape: str) -> str:
        """Return a secret of a shape, for a field."""
        core = f"Zq{len(self.cores):04d}Xv7Kp"
        secret = MAKE.get(shape, str)(core)
        self.cores[core.upper() if shape == "aws" else _login(core) if shape == "basic" else core] = f"{field}: {shape}"
        return secret

    def all(self, field: str) -> list[str]:
        """Return a text for each shape, which begins and ends with words that must stay readable."""
        return [f"{field} no {number} said {self.text(field, shape)}" for number, shape in enumerate(SHAPES)]

    def leaked(self, where: str, data: bytes) -> list[str]:
        """Return where secrets were found."""
        text = data.decode("utf-8", "replace")
        return [f"{how} in {where}" for core, how in self.cores.items() if core in text]


class Watch:
    """Keeps all bytes of all journals of a test, though they are shipped and deleted meanwhile."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._folder = Path(env["PIPELINE_TRACE_HOME"]) / "journals"
        self._files: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for file in self._files.values():
            os.close(file)

    def data(self) -> bytes:
        """Return what was written."""
        return b"".join(os.pread(file, 1 << 30, 0) for file in self._files.values())

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            for path in self._folder.glob("*.journal") if self._folder.is_dir() else ():
                if path.name not in self._files:
                    try:
                        self._files[path.name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                    except FileNotFoundError:
                        continue


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """A clean environment; after the test no process of it is left."""
    env = {**support.environ(tmp_path), "ANSIBLE_ASYNC_DIR": str(tmp_path / "async"), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
    yield env
    runs.end_all(env)


@dataclass
class Left:
    """What left by a run: everything that a person or a receiver may read."""

    output: str
    spans: list[dict[str, Any]]


def run_and_search(
    tmp_path: Path, env: Env, fed: Fed, plays: list[dict[str, Any]], *arguments: object, hosts: str = "h1,"
) -> Left:
    """Run plays, and look for every secret in every byte of what leaves: on its way, at a receiver and in the store."""
    playbook = support.write_playbook(tmp_path, json.dumps(plays))
    home = Path(env["PIPELINE_TRACE_HOME"])
    with Watch(env) as watch, Receiver() as receiver:
        done = support.run_playbook(playbook, *arguments, env={**env, **receiver.environ()}, hosts=hosts)
        assert "PLAY RECAP" in done.stdout, done.stdout + done.stderr
        written = watch.data()
        found = fed.leaked("the journal", written) + fed.leaked("OTLP", b"".join(receiver.bodies))
        spans = receiver.spans()
    assert len(spans) == written.count(b'"type":"span"') > len(plays)
    # Our own lines; what Ansible prints is Ansible's.
    found += fed.leaked("our lines", "".join(runs.ours(done.stderr)).encode())
    # The same journal again, to the store.
    (home / "journals" / "1-1.journal").write_bytes(written)
    assert support.trace("ship", env=env).returncode == 0
    files = [path for path in home.rglob("*") if path.is_file()]
    assert home / "traces.db" in files
    for path in files:
        found += fed.leaked(path.name, path.read_bytes())
    report = tmp_path / "report.html"
    for words in (("show",), ("show", "--format", "json"), ("report", "-o", report)):
        said = support.trace(*words, env=env)
        assert said.returncode == 0, said.stderr
        found += fed.leaked(str(words[:1]), said.stdout.encode())
    found += fed.leaked("the HTML report", report.read_bytes())
    assert not found, "\n".join(sorted(set(found)))
    return Left(done.stdout, support.stored(env))


def test_what_is_told_of_open_spans_is_masked(tmp_path: Path, env: Env) -> None:
    fed = Fed({})
    go = tmp_path / "go"
    wait = f"for i in $(seq 1200); do [ -e {go} ] && exit 0; sleep 0.05; done; exit 1"
    # One text has all shapes: they are open at once.
    names = {field: " and ".join(fed.all(field)) for field in ("play", "block", "task")}
    task = {"name": names["task"], "ansible.builtin.shell": wait}
    plays = [a_play(name=names["play"], tasks=[{"name": names["block"], "block": [task]}])]
    playbook = support.write_playbook(tmp_path, json.dumps(plays))
    with Receiver(logs="take") as receiver:
        told = {**env, **receiver.environ(), **pace.quick(tmp_path), "OTEL_LOGS_EXPORTER": "otlp"}
        told["OTEL_RESOURCE_ATTRIBUTES"] = f"deploy.token={fed.secret('resource', 'bearer')}"
        with runs.Run(tmp_path / "run", told, playbook, hosts="h1,").process as process:
            processes.wait_for(lambda: any(len(heard.names) >= 5 for heard in receiver.heard), "open spans", 60)
            go.touch()
            assert process.wait(60) == 0
        sent = b"".join(heard.request.SerializeToString() for heard in receiver.heard)
    assert fed.leaked("log records", sent) == []
    assert (b"play no 0 said" in sent, b"task no 0 said" in sent, b"***" in sent) == (True, True, True)


def a_play(**fields: Any) -> dict[str, Any]:
    return {"name": "Deploy", "hosts": "all", "gather_facts": False, **fields}


def debug(name: str = "Quiet") -> dict[str, Any]:
    return {"name": name, "ansible.builtin.debug": {"msg": "done"}}


def messages(spans: list[dict[str, Any]]) -> str:
    """Return all messages of failures."""
    told = [str(span["attributes"].get("ansible.message", "")) for span in spans]
    told += [str(event["attributes"].get("ansible.message", "")) for span in spans for event in span["events"]]
    return "\n".join(told)


def assert_readable(said: str, field: str, *, clipped: int = 0) -> None:
    """The words around every secret are there, and what hid it."""
    for number, shape in list(enumerate(SHAPES))[: clipped or None]:
        before = re.escape(SHAPES[shape].split("%s")[0].split("(")[0][:6])
        assert re.search(rf"{field} no {number} said {before}", said) or re.search(
            rf"{field} no {number} said \S*\*\*\*", said
        ), (
            field,
            shape,
        )
    assert said.count("***") >= (clipped or len(SHAPES))


def test_names_of_plays_blocks_and_tasks_and_of_what_is_inside(tmp_path: Path, env: Env) -> None:
    fed = Fed({})
    plays = [a_play(name=text, tasks=[debug()]) for text in fed.all("play")]
    tasks: list[dict[str, Any]] = [debug(text) for text in fed.all("task")]
    tasks += [{"name": text, "block": [debug()]} for text in fed.all("block")]
    tasks += [{"name": text, "ansible.builtin.include_tasks": {"file": "more.yml"}} for text in fed.all("include")]
    notifying = {"name": "Change", "ansible.builtin.debug": {"msg": "done"}, "changed_when": True}
    handlers = [debug(text) for text in fed.all("handler")]
    tasks += [{**notifying, "name": text, "notify": handlers[0]["name"]} for text in fed.all("notifier")]
    tasks += [{**notifying, "notify": [handler["name"] for handler in handlers]}]
    (tmp_path / "more.yml").write_text(json.dumps([debug()]))
    left = run_and_search(tmp_path, env, fed, [*plays, a_play(tasks=tasks, handlers=handlers)])
    names = "\n".join(span["name"] for span in left.spans)
    for field in ("play", "task", "block", "include", "handler", "notifier"):
        assert_readable(names, field)


def test_names_of_roles_and_hosts_and_of_those_to_whom_a_task_is_delegated(tmp_path: Path, env: Env) -> None:
    fed = Fed({})
    roles = [f"role-{fed.secret('role', shape)}" for shape in PLAIN]
    for role in roles:
        (tmp_path / "roles" / role / "tasks").mkdir(parents=True)
        tasks = [debug(), {"name": "Break", "ansible.builtin.fail": {"msg": "no"}, "ignore_errors": True}]
        (tmp_path / "roles" / role / "tasks" / "main.yml").write_text(json.dumps(tasks))
    hosts = [f"web-{fed.secret('host', shape)}" for shape in PLAIN]
    delegated = [f"db-{fed.secret('delegated', shape)}" for shape in PLAIN]
    local = {"ansible_connection": "local"}
    tasks = [{**debug(), "delegate_to": name, "vars": local} for name in delegated]
    tasks += [{"name": "Break", "ansible.builtin.fail": {"msg": "no"}, "delegate_to": delegated[0], "ignore_errors": True}]
    templated = {"name": "By a variable", "ansible.builtin.debug": {"msg": "done"}, "delegate_to": "{{ other }}"}
    tasks += [{**templated, "vars": {"other": name}} for name in delegated]
    plays = [
        a_play(roles=[{"role": role} for role in roles], tasks=tasks),
        a_play(tasks=[{"name": "At last", "ansible.builtin.fail": {"msg": "it is broken"}}]),
    ]
    left = run_and_search(tmp_path, env, fed, plays, hosts=",".join(hosts) + ",")
    assert {span["name"] for span in left.spans} >= {"role role-***", "web-***"}
    # Whose failure it was stays readable in what stands above it.
    failed = support.named(left.spans, "At last")
    assert failed["status"] == {"code": "ERROR", "message": "web-***: it is broken"}


def test_messages_of_failures_whatever_becomes_of_them(tmp_path: Path, env: Env) -> None:
    fed = Fed({})

    def fails(field: str, number: int, **more: Any) -> dict[str, Any]:
        return {"name": f"{field} {number}", "ansible.builtin.fail": {"msg": texts[field][number]}, **more}

    fields = ("ignored", "rescued", "retried")
    texts = {field: fed.all(field) for field in fields}
    tasks: list[dict[str, Any]] = [fails("ignored", number, ignore_errors=True) for number in range(len(SHAPES))]
    for number in range(len(SHAPES)):
        tasks.append({"block": [fails("rescued", number)], "rescue": [debug()]})
        retry = {"until": "false", "retries": 1, "delay": 0, "ignore_errors": True, "register": "tried"}
        tasks.append(fails("retried", number, **retry))
    left = run_and_search(tmp_path, env, fed, [a_play(tasks=tasks)])
    for field in ("ignored", "rescued", "retried"):
        assert_readable(messages(left.spans), field)


def test_items_their_labels_and_their_failures(tmp_path: Path, env: Env) -> None:
    fed = Fed({})
    fail = {"msg": "{{ item }}"}
    dicts = [{"name": f"user {number}", "password": fed.secret("dict", "yaml")} for number in range(5)]
    nested = [{"user": {"name": "x", "auth": {"api_token": fed.secret("nested", "yaml")}}}]
    tasks: list[dict[str, Any]] = [
        {"name": "Labels", "ansible.builtin.debug": {"msg": "done"}, "loop": fed.all("label")},
        {"name": "Failing items", "ansible.builtin.fail": fail, "loop": fed.all("item"), "ignore_errors": True},
        {"name": "Dicts", "ansible.builtin.debug": {"msg": "done"}, "loop": dicts + nested},
        {
            "name": "Failing dicts",
            "ansible.builtin.fail": {"msg": "{{ item }}"},
            "loop": dicts + nested,
            "ignore_errors": True,
        },
        {
            "name": "Own labels",
            "ansible.builtin.debug": {"msg": "done"},
            "loop": fed.all("own label"),
            "loop_control": {"label": "for {{ item }}"},
        },
        {"name": "Skipped", "ansible.builtin.debug": {"msg": "done"}, "loop": fed.all("skipped"), "when": "false"},
    ]
    left = run_and_search(tmp_path, env, fed, [a_play(tasks=tasks)])
    labels = "\n".join(str(event["attributes"].get("ansible.item.label")) for span in left.spans for event in span["events"])
    for field in ("label", "item", "own label", "skipped"):
        assert_readable(labels, field)
    assert_readable(messages(left.spans), "item")


CRASHING = """#!/usr/bin/python
import sys
sys.stderr.write(open(%r).read())
sys.exit(1)
"""


def test_stderr_and_output_of_commands_scripts_and_modules(tmp_path: Path, env: Env) -> None:
    """Printed by tools, and by a module that crashes before it has an answer (module_stderr)."""
    fed = Fed({})
    tasks: list[dict[str, Any]] = []
    (tmp_path / "library").mkdir()
    for field in ("command", "asynchronous"):
        for first in range(0, len(SHAPES), 10):
            # Of stderr the last ten lines leave.
            lines = tmp_path / f"{field}-{first}"
            lines.write_text("\n".join(fed.all(field)[first : first + 10]))
            more = {"async": 60, "poll": 1} if field == "asynchronous" else {}
            words = {"cmd": f"cat {lines} >&2; cat {lines}; exit 3"}
            tasks.append({"name": f"{field} {first}", "ansible.builtin.shell": words, "ignore_errors": True, **more})
    for first in range(0, len(SHAPES), 10):
        lines = tmp_path / f"module-{first}"
        lines.write_text("\n".join(fed.all("module")[first : first + 10]))
        (tmp_path / "library" / f"crash{first}.py").write_text(CRASHING % str(lines))
        tasks.append({"name": f"module {first}", f"crash{first}": {}, "ignore_errors": True})
    left = run_and_search(tmp_path, env, fed, [a_play(tasks=tasks)])
    for field in ("command", "module", "asynchronous"):
        assert_readable(messages(left.spans), field)


@pytest.mark.parametrize("behind", [0, 3, 30])
def test_private_key_that_a_tool_prints_is_masked_though_only_the_last_lines_leave(
    tmp_path: Path, env: Env, behind: int
) -> None:
    """The key is longer than what leaves of stderr: its first line does not say any more what it is."""
    fed = Fed({"MIIEowIBAAKCAQEA7bq8": "private key"})
    printed = tmp_path / "printed"
    printed.write_text(f"loading the key\n{_private_key('Zq9999Xv7Kp')}\n" + "refused by web1\n" * behind)
    task = {"name": "Deploy", "ansible.builtin.shell": f"cat {printed} >&2; exit 1", "ignore_errors": True}
    message = {"name": "Say", "ansible.builtin.fail": {"msg": f"cannot use {_private_key('Zq9998Xv7Kp')} on web1"}}
    left = run_and_search(tmp_path, env, fed, [a_play(tasks=[task, message])])
    assert "cannot use *** on web1" in messages(left.spans)
    assert ("refused by web1" in messages(left.spans)) == (behind > 0)


@pytest.mark.parametrize("wide", [False, True])
def test_value_that_goes_over_lines_is_masked_though_only_the_last_lines_leave(tmp_path: Path, env: Env, wide: bool) -> None:
    """A block of YAML, or a quoted text, whose first line is not among those that leave."""
    fed = Fed({"Zq7777Xv7Kp": "a value over lines"})
    lines = "\n".join(f"  Zq7777Xv7Kp{line:02d}" for line in range(12))
    printed = tmp_path / "printed"
    printed.write_text(f'DB_PASSWORD="first\n{lines}"\n' if wide else f"password: |\n{lines}\n")
    task = {"name": "Deploy", "ansible.builtin.shell": f"cat {printed} >&2; exit 1"}
    run_and_search(tmp_path, env, fed, [a_play(tasks=[task])])


def test_conditions_of_what_was_skipped(tmp_path: Path, env: Env) -> None:
    fed = Fed({})
    texts = fed.all("condition")
    conditions = [f"given == {text!r}" for text in texts]
    tasks = [{**debug(), "when": condition} for condition in conditions]
    tasks += [{**debug(), "when": ["true", condition]} for condition in conditions]
    failing = [
        {"name": "Check", "ansible.builtin.assert": {"that": condition}, "ignore_errors": True} for condition in conditions
    ]
    left = run_and_search(tmp_path, env, fed, [a_play(tasks=tasks + failing, vars={"given": "other"})])
    skipped = [str(span["attributes"].get("ansible.skip.condition", "")) for span in left.spans]
    assert_readable("\n".join(skipped), "condition")


def test_urls_environments_and_arguments_though_arguments_leave(tmp_path: Path, env: Env) -> None:
    fed = Fed({})
    closed = "127.0.0.1:9"
    urls = [shape for shape in SHAPES if shape.startswith("query-")]
    tasks: list[dict[str, Any]] = [
        {
            "name": "Ask",
            "ansible.builtin.uri": {
                "url": re.sub("https://[^/]+", f"http://{closed}", SHAPES[shape] % fed.secret("url", shape)),
                "url_username": "deploy",
                "url_password": fed.secret("url_password", "yaml"),
                "headers": {
                    "Authorization": f"Bearer {fed.secret('header', 'bearer')}",
                    "X-Api-Key": fed.secret("header", "yaml"),
                },
                "body_format": "json",
                "body": {"client_secret": fed.secret("body", "yaml"), "note": "hello"},
            },
            "ignore_errors": True,
        }
        for shape in urls
    ]
    tasks.append(
        {
            "name": "Ask with a login",
            "ansible.builtin.uri": {"url": f"http://deploy:{fed.secret('url login', 'url-login')}@{closed}/x"},
            "ignore_errors": True,
        }
    )
    tasks += [{"name": "Say", "ansible.builtin.debug": {"msg": text}} for text in fed.all("argument")]
    tasks += [{"name": "Run", "ansible.builtin.command": {"argv": ["true", text]}} for text in fed.all("argv")[:8]]
    for name in ("DB_PASSWORD", "API_TOKEN", "SIGNING_KEY"):
        tasks.append(
            {
                "name": "With an environment",
                "ansible.builtin.shell": "env >&2; exit 1",
                "environment": {name: fed.secret("environment", "yaml")},
                "ignore_errors": True,
            }
        )
    arguing = {**env, "PIPELINE_TRACE_TASK_ARGUMENTS": "true"}
    left = run_and_search(tmp_path, arguing, fed, [a_play(tasks=tasks, environment={"SECRET": fed.secret("play", "yaml")})])
    arguments = "\n".join(str(span["attributes"].get("ansible.task.arguments", "")) for span in left.spans)
    assert_readable(arguments, "argument")
    assert "'note': 'hello'" in arguments
    assert "Connection refused" in messages(left.spans)


def test_what_no_log_hides_is_hidden_whatever_its_shape(tmp_path: Path, env: Env) -> None:
    """Under no_log even what looks like nothing must not leave: messages, items, arguments, retries, asynchronous jobs."""
    fed = Fed({})

    def plain(field: str) -> str:
        # No shape at all: only no_log can hide it.
        return fed.secret(field, "yaml")

    hidden = {"no_log": True, "ignore_errors": True}
    tasks: list[dict[str, Any]] = [
        {"name": "Message", "ansible.builtin.fail": {"msg": plain("message")}, **hidden},
        {"name": "Items", "ansible.builtin.fail": {"msg": "{{ item }}"}, "loop": [plain("item"), plain("item")], **hidden},
        {"name": "Dicts", "ansible.builtin.debug": {"msg": "x"}, "loop": [{"word": plain("dict")}], **hidden},
        {
            "name": "Labels",
            "ansible.builtin.debug": {"msg": "x"},
            "loop": [plain("label")],
            "loop_control": {"label": "l {{ item }}"},
            **hidden,
        },
        {"name": "Command", "ansible.builtin.shell": f"echo {plain('stderr')} >&2; exit 1", **hidden},
        {
            "name": "Retries",
            "ansible.builtin.shell": f"echo {plain('retry')} >&2; exit 1",
            "until": "false",
            "retries": 1,
            "delay": 0,
            **hidden,
        },
        {"name": "Job", "ansible.builtin.shell": f"echo {plain('job')} >&2; exit 1", "async": 60, "poll": 1, **hidden},
        {"name": "Skipped", "ansible.builtin.debug": {"msg": "x"}, "when": f"'{plain('condition')}' == 'x'", **hidden},
        {"name": "By a variable", "ansible.builtin.fail": {"msg": plain("variable")}, **hidden, "no_log": "{{ quiet }}"},
        {
            "name": "Items by a variable",
            "ansible.builtin.fail": {"msg": "x"},
            "loop": [plain("variable item")],
            **hidden,
            "no_log": "{{ quiet }}",
        },
        {
            "name": "Rescue",
            "block": [{"name": "In it", "ansible.builtin.fail": {"msg": plain("block")}}],
            "rescue": [debug()],
            "no_log": True,
        },
    ]
    plays = [a_play(tasks=tasks, vars={"quiet": True}), a_play(tasks=[debug()], no_log=True)]
    left = run_and_search(tmp_path, {**env, "PIPELINE_TRACE_TASK_ARGUMENTS": "true"}, fed, plays)
    said = messages(left.spans)
    assert said.count("the output has been hidden: no_log is set") >= 6


def test_vaults_prompts_and_extra_variables(tmp_path: Path, env: Env) -> None:
    fed = Fed({})
    password = tmp_path / "vault-password"
    password.write_text("the vault's own word: Zq8888Xv7Kp\n")
    fed.cores["Zq8888Xv7Kp"] = "the vault's password"
    vault = VaultLib([(DEFAULT_VAULT_ID_MATCH, VaultSecret(password.read_bytes().strip()))])
    variables = {f"vaulted_{number}": text for number, text in enumerate(fed.all("vaulted"))}
    (tmp_path / "secrets.yml").write_bytes(vault.encrypt(json.dumps(variables)))
    tasks: list[dict[str, Any]] = [
        {"name": "Use", "ansible.builtin.fail": {"msg": f"{{{{ {name} }}}}"}, "ignore_errors": True} for name in variables
    ]
    tasks += [
        {
            "name": "Prompted",
            "ansible.builtin.fail": {"msg": "login with PASSWORD={{ asked }} failed"},
            "ignore_errors": True,
        },
        {
            "name": "Given",
            "ansible.builtin.fail": {"msg": "login with db_password: {{ db_password }}"},
            "ignore_errors": True,
        },
        {"name": "Unknown", "ansible.builtin.debug": {"msg": "{{ nobody }}"}, "ignore_errors": True},
        {"name": "In a name {{ asked }}", "ansible.builtin.debug": {"msg": "done"}},
    ]
    prompts = [
        {"name": "asked", "prompt": "Password?", "default": fed.secret("prompt", "yaml"), "private": True},
        {"name": "other", "prompt": "Other?", "default": fed.secret("unused prompt", "yaml"), "private": False},
    ]
    # Without a terminal a prompt takes its default. A template in a task's name is Ansible's to show.
    plays = [a_play(vars_files=["secrets.yml"], vars_prompt=prompts, tasks=tasks[:-1])]
    extra = {
        "db_password": fed.secret("extra variable", "yaml"),
        "version": f"1.0 token={fed.secret('version', 'yaml')}",
        "deploy_env": f"https://deploy:{fed.secret('environment', 'url-login')}@prod",
        "app_name": fed.secret("name", "github"),
    }
    arguments = ("--vault-password-file", password, "-e", json.dumps(extra))
    left = run_and_search(tmp_path, {**env, "DB_PASSWORD": fed.secret("environ", "yaml")}, fed, plays, *arguments)
    assert_readable(messages(left.spans), "vaulted")
    playbook = support.named(left.spans, "playbook site.yml")["attributes"]
    assert playbook["deployment.environment.name"] == "https://***@prod"
    assert playbook["deployment.name"] == "***"


def test_vault_that_cannot_be_opened_and_variables_that_cannot_be_read(tmp_path: Path, env: Env) -> None:
    fed = Fed({"Zq6666Xv7Kp": "what the vault holds", "Zq5555Xv7Kp": "a wrong password"})
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("right")
    wrong.write_text("Zq5555Xv7Kp")
    vault = VaultLib([(DEFAULT_VAULT_ID_MATCH, VaultSecret(b"right"))])
    text = vault.encrypt("Zq6666Xv7Kp").decode()
    indented = "".join(f"        {line}\n" for line in text.splitlines())
    playbook = support.write_playbook(
        tmp_path,
        "- name: Deploy\n  hosts: all\n  gather_facts: false\n  vars:\n    word: !vault |\n"
        f"{indented}  tasks:\n    - name: Use\n      ansible.builtin.fail: {{msg: 'with {{{{ word }}}}'}}\n",
    )
    with Watch(env) as watch:
        done = support.run_playbook(playbook, "--vault-password-file", wrong, env=env, hosts="h1,")
        assert done.returncode == 2
        stored = (Path(env["PIPELINE_TRACE_HOME"]) / "traces.db").read_bytes()
        assert fed.leaked("journal", watch.data()) + fed.leaked("store", stored) == []
    assert "ecrypt" in messages(support.stored(env))


def test_there_are_forty_shapes_and_more() -> None:
    """Of which every one is fed to every field above that takes a text."""
    assert len(SHAPES) >= 40
    assert MAKE.keys() <= SHAPES.keys()
