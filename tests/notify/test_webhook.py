"""One request to a webhook: over TLS, by a proxy, and what is said of an error, which never has the address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support import tls
from support.hooks import SECRET, Hook, Reply
from support.otlp_receiver import free_port
from support.proxy import Proxy

from pipeline_trace.notify.settings import Webhook
from pipeline_trace.notify.webhook import Answer, send

SOURCE = "PIPELINE_TRACE_NOTIFY"


def sent(url: str, environ: dict[str, str] | None = None) -> Answer:
    """Send a message; check that what is said of it has no part of the address but the host."""
    answer = send(Webhook(url, SOURCE), {"text": "hello"}, environ or {}, seconds=5)
    assert "x9Y8z7W6v5U4t3S2" not in answer.problem
    assert "T0123456" not in answer.problem
    assert len(answer.problem.splitlines()) <= 1
    return answer


@pytest.fixture
def no_http() -> Iterator[str]:
    """A port on which somebody answers each byte with another language than HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(f"220 mail {SECRET}\r\n".encode())

        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/services/{SECRET}"
        server.shutdown(socket.SHUT_RDWR)


def test_an_authority_of_a_company_is_trusted_if_a_variable_names_it(tmp_path: Path) -> None:
    certificate, context = tls.authority(tmp_path)
    hook = Hook()
    tls.serve(hook, context)
    with hook:
        assert "certificate" in sent(hook.url).problem
        assert sent(hook.url, {"REQUESTS_CA_BUNDLE": str(certificate)}) == Answer()
        assert sent(hook.url, {"REQUESTS_CA_BUNDLE": "/nowhere"}).problem
        assert hook.sent == [{"text": "hello"}]


def test_a_proxy_is_used_and_a_dead_one_is_said() -> None:
    with Hook() as hook, Proxy({"hooks.example.com": urlsplit(hook.url).netloc}) as proxy:
        url = f"http://hooks.example.com/services/{SECRET}"
        assert sent(url, {"http_proxy": proxy.url}) == Answer()
        assert sent(url, {"http_proxy": f"http://127.0.0.1:{free_port()}"}).problem == "Connection refused"


@pytest.mark.parametrize(
    "url",
    [
        f"http://hooks.invalid/services/{SECRET}",
        f"https://x9Y8z7W6v5U4t3S2.invalid/{SECRET}",
        f"http://{'a' * 70}.example/{SECRET}",
    ],
)
def test_a_host_that_does_not_exist_is_a_problem_without_the_address(url: str) -> None:
    answer = send(Webhook(url, SOURCE), {}, {}, seconds=5)
    assert answer.problem
    assert SECRET not in answer.problem


def test_an_answer_in_another_language_is_a_problem_without_the_address(no_http: str) -> None:
    assert sent(no_http).problem


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (Reply(204), Answer()),
        (Reply(400), Answer("it answered 400", unfit=True)),
        (Reply(410), Answer("it answered 410")),
        (Reply(429, {"Retry-After": "30"}), Answer("it answered 429", 30.0)),
        (Reply(429, {"Retry-After": "soon"}), Answer("it answered 429")),
        (Reply(307, {"Location": "/elsewhere"}), Answer("it answered 307")),
    ],
)
def test_only_a_2xx_is_an_arrival(reply: Reply, answer: Answer) -> None:
    with Hook(reply) as hook:
        assert sent(hook.url) == answer
        assert len(hook.asked) == 1
