"""A proxy that logs people in: its header counts only from its own network, shows pages, and brings in no spans."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import grpc
import pytest
import requests
import support
from support.peer_bodies import OTEL_CLI
from support.serving import Server, call

from pipeline_trace.serve.guard import AccessRules, authorised, logged_in, rules
from pipeline_trace.serve.trusted import TrustedHeader, trusted_header

TOKEN = "correct-horse-battery-staple"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
NAME = "X-Forwarded-User"
USER = {NAME: "mara"}
# The proxy's address, and that of somebody else on this machine.
PROXY, OTHER = "127.0.0.2", "127.0.0.1"
TRUST = ("--trust-user-header", NAME, "--trust-from", f"{PROXY}/32")


def scope(client: Sequence[object] | None, *values: bytes, name: str = "x-forwarded-user") -> dict[str, Any]:
    return {"client": client, "headers": [(b"host", b"localhost"), *((name.encode(), value) for value in values)]}


def header(*networks: str) -> TrustedHeader:
    return trusted_header(NAME, networks)


@pytest.mark.parametrize(
    ("network", "peer", "trusted"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "11.1.2.3", False),
        ("fd00::/8", "fd00::1", True),
        ("fd00::/8", "fe80::1%eth0", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("fd00::/8", "10.1.2.3", False),
        ("10.0.0.0/8", "", False),
        ("10.0.0.0/8", "/run/serve.sock", False),
    ],
)
def test_the_peers_address_decides(network: str, peer: str, trusted: bool) -> None:
    assert header(network).names_user(scope((peer, 4711), b"mara")) is trusted


@pytest.mark.parametrize("client", [None, (), ("", 0)])
def test_without_an_address_nobody_is_a_proxy(client: Sequence[object] | None) -> None:
    assert not header("10.0.0.0/8", "fd00::/8").names_user(scope(client, b"mara"))


def test_each_of_several_networks_counts() -> None:
    both = header("10.0.0.0/8", "fd00::/8")
    assert [peer for peer in ("10.0.0.1", "fd00::1", "192.0.2.1") if both.names_user(scope((peer, 1), b"mara"))] == [
        "10.0.0.1",
        "fd00::1",
    ]


@pytest.mark.parametrize("name", ["x-forwarded-for", "x_forwarded_user", "x-forwarded-user2"])
def test_no_other_header_names_anybody(name: str) -> None:
    assert not header("10.0.0.0/8").names_user(scope(("10.0.0.1", 1), b"mara", name=name))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([b"mara", b"root"], "2 times"),
        ([b"mara", b"mara"], "2 times"),
        ([b""], "empty"),
        ([b" \t"], "empty"),
        ([b"ma\tra"], "control characters"),
        ([b"mara\x00"], "control characters"),
        ([b"\x1b[31m"], "control characters"),
        ([b"mara\x7f"], "control characters"),
    ],
)
def test_a_header_that_is_not_one_plain_name_is_a_problem_of_the_proxys(values: list[bytes], said: str) -> None:
    found = header("10.0.0.0/8")
    assert said in found.problem(scope(("10.0.0.1", 1), *values))
    assert not found.names_user(scope(("10.0.0.1", 1), *values))
    # From elsewhere it is as if it were not there.
    assert found.problem(scope(("192.0.2.1", 1), *values)) == ""


def test_names_of_all_languages_are_plain() -> None:
    for name in ("Àlex", "mara@example.org", "山田", "O'Neil, Mara"):
        assert header("10.0.0.0/8").names_user(scope(("10.0.0.1", 1), name.encode()))


@pytest.mark.parametrize("name", ["", "X Forwarded User", "X-User:", "Xüser", "X-User\n"])
def test_a_name_that_no_header_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an HTTP header"):
        trusted_header(name, ["10.0.0.0/8"])


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("", "is not a network"),
        ("proxy.example.org", "is not a network"),
        ("10.0.0.0/33", "is not a network"),
        ("10.1.2.3/8", "is not a network"),
        ("0.0.0.0/0", "every address"),
        ("::/0", "every address"),
        ("::ffff:0:0/96", "every address"),
    ],
)
def test_a_network_that_is_none_or_all_is_refused(network: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        trusted_header(NAME, ["10.0.0.0/8", network])


def test_without_a_token_no_login_can_be_made_up() -> None:
    found = rules("0.0.0.0", "", [], header("10.0.0.0/8"))
    for given in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer"}, {"authorization": "Bearer x"}):
        assert not authorised(found, given)
    # Anybody can compute this one.
    assert not logged_in(found, {"cookie": f"pipeline_trace={AccessRules('', frozenset(), True).cookie}"})


# Real servers


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One without a token, behind a proxy."""
    with Server(support.environ(tmp_path_factory.mktemp("behind")), *TRUST, "--allow-host", "traces.example.org") as running:
        yield running


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with a token too."""
    env = support.environ(tmp_path_factory.mktemp("both"), PIPELINE_TRACE_SERVE_TOKEN=TOKEN)
    with Server(env, *TRUST) as running:
        yield running


def ask(
    server: Server,
    peer: str,
    path: str = "/",
    *more: tuple[str, str],
    method: str = "GET",
    body: bytes = b"",
    **headers: str,
) -> tuple[int, str, str]:
    """Return status, Location and text of the answer to a request from an address of this machine."""
    with closing(HTTPConnection("127.0.0.1", server.port, 20, source_address=(peer, 0))) as connection:
        connection.putrequest(method, path)
        for name, value in (*headers.items(), *more):
            connection.putheader(name.replace("_", "-"), value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or "", answer.read().decode()


@pytest.mark.process
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_proxys_login_opens_the_pages(behind: Server, both: Server, method: str) -> None:
    for server in (behind, both):
        assert ask(server, PROXY, "/", *USER.items(), method=method)[0] == 200
        # As HTTP has it, case does not matter.
        assert ask(server, PROXY, "/", (NAME.upper(), "mara"), method=method)[0] == 200
        assert ask(server, PROXY, "/trace/latest", *USER.items(), method=method)[0] == 404


@pytest.mark.process
def test_the_same_header_from_elsewhere_counts_for_nothing(behind: Server, both: Server) -> None:
    for headers in ([], [*USER.items()], [*USER.items(), ("X-Forwarded-For", PROXY)], [(NAME, ""), (NAME, "x")]):
        status, _, said = ask(behind, OTHER, "/", *headers)
        assert (status, said.count("\n")) == (403, 1)
        assert "address of the proxy" in said
        assert ask(both, OTHER, "/", *headers)[0] == 401
        assert ask(both, OTHER, "/", *headers, Accept="text/html")[:2] == (303, "/login?next=%2F")
        assert ask(both, OTHER, "/", *headers, Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.process
def test_a_proxy_that_names_nobody_shows_nothing(behind: Server, both: Server) -> None:
    assert ask(behind, PROXY)[0] == 403
    assert ask(behind, PROXY, "/login", Accept="text/html")[0] == 403
    assert ask(both, PROXY)[0] == 401
    assert ask(both, PROXY, "/login")[0] == 200


@pytest.mark.process
@pytest.mark.parametrize("values", [["mara", "mara"], [""], ["\x1b[31m"]])
@pytest.mark.parametrize("path", ["/", "/login"])
def test_a_header_that_is_not_one_plain_name_is_refused_also_beside_a_token(
    both: Server, values: list[str], path: str
) -> None:
    headers = [(NAME, value) for value in values]
    status, _, said = ask(both, PROXY, path, *headers, Authorization=f"Bearer {TOKEN}")
    assert (status, said.count("\n")) == (400, 1)
    assert "let the proxy" in said


@pytest.mark.process
def test_who_is_logged_in_does_not_see_the_login_page(behind: Server, both: Server) -> None:
    for server in (behind, both):
        assert ask(server, PROXY, "/login?next=/trace/latest", *USER.items())[:2] == (303, "/trace/latest")
        assert ask(server, PROXY, "/login?next=//evil.example", *USER.items())[:2] == (303, "/")


@pytest.mark.process
def test_the_proxys_login_brings_in_no_spans(behind: Server, both: Server) -> None:
    kind = [*PROTOBUF.items()]
    for headers in (kind, [*kind, *USER.items()]):
        status, _, said = ask(behind, PROXY, "/v1/traces", *headers, method="POST", body=OTEL_CLI)
        assert status == 401
        assert "spans are taken with a token only; start pipeline-trace serve with PIPELINE_TRACE_SERVE_TOKEN" in said
        assert ask(both, PROXY, "/v1/traces", *headers, method="POST", body=OTEL_CLI)[0] == 401
    with pytest.raises(grpc.RpcError) as caught:
        call(behind, OTEL_CLI, **{NAME.lower(): "mara"})
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "spans are taken with a token only" in caught.value.details()
    for server in (behind, both):
        assert not support.stored({"PIPELINE_TRACE_HOME": str(server.store.parent)})


@pytest.mark.process
def test_the_token_brings_in_spans_beside_a_proxy(env: dict[str, str]) -> None:
    with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": TOKEN}, *TRUST) as server:
        headers = {**PROTOBUF, "Authorization": f"Bearer {TOKEN}"}
        assert requests.post(server.traces, OTEL_CLI, headers=headers, timeout=20).status_code == 200
        # Through the proxy too, whatever it says of the sender.
        more = [*headers.items(), (NAME, "")]
        assert ask(server, PROXY, "/v1/traces", *more, method="POST", body=OTEL_CLI)[0] == 200
    assert support.stored(env)


@pytest.mark.process
def test_names_and_origins_are_checked_behind_a_proxy_too(behind: Server) -> None:
    for headers, status in (
        ({"Host": "traces.example.org"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "traces.example.org", "Origin": "http://evil.example"}, 403),
    ):
        with closing(socket.create_connection(("127.0.0.1", behind.port), 20, source_address=(PROXY, 0))) as connection:
            lines = [f"{name}: {value}" for name, value in {**headers, **USER, "Connection": "close"}.items()]
            connection.sendall(("\r\n".join(["GET / HTTP/1.1", *lines]) + "\r\n\r\n").encode())
            assert connection.makefile("rb").readline().split()[1] == str(status).encode()


@pytest.mark.process
def test_another_address_with_a_proxys_header_needs_no_token(env: dict[str, str]) -> None:
    server = Server(env, "--host", "0.0.0.0", *TRUST)
    assert ask(server, PROXY, "/", *USER.items())[0] == 200
    assert ask(server, OTHER, "/", *USER.items())[0] == 403
    status, said = server.end()
    assert (status, said.count("\n")) == (0, 1)
    assert "other machines can connect to 0.0.0.0, without encryption" in said
    assert "let only the proxy connect" in said


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--trust-user-header", NAME), "--trust-user-header and --trust-from go together"),
        (("--trust-from", "10.0.0.0/8"), "--trust-user-header and --trust-from go together"),
        (("--trust-user-header", "", "--trust-from", "10.0.0.0/8"), "'' is not the name of an HTTP header"),
        (("--trust-user-header", "X User", "--trust-from", "10.0.0.0/8"), "'X User' is not the name of an HTTP header"),
        (("--trust-user-header", NAME, "--trust-from", "proxy"), "'proxy' is not a network"),
        (("--trust-user-header", NAME, "--trust-from", "10.0.0.0/8", "--trust-from", "::/0"), "::/0 is every address"),
    ],
)
def test_wrong_options_are_one_usage_error(env: dict[str, str], arguments: tuple[str, ...], said: str) -> None:
    done = support.spawn("serve", "--port", "0", "--grpc-port", "0", "--host", "0.0.0.0", *arguments, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
