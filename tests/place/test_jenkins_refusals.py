"""A controller that lets no process of a build read: one line a build, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import support
from support import hostile
from support.asking import odd_environ

from pipeline_trace.place import locate as locating
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace_demo.replay import Replay

# What is asked of a controller is asked in a child.
pytestmark = pytest.mark.process

LOGIN = {"JENKINS_USER": "reader", "JENKINS_API_TOKEN": "11d3fe8a"}
REMEDIES = "set JENKINS_USER and JENKINS_API_TOKEN from Jenkins' credentials, or set PIPELINE_TRACE_PER=build here and for"
LOGIN_PAGE = b"<html><form action='j_spring_security_check'>"


def refusing(status: str, *lines: str, body: bytes = b"") -> hostile.Answer:
    head = "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}", *lines, "", ""])
    return lambda path: [head.encode() + body]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusing("401 Unauthorized"), "status 401"),
        (refusing("403 Forbidden", "Content-Type: text/html", body=LOGIN_PAGE), "status 403"),
        (refusing("404 Not Found"), "status 404"),
        (refusing("302 Found", "Location: /securityRealm/commenceLogin?from=%2F"), "a login page"),
        (refusing("302 Found", "Location: https://sso.example.com/?back=1"), "a login page"),
        (refusing("200 OK", "Content-Type: text/html;charset=utf-8", body=LOGIN_PAGE), "a page"),
    ],
)
def test_a_controller_that_refuses_is_said_once_a_build_with_what_to_do(
    tmp_path: Path, answer: hostile.Answer, said: str
) -> None:
    with hostile.answering(answer) as controller:
        environ = {**odd_environ(controller.url), "JENKINS_HOME": "/x"}
        first, again = (locating.locate(environ, tmp_path) for _ in range(2))
        other = locating.locate({**environ, "BUILD_URL": f"{controller.url}/job/app/8/", "BUILD_NUMBER": "8"}, tmp_path)
    (line,) = first.warnings
    assert line.startswith(f"{controller.url} does not say what started app#7 ({said}), ")
    assert REMEDIES in line
    assert again.warnings == ()
    assert len(other.warnings) == 1
    assert first.trace_id == again.trace_id == Build(controller.url, "app", 7).trace_id


def test_a_login_that_is_refused_is_to_be_corrected(tmp_path: Path) -> None:
    with hostile.answering(refusing("401 Unauthorized")) as controller:
        (line,) = locating.locate({**odd_environ(controller.url), **LOGIN}, tmp_path).warnings
    assert "; correct JENKINS_USER and JENKINS_API_TOKEN, or set PIPELINE_TRACE_PER=build" in line
    assert LOGIN["JENKINS_API_TOKEN"] not in line


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable"])
def test_a_controller_that_is_ill_is_not_one_that_refuses(tmp_path: Path, status: str) -> None:
    with hostile.answering(refusing(status, "Content-Type: text/html", body=LOGIN_PAGE)) as controller:
        assert locating.locate(odd_environ(controller.url), tmp_path).warnings == ()


@pytest.mark.parametrize(
    "more",
    [{"TRACEPARENT": f"00-{'a' * 32}-{'b' * 16}-01"}, {"PIPELINE_TRACE_KEY": "rel-1"}, {"PIPELINE_TRACE_PER": "build"}],
)
def test_who_need_not_ask_is_told_nothing(tmp_path: Path, more: dict[str, str]) -> None:
    with hostile.answering(refusing("403 Forbidden")) as controller:
        assert locating.locate({**odd_environ(controller.url), **more}, tmp_path).warnings == ()


def test_a_process_whose_place_was_kept_is_told_nothing(tmp_path: Path) -> None:
    with Replay(support.recording("50"), login=tuple(LOGIN.values())) as jenkins:
        environ = {**odd_environ(jenkins.url), "BUILD_URL": f"{jenkins.url}/job/leaf-freestyle/1/", "BUILD_NUMBER": "1"}
        root = Build(jenkins.url, "up-freestyle", 1).trace_id
        assert locating.locate({**environ, **LOGIN}, tmp_path).trace_id == root
        found = locating.locate(environ, tmp_path)
    assert (found.trace_id, found.warnings) == (root, ())


@pytest.mark.process
def test_playbooks_and_exec_of_a_build_say_it_once(tmp_path: Path) -> None:
    playbook = support.write_playbook(tmp_path, support.DEPLOY)
    with hostile.answering(refusing("403 Forbidden")) as controller:
        env = support.environ(tmp_path, **odd_environ(controller.url))
        runs = [support.run_playbook(playbook, env=env, hosts="h1,"), support.run_playbook(playbook, env=env, hosts="h1,")]
        runs.append(support.spawn("exec", "--", "true", env=env))
        next_build = {**env, "BUILD_URL": f"{controller.url}/job/app/8/", "BUILD_NUMBER": "8"}
        runs += [support.spawn("exec", "--", "true", env=next_build), support.spawn("context", env=next_build)]
    assert [(done.stdout + done.stderr).count("does not say what started") for done in runs] == [1, 0, 0, 1, 0]
    assert {done.returncode for done in runs} == {0}
