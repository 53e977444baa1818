"""What the poller's connection takes from its environment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from support import tls
from support.polling import TOKEN, USER
from support.redirects import redirecting

from pipeline_trace_demo.replay import Replay


class Proxy:
    """Somebody who notes the first line of a request, and refuses it."""

    def __init__(self) -> None:
        self.asked = ""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            self.asked = connection.recv(65536).decode().splitlines()[0]
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    found = Proxy()
    yield found
    found.close()


def test_a_proxy_of_the_environment_is_used(env: dict[str, str], proxy: Proxy) -> None:
    done = support.poll("http://jenkins.invalid/ci", env={**env, "http_proxy": proxy.url})
    assert done.returncode == 1
    assert proxy.asked.startswith("GET http://jenkins.invalid/ci/api/json?tree=jobs")


def test_a_controller_that_needs_no_proxy_is_asked_directly(env: dict[str, str], proxy: Proxy) -> None:
    with Replay(support.recording("10")) as jenkins:
        done = support.poll(jenkins.url, env={**env, "http_proxy": proxy.url, "no_proxy": "127.0.0.1"})
    assert (done.returncode, proxy.asked) == (0, "")


@pytest.mark.parametrize("no_proxy", ["127.0.0.0/8", "*", ".invalid,127.0.0.1"])
def test_networks_need_no_proxy_either(env: dict[str, str], proxy: Proxy, no_proxy: str) -> None:
    with Replay(support.recording("10")) as jenkins:
        done = support.poll(jenkins.url, env={**env, "all_proxy": proxy.url, "no_proxy": no_proxy})
    assert (done.returncode, proxy.asked) == (0, "")


def test_a_netrc_is_no_place_where_a_login_comes_from(tmp_path: Path, env: dict[str, str]) -> None:
    netrc = tmp_path / "home" / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login {USER} password {TOKEN}\n")
    netrc.chmod(0o600)
    with Replay(support.recording("10"), login=(USER, TOKEN)) as jenkins:
        done = support.poll(jenkins.url, env=env)
        assert not any(request.authorized for request in jenkins.requests)
    assert (done.returncode, "JENKINS_USER" in done.stderr) == (1, True)


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Replay, str]]:
    """A controller behind TLS that wants a login, and the file of the authority that signed its certificate."""
    certificate, context = tls.authority(tmp_path)
    jenkins = Replay(support.recording("10"), login=(USER, TOKEN))
    tls.serve(jenkins, context)
    with jenkins:
        yield jenkins, str(certificate)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_https_is_followed_with_the_login_and_told_once(
    env: dict[str, str], secured: tuple[Replay, str], status: int
) -> None:
    jenkins, certificate = secured
    login = {"JENKINS_USER": USER, "JENKINS_API_TOKEN": TOKEN, "SSL_CERT_FILE": certificate}
    with redirecting(lambda path: jenkins.url + path, status) as front:
        done = support.poll(front.url, env={**env, **login})
        assert len(front.asked) == 1
    assert done.returncode == 0, done.stderr
    assert support.by_type(support.stored(env), "run")
    assert done.stderr == (
        f"pipeline-trace: {front.url} redirects to https; use {jenkins.url} as the controller's address\n"
    )


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/", "https://localhost:{port}/", "/login?from=%2F"])
def test_no_other_redirect_is_followed(env: dict[str, str], target: str) -> None:
    with Replay(support.recording("10")) as jenkins:
        port = jenkins.url.rpartition(":")[2]
        with redirecting(lambda path: target.format(port=port)) as front:
            done = support.poll(front.url, env=env)
        assert jenkins.requests == []
    assert (done.returncode, "redirects to another page" in done.stderr) == (1, True)


def test_https_does_not_lead_back_to_http(env: dict[str, str], tmp_path: Path) -> None:
    certificate, context = tls.authority(tmp_path)
    with Replay(support.recording("10")) as jenkins, redirecting(lambda path: jenkins.url + path) as front:
        front.secure(context)
        done = support.poll(front.url, env={**env, "SSL_CERT_FILE": str(certificate)})
        assert jenkins.requests == []
    assert (done.returncode, "redirects to another page" in done.stderr) == (1, True)
