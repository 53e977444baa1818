"""`doctor`: what it says of real set-ups, and with which exit status."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import support
from support import clickhouse_schema, tls
from support.clickhouse import Engine, needs_engine
from support.otlp_receiver import Receiver
from support.proxy import Proxy
from support.redirects import redirecting

from pipeline_trace.trace.span import Span
from pipeline_trace_demo.replay import Replay

NO_ANSIBLE = "/nonexistent"


def examined(env: dict[str, str], *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = support.trace("doctor", "--format", "json", *arguments, env=env)
    assert done.stderr == ""
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.process
def test_a_machine_on_which_all_is_set_up(env: dict[str, str]) -> None:
    status, checks = examined(env)
    assert status == 0
    assert [check["state"] for check in checks.values()] == ["ok"] * len(checks)
    assert str(support.BIN / "ansible-playbook") in checks["ansible"]["text"]
    assert env["ANSIBLE_CONFIG"] in checks["ansible"]["text"]
    assert {"place", "home", "journals", "store", "delivery", "callback", "collection", "packages", "jenkins"} <= set(checks)


@pytest.mark.process
def test_a_callback_that_is_not_enabled_is_a_hint_with_the_line_for_ansible_cfg(env: dict[str, str]) -> None:
    del env["ANSIBLE_CALLBACKS_ENABLED"]
    status, checks = examined(env)
    assert (status, checks["callback"]["state"]) == (0, "hint")
    assert f"callbacks_enabled = {support.FULL_NAME}" in checks["callback"]["mend"]
    assert env["ANSIBLE_CONFIG"] in checks["callback"]["mend"]


@pytest.mark.process
def test_a_callback_enabled_by_a_file_is_seen(env: dict[str, str]) -> None:
    del env["ANSIBLE_CALLBACKS_ENABLED"]
    Path(env["ANSIBLE_CONFIG"]).write_text(f"[defaults]\ncallbacks_enabled = timer, {support.FULL_NAME}\n", encoding="ascii")
    assert examined(env)[1]["callback"]["state"] == "ok"


def test_without_ansible_it_says_so(env: dict[str, str]) -> None:
    status, checks = examined({**env, "PATH": NO_ANSIBLE})
    assert (status, checks["ansible"]["state"]) == (0, "hint")
    assert "callback" not in checks


@pytest.mark.process
def test_an_ansible_that_does_not_answer_is_broken(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ansible-playbook").write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    (tmp_path / "ansible-playbook").chmod(0o755)
    status, checks = examined({**env, "PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert (status, checks["ansible"]["state"]) == (1, "broken")


def test_a_receiver_that_answers(env: dict[str, str]) -> None:
    with Receiver() as receiver:
        status, checks = examined({**env, "PATH": NO_ANSIBLE, **receiver.environ()})
        assert (status, checks["delivery"]["state"]) == (0, "ok")
        assert receiver.spans() == []


def test_a_receiver_that_does_not_answer_is_broken(env: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    status, checks = examined({**env, "PATH": NO_ANSIBLE, "OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert (status, checks["delivery"]["state"]) == (1, "broken")
    assert url in checks["delivery"]["text"]
    assert checks["delivery"]["mend"]


def test_no_secret_is_ever_printed(env: dict[str, str]) -> None:
    url = f"http://user:hunter2hunter2@127.0.0.1:{closed_port()}"
    secret = {
        **env,
        "PATH": NO_ANSIBLE,
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer sesame-open-1234",
        "JENKINS_URL": f"http://127.0.0.1:{closed_port()}/",
        "JENKINS_USER": "reader",
        "JENKINS_API_TOKEN": "11aa22bb33cc44dd55ee66ff",
    }
    for form in ("text", "json"):
        done = support.trace("doctor", "--format", form, env=secret)
        assert done.returncode == 1
        for word in ("hunter2", "sesame", "11aa22bb"):
            assert word not in done.stdout + done.stderr


@pytest.mark.process
def test_spans_that_wait_are_a_hint(env: dict[str, str]) -> None:
    down = {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{closed_port()}"}
    assert support.spawn("exec", "--", "true", env=down).returncode == 0
    status, checks = examined({**env, "PATH": NO_ANSIBLE})
    assert (status, checks["journals"]["state"]) == (0, "hint")
    assert checks["journals"]["text"].startswith("1 spans wait")
    assert checks["journals"]["mend"] == "pipeline-trace ship"


def test_a_home_that_cannot_be_written_is_broken(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = {"PIPELINE_TRACE_HOME": str(tmp_path / "file/below"), "TMPDIR": str(tmp_path / "file"), "PATH": NO_ANSIBLE}
    status, checks = examined({**env, **blocked})
    assert (status, checks["home"]["state"]) == (1, "broken")
    assert "PIPELINE_TRACE_HOME" in checks["home"]["mend"]


def test_in_ci_without_an_endpoint_it_names_the_variable(env: dict[str, str]) -> None:
    inside = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "5", "PATH": NO_ANSIBLE}
    status, checks = examined({**env, **inside})
    assert (status, checks["delivery"]["state"]) == (0, "hint")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in checks["delivery"]["mend"]
    assert checks["place"]["text"] == "inside github"


def test_a_jenkins_that_can_be_read(env: dict[str, str]) -> None:
    with Replay(support.recording("11")) as jenkins:
        status, checks = examined({**env, "PATH": NO_ANSIBLE}, "--jenkins-url", jenkins.url)
    assert (status, checks["jenkins"]["state"]) == (0, "ok"), checks["jenkins"]
    assert "plugins" in checks


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/", "junk"])
def test_a_jenkins_that_is_not_there_is_broken_and_soon_told(env: dict[str, str], address: str) -> None:
    status, checks = examined({**env, "PATH": NO_ANSIBLE}, "--jenkins-url", address.format(port=closed_port()))
    assert (status, checks["jenkins"]["state"]) == (1, "broken")
    assert checks["jenkins"]["mend"]


def test_half_a_login_is_broken(env: dict[str, str]) -> None:
    half = {**env, "PATH": NO_ANSIBLE, "JENKINS_URL": "http://127.0.0.1:1/", "JENKINS_USER": "reader"}
    status, checks = examined(half)
    assert (status, checks["jenkins"]["state"]) == (1, "broken")


def test_for_people_each_mend_stands_below_its_line(env: dict[str, str]) -> None:
    done = support.trace("doctor", env={**env, "PATH": NO_ANSIBLE})
    lines = done.stdout.splitlines()
    line = next(n for n, line in enumerate(lines) if line.startswith("hint    ansible: "))
    assert lines[line + 1] == "        python3 -m pip install ansible-core"


def test_a_jenkins_that_wants_a_login(env: dict[str, str]) -> None:
    outside = {**env, "PATH": NO_ANSIBLE}
    with Replay(support.recording("11"), login=("reader", "11aa22bb33cc44dd55ee66ff")) as jenkins:
        status, checks = examined({**outside, "JENKINS_URL": jenkins.url})
        assert (status, checks["jenkins"]["state"]) == (1, "broken")
        assert "JENKINS_API_TOKEN" in checks["jenkins"]["mend"]
        login = {"JENKINS_URL": jenkins.url, "JENKINS_USER": "reader", "JENKINS_API_TOKEN": "11aa22bb33cc44dd55ee66ff"}
        jenkins.reset()
        status, checks = examined({**outside, **login})
        assert (status, checks["jenkins"]["state"]) == (0, "ok")
        assert len(jenkins.requests) == 2
        status, checks = examined({**outside, **login, "JENKINS_API_TOKEN": "wrong"})
        assert (status, checks["jenkins"]["state"]) == (1, "broken")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_jenkins_with_a_private_authority_is_trusted_as_by_the_poller(
    env: dict[str, str], tmp_path: Path, variable: str
) -> None:
    certificate, context = tls.authority(tmp_path)
    jenkins = Replay(support.recording("11"))
    tls.serve(jenkins, context)
    with jenkins, redirecting(lambda path: jenkins.url + path) as front:
        outside = {**env, "PATH": NO_ANSIBLE, "JENKINS_URL": jenkins.url}
        status, checks = examined(outside)
        assert (status, checks["jenkins"]["state"]) == (1, "broken")
        trusting = {**outside, variable: str(certificate)}
        status, checks = examined(trusting)
        assert (status, checks["jenkins"]["state"]) == (0, "ok"), checks["jenkins"]
        status, checks = examined({**trusting, "JENKINS_URL": front.url})
    assert (status, checks["jenkins"]["state"]) == (0, "hint")
    assert jenkins.url in checks["jenkins"]["mend"]
    assert "plugins" in checks


def test_a_jenkins_behind_a_proxy_is_reached_as_by_the_poller(env: dict[str, str]) -> None:
    with Replay(support.recording("11")) as jenkins, Proxy({"ci.invalid": jenkins.url.removeprefix("http://")}) as proxy:
        behind = {**env, "PATH": NO_ANSIBLE, "http_proxy": proxy.url, "no_proxy": "10.0.0.0/8"}
        status, checks = examined({**behind, "JENKINS_URL": "http://ci.invalid/"})
        assert (status, checks["jenkins"]["state"]) == (0, "ok"), checks["jenkins"]
        asked = len(proxy.asked)
        status, checks = examined({**behind, "JENKINS_URL": jenkins.url, "no_proxy": "127.0.0.0/8"})
    assert (status, checks["jenkins"]["state"], len(proxy.asked)) == (0, "ok", asked)


# The source of many machines


@pytest.mark.process
def test_without_a_source_nothing_is_said_of_it(env: dict[str, str]) -> None:
    assert "source" not in examined(env)[1]


@needs_engine
@pytest.mark.process
def test_a_source_is_told_with_its_newest_span_and_what_it_lacks(env: dict[str, str], tmp_path: Path) -> None:
    span = Span("a" * 32, "b" * 16, None, "playbook", time.time_ns() - 10**9, time.time_ns())
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine)
        with_source = {**env, "PIPELINE_TRACE_SOURCE": f"clickhouse://127.0.0.1:{engine.port}/default"}
        empty = examined(with_source)[1]["source"]
        clickhouse_schema.insert(engine, [span])
        found = examined(with_source)[1]
        engine.kill()
        away = examined(with_source)[1]["source"]
    assert (empty["state"], "no span" in empty["text"]) == ("hint", True)
    assert (found["source"]["state"], "the newest span ended at" in found["source"]["text"]) == ("ok", True)
    assert (found["table of runs"]["state"], "many-machines.md" in found["table of runs"]["mend"]) == ("hint", True)
    assert (away["state"], "check host and port" in away["text"]) == ("broken", True)
