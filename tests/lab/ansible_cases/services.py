"""Services that a playbook asks, and the application that it deploys."""

from __future__ import annotations

from collections.abc import Iterator

from lab.ansible_cases.playbooks import ADDRESS, DOWNLOAD, RUN, STORE, module, play
from lab.faults import CONNECTION, STATUS, TLS, WEB
from lab.model import Case, Reply, Site

REGISTER = play(
    module(
        "ansible.builtin.uri",
        "url: https://registry.example/api/nodes\nmethod: POST\nbody_format: json\nbody: {node: app1}\ntimeout: 3",
        "Register the node",
    )
)
PIP = (
    "name: shop-pricing==1.4.2\nexecutable: /usr/bin/pip3\nextra_args: --index-url https://registry.example/simple/"
    " --retries 0 --timeout 3 --target deps --no-cache-dir"
)


def services() -> Iterator[Case]:
    """Yield the cases of services that a playbook asks."""
    yield from _asked()
    yield from _waits()


def _asked() -> Iterator[Case]:
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


def _waits() -> Iterator[Case]:
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
