"""The receiver over HTTP: a real server, real exporters and literal requests; what is accepted is stored, whatever comes."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import socket
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests
import support
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from support import processes
from support.peer_bodies import OTEL_CLI, OTEL_CLI_ZERO, SPAN, TRACE, TRACEPUSHER
from support.report_samples import sample
from support.serving import Server

from pipeline_trace.delivery.destinations.otlp import _span_maker
from pipeline_trace.serve.bodies import JSON, PROTOBUF
from pipeline_trace.trace.span import Span

pytestmark = pytest.mark.process

MIB = 1 << 20
LIMITS = {"body_bytes": MIB, "head_seconds": 0.5, "body_seconds": 1.0, "answer_seconds": 1.0}


@pytest.fixture(scope="module")
def module_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return support.environ(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def server(module_env: dict[str, str]) -> Iterator[Server]:
    """One for the tests that only send it something."""
    with Server(module_env, limits=LIMITS) as running:
        yield running


def post(server: Server, body: bytes, kind: str = PROTOBUF, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(server.traces, data=body, headers={"Content-Type": kind, **named}, timeout=20)


def encoded(*spans: Span) -> bytes:
    body: bytes = encode_spans(_span_maker()(spans)).SerializeToString()
    return body


def batch(trace: int, count: int = 20) -> list[Span]:
    return [Span(f"{trace:032x}", f"{n + 1:016x}", None, f"span {n}", 1000, 2000) for n in range(count)]


def stored_ids(env: dict[str, str]) -> set[tuple[str, str]]:
    return {(span["trace_id"], span["span_id"]) for span in support.stored(env)}


def raw(server: Server, data: bytes, seconds: float = 10.0) -> bytes:
    """Send bytes; return what comes back until the server closes the connection."""
    with closing(socket.create_connection(("127.0.0.1", server.port), seconds)) as connection:
        connection.sendall(data)
        received = b""
        # What the server did not read before it closed makes a reset of the end.
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
        return received


def head(length: int, **headers: str) -> bytes:
    lines = ["POST /v1/traces HTTP/1.1", "Host: localhost", f"Content-Type: {PROTOBUF}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


def test_otel_cli_and_tracepusher_are_stored(env: dict[str, str]) -> None:
    with Server(env) as server:
        first = post(server, OTEL_CLI, User_Agent="Go-http-client/1.1", Accept_Encoding="gzip")
        assert (first.status_code, first.content, first.headers["Content-Type"]) == (200, b"", PROTOBUF)
        second = post(server, TRACEPUSHER.replace(SPAN.encode(), b"c" * 16), JSON)
        assert (second.status_code, second.json()) == (200, {})
        assert second.headers["Content-Type"] == JSON
    assert stored_ids(env) == {(TRACE, SPAN), (TRACE, "c" * 16)}
    shown = support.trace("show", TRACE, env=env).stdout
    assert "make test" in shown
    assert "link check" in shown


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_the_real_exporter(env: dict[str, str], compression: str) -> None:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    with Server(env) as server:
        exporter = OTLPSpanExporter(endpoint=server.traces, compression=Compression(compression))
        assert exporter.export(_span_maker()(sample())) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert len(support.stored(env)) == len(sample())


def test_a_playbook_with_the_standard_variable_ends_up_here_as_without(
    env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = support.environ(tmp_path_factory.mktemp("agent"))
    playbook = support.write_playbook(tmp_path_factory.mktemp("playbook"), support.DEPLOY)
    with Server(env) as server:
        done = support.run_playbook(playbook, env={**elsewhere, "OTEL_EXPORTER_OTLP_ENDPOINT": server.url})
        assert done.returncode == 0, done.stderr
    spans = support.stored(env)
    assert support.named(spans, "playbook site.yml")["attributes"].get("otel.scope.name") is None
    assert len(support.by_type(spans, "host")) == 6
    assert not support.stored(elsewhere)


def test_a_part_that_is_no_span_is_rejected_and_the_rest_stored(server: Server, module_env: dict[str, str]) -> None:
    good = encoded(*batch(0x1001, 3))
    answer = post(server, good + OTEL_CLI_ZERO)
    assert answer.status_code == 200
    said = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert said.rejected_spans == 1
    assert "trace id" in said.error_message
    in_json = post(server, json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "x"}]}]}]}).encode(), JSON)
    assert in_json.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert sum(trace == f"{0x1001:032x}" for trace, _ in stored_ids(module_env)) == 3


def test_spans_in_a_circle_or_thousands_deep_are_stored_and_shown(server: Server, module_env: dict[str, str]) -> None:
    def one(trace: int, number: int, parent: int | None) -> Span:
        return Span(f"{trace:032x}", f"{number:016x}", parent and f"{parent:016x}", f"span {number}", 1000, 2000)

    traces = {
        0x2001: [one(0x2001, 1, 1)],
        0x2002: [one(0x2002, 1, 2), one(0x2002, 2, 1)],
        0x2003: [one(0x2003, 1, None), one(0x2003, 2, 3), one(0x2003, 3, 2), one(0x2003, 4, 2)],
        0x2004: [one(0x2004, number, number - 1 or None) for number in range(1, 3001)],
    }
    # A page also says who should look first at what failed.
    for span in traces[0x2002]:
        span.fail("broke")
    for trace, spans in traces.items():
        assert post(server, encoded(*spans)).content == b""
        shown = requests.get(f"{server.url}/trace/{trace:032x}", timeout=60)
        assert shown.status_code == 200
        assert all(span.name in shown.text for span in spans)
        printed = support.trace("show", f"{trace:032x}", env=module_env)
        assert (printed.returncode, printed.stderr) == (0, "")
        assert all(span.name in printed.stdout for span in spans)


def test_a_second_delivery_changes_nothing_and_another_trace_with_the_same_span_id_is_kept(env: dict[str, str]) -> None:
    first, again, other = batch(1, 1)[0], batch(1, 1)[0], batch(2, 1)[0]
    again.name = other.name = "another"
    with Server(env) as server:
        for span in (first, again, other):
            assert post(server, encoded(span)).status_code == 200
    names = {(span["trace_id"][-1], span["name"]) for span in support.stored(env)}
    assert names == {("1", "span 0"), ("2", "another")}


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        (b"\x0a\xff", PROTOBUF, {}, 400),
        (b"{", JSON, {}, 400),
        (OTEL_CLI, JSON, {}, 400),
        (OTEL_CLI, PROTOBUF, {"Content_Encoding": "gzip"}, 400),
        (OTEL_CLI, "text/plain", {}, 415),
        (OTEL_CLI, "application/x-www-form-urlencoded", {}, 415),
        (OTEL_CLI, "", {}, 415),
        (OTEL_CLI, PROTOBUF, {"Content_Encoding": "br"}, 415),
        (bytes(MIB + 1), PROTOBUF, {}, 413),
        (bytes(3 * MIB), JSON, {}, 413),
        (gzip.compress(bytes(20 * MIB)), PROTOBUF, {"Content_Encoding": "gzip"}, 413),
    ],
)
def test_bad_requests(server: Server, body: bytes, kind: str, headers: dict[str, str], status: int) -> None:
    answer = post(server, body, kind, **headers)
    assert answer.status_code == status
    # An error is in the form of the request, as OTLP asks; where that is unknown, in one that people can read.
    if kind == PROTOBUF:
        assert answer.headers["Content-Type"] == PROTOBUF
        assert Status.FromString(answer.content).message
    else:
        assert answer.json()["message"]


def test_the_content_type_may_have_parameters_and_capitals(server: Server) -> None:
    assert post(server, TRACEPUSHER, "Application/JSON; charset=utf-8").status_code == 200
    assert post(server, OTEL_CLI, "application/x-protobuf; q=1").status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "X-Gzip", "deflate", "identity", "Identity", "none", ""])
def test_the_names_of_encodings(server: Server, encoding: str) -> None:
    body = OTEL_CLI if encoding.lower() in ("identity", "none", "") else gzip.compress(OTEL_CLI)
    body = zlib.compress(OTEL_CLI) if encoding == "deflate" else body
    assert post(server, body, Content_Encoding=encoding).status_code == 200


def test_the_path_may_end_with_a_slash(server: Server, module_env: dict[str, str]) -> None:
    kind = {"Content-Type": PROTOBUF}
    assert requests.post(f"{server.traces}/", encoded(*batch(0x1006, 3)), headers=kind, timeout=20).status_code == 200
    assert sum(trace == f"{0x1006:032x}" for trace, _ in stored_ids(module_env)) == 3


@pytest.mark.parametrize("path", ["/v1/traces/v1/traces", "/v1/traces/v1/traces/", "/v1/v1/traces", "/otlp/v1/traces", "/"])
def test_spans_at_another_path_are_told_which_variables_to_set(server: Server, path: str) -> None:
    answer = requests.post(server.url + path, OTEL_CLI, headers={"Content-Type": PROTOBUF}, timeout=20)
    assert answer.status_code == (405 if path == "/" else 404)
    assert f"set OTEL_EXPORTER_OTLP_ENDPOINT={server.url} (without /v1/traces)" in answer.text
    assert f"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={server.url}/v1/traces" in answer.text
    assert len(answer.text.splitlines()) == 1


def test_our_own_sender_passes_this_on(server: Server, tmp_path: Path) -> None:
    env = support.environ(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"{server.url}/v1/traces")
    done = support.spawn("exec", "--", "true", env=env)
    assert done.returncode == 0
    sent = support.trace("ship", env=env)
    assert sent.returncode == 1
    assert f"set OTEL_EXPORTER_OTLP_ENDPOINT={server.url} (without /v1/traces)" in sent.stderr
    assert len(sent.stderr.splitlines()) == 1
    # The receiver's own advice is enough.
    assert sent.stderr.count("OTEL_EXPORTER_OTLP_ENDPOINT") == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/traces", 405),
        ("PUT", "/v1/traces", 405),
        ("POST", "/", 405),
        ("POST", "/v1/metrics", 404),
        ("GET", "/v1/logs", 405),
        ("POST", "/v1/traces/v1/logs", 404),
        ("POST", "/v1/traces/v1/metrics", 404),
        ("GET", "/nothing", 404),
        ("GET", "/trace/0af7", 404),
    ],
)
def test_other_methods_and_places(server: Server, method: str, path: str, status: int) -> None:
    answer = requests.request(method, server.url + path, timeout=20)
    assert answer.status_code == status
    if status == 405:
        assert "Allow" in answer.headers
    if path.endswith("/v1/metrics"):
        assert "only traces and open spans; set OTEL_METRICS_EXPORTER=none" in answer.text
    if path == "/v1/traces/v1/logs":
        assert "(without /v1/traces)" in answer.text


def test_a_chunked_body_is_read(server: Server, module_env: dict[str, str]) -> None:
    body = encoded(*batch(0x1002, 5))
    kind = {"Content-Type": PROTOBUF}
    answer = requests.post(server.traces, data=iter([body[:9], body[9:]]), headers=kind, timeout=20)
    assert answer.status_code == 200
    assert sum(trace == f"{0x1002:032x}" for trace, _ in stored_ids(module_env)) == 5
    endless = requests.post(server.traces, data=iter([bytes(MIB // 2)] * 4), headers=kind, timeout=20)
    assert endless.status_code == 413


@pytest.mark.parametrize("sent", [b"", b"POST /v1/tr", b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_a_client_that_does_not_finish_its_head_is_hung_up_on(server: Server, sent: bytes) -> None:
    begun = time.monotonic()
    assert raw(server, sent) == b""
    # It had its time.
    assert time.monotonic() - begun > 0.4


def trickle(connection: socket.socket) -> None:
    """Send a letter after another, each in time, until the other side has gone."""
    for _ in range(300):
        connection.sendall(b"X")
        time.sleep(0.1)


def test_one_that_trickles_its_head_is_too(server: Server) -> None:
    connection = socket.create_connection(("127.0.0.1", server.port), 5)
    with closing(connection), pytest.raises((ConnectionResetError, BrokenPipeError)):
        trickle(connection)


def test_a_body_that_does_not_come_is_a_time_out_and_nothing_of_it_is_stored(server: Server) -> None:
    answer = raw(server, head(len(OTEL_CLI)) + OTEL_CLI[:50])
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()


def test_a_large_body_that_is_refused_unread_still_gets_its_answer(server: Server) -> None:
    with requests.Session() as session:
        for _ in range(3):
            answer = session.post(server.traces, bytes(8 * MIB), headers={"Content-Type": "text/plain"}, timeout=20)
            assert answer.status_code == 415


def test_what_is_left_of_a_refused_body_may_not_trickle(server: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), 5)) as connection:
        connection.sendall(head(10_000).replace(PROTOBUF.encode(), b"text/plain") + b"x")
        assert connection.recv(1000).startswith(b"HTTP/1.1 415 ")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            trickle(connection)


def test_a_client_that_reads_nothing_of_its_answer_is_hung_up_on(server: Server) -> None:
    large = batch(0x1005, 20)
    for number, span in enumerate(large):
        span.attributes["text"] = chr(97 + number) * (MIB // 2)
        assert post(server, gzip.compress(encoded(span)), Content_Encoding="gzip").status_code == 200
    whole = len(requests.get(f"{server.url}/trace/{0x1005:032x}", timeout=20).content)
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(f"GET /trace/{0x1005:032x} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(3)
        received = 0
        with suppress(ConnectionResetError):
            while chunk := connection.recv(1 << 20):
                received += len(chunk)
    assert received < whole


def test_a_login_that_does_not_come_is_a_time_out(server: Server) -> None:
    lines = ("POST /login HTTP/1.1", "Host: localhost", "Content-Length: 100", "", "token=")
    assert raw(server, "\r\n".join(lines).encode()).startswith(b"HTTP/1.1 408 ")
    large = requests.post(f"{server.url}/login", bytes(20_000), timeout=20)
    assert large.status_code == 413


def test_a_body_that_breaks_off_is_not_stored(server: Server, module_env: dict[str, str]) -> None:
    body = encoded(*batch(0x1003, 5))
    for start in (head(len(body)), head(len(body)).replace(b"/v1/traces", b"/login")):
        with closing(socket.create_connection(("127.0.0.1", server.port), 5)) as connection:
            connection.sendall(start + body[:-10])
    assert post(server, encoded(*batch(0x1004, 1))).status_code == 200
    assert not any(trace == f"{0x1003:032x}" for trace, _ in stored_ids(module_env))


def test_a_head_that_is_too_long_or_no_http_is_refused(server: Server) -> None:
    assert raw(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000).startswith(b"HTTP/1.1 400 ")
    assert raw(server, b"\x16\x03\x01 no HTTP\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_connection_carries_many_requests(server: Server) -> None:
    with requests.Session() as session:
        for number in range(20):
            kind = {"Content-Type": PROTOBUF}
            assert session.post(server.traces, data=encoded(*batch(number + 1)), headers=kind, timeout=20).status_code == 200


def test_slow_clients_do_not_hold_up_others(env: dict[str, str]) -> None:
    with Server(env) as server:
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
        for number, connection in enumerate(slow):
            connection.sendall(head(10_000)[: 30 if number % 2 else None])
        assert post(server, encoded(*batch(1))).status_code == 200
        for connection in slow:
            connection.close()


def test_100_clients_at_once_lose_nothing(env: dict[str, str]) -> None:
    barrier = threading.Barrier(100)

    def send(client: int) -> list[int]:
        barrier.wait()
        kind = {"Content-Type": PROTOBUF}
        with requests.Session() as session:
            return [
                session.post(server.traces, data=encoded(*batch(client * 10 + n)), headers=kind, timeout=60).status_code
                for n in range(1, 4)
            ]

    with Server(env) as server, ThreadPoolExecutor(100) as pool:
        statuses = list(pool.map(send, range(100)))
    assert {status for some in statuses for status in some} == {200}
    assert len(stored_ids(env)) == 100 * 3 * 20


def test_what_was_accepted_is_there_after_a_kill(env: dict[str, str]) -> None:
    accepted: list[int] = []
    lock = threading.Lock()

    def send(client: int) -> None:
        for number in range(1, 1000):
            trace = client * 1000 + number
            try:
                answer = requests.post(
                    server.traces, data=encoded(*batch(trace)), headers={"Content-Type": PROTOBUF}, timeout=20
                )
            except requests.RequestException:
                return
            if answer.status_code == 200:
                with lock:
                    accepted.append(trace)

    server = Server(env)
    threads = [threading.Thread(target=send, args=(client,)) for client in range(8)]
    for thread in threads:
        thread.start()
    while len(accepted) < 60:
        time.sleep(0.01)
    os.kill(server.process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    server.process.communicate()
    stored = stored_ids(env)
    missing = [trace for trace in accepted if not {(s.trace_id, s.span_id) for s in batch(trace)} <= stored]
    assert missing == []
    with Server(env) as again:
        assert post(again, encoded(*batch(7))).status_code == 200


def test_term_lets_a_request_finish(env: dict[str, str]) -> None:
    body = encoded(*batch(5))
    with Server(env) as server, closing(socket.create_connection(("127.0.0.1", server.port), 10)) as connection:
        connection.sendall(head(len(body)) + body[:-10])
        time.sleep(0.3)
        server.process.terminate()
        time.sleep(0.3)
        connection.sendall(body[-10:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.process.wait(20) == 0
    assert len(stored_ids(env)) == 20


def test_more_than_can_be_in_hand_is_asked_to_come_later(env: dict[str, str]) -> None:
    with Server(env, limits={"waiting_bytes": 1000, "body_seconds": 5}) as server:
        body = encoded(*batch(1))
        with closing(socket.create_connection(("127.0.0.1", server.port), 10)) as holder:
            holder.sendall(head(900) + bytes(800))
            time.sleep(0.3)
            answer = post(server, body)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        time.sleep(0.3)
        # Alone it is taken, however large.
        assert len(body) > 1000
        assert post(server, body).status_code == 200


def test_more_connections_than_there_may_be_are_asked_to_come_later(env: dict[str, str]) -> None:
    with Server(env, limits={"connections": 5}) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(6)]
        assert post(server, OTEL_CLI).status_code == 503
        for connection in idle:
            connection.close()
        time.sleep(0.2)
        assert post(server, OTEL_CLI).status_code == 200


def test_what_is_beyond_the_limits_goes_while_it_serves(env: dict[str, str]) -> None:
    with Server(env) as server:
        for number in (1, 2, 3):
            assert post(server, encoded(*batch(number))).status_code == 200
        requests.get(f"{server.url}/traces", timeout=20)
    with sqlite3.connect(server.store) as database:
        database.execute("UPDATE traces SET arrived_s = arrived_s - 86400 WHERE trace_id = ?", (f"{2:032x}",))
    with Server(env, "--keep", "12h"):
        processes.wait_for(lambda: len(stored_ids(env)) == 40, "removal of the old trace")
    assert {trace[-1] for trace, _ in stored_ids(env)} == {"1", "3"}
    with Server(env, "--keep-size", "0.001M"):
        processes.wait_for(lambda: len(stored_ids(env)) == 20, "removal of all but the newest")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--keep", "30"), ("--keep", "-1d"), ("--keep-size", "2T"), ("--port", "70000"), ("--cost", "linux=1/day")],
)
def test_wrong_usage_is_said(env: dict[str, str], option: str, value: str) -> None:
    done = support.spawn("serve", option, value, env=env)
    assert done.returncode == 2
    assert value in done.stderr


def test_a_full_disk_is_a_503_until_there_is_room_again(env: dict[str, str]) -> None:
    with Server(env) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (250_000, resource.RLIM_INFINITY))
        statuses = [post(server, encoded(*batch(number, 100))).status_code for number in range(1, 10)]
        assert set(statuses) == {200, 503}
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert post(server, encoded(*batch(10, 100))).status_code == 200
        status, said = server.end()
    # The first update of the list may fall into the time without room.
    assert (status, [line for line in said.splitlines() if "cannot update the list" not in line]) == (0, [])
    accepted = {f"{number:032x}" for number, status in enumerate([*statuses, 200], 1) if status == 200}
    assert {trace for trace, _ in stored_ids(env)} == accepted


def test_a_store_that_is_busy_or_broken_is_a_503_and_never_a_200(env: dict[str, str]) -> None:
    with Server(env) as server:
        assert post(server, encoded(*batch(1))).status_code == 200
        with closing(sqlite3.connect(server.store, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = post(server, encoded(*batch(2)))
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert "locked" in Status.FromString(answer.content).message
            other.execute("ROLLBACK")
        assert post(server, encoded(*batch(3))).status_code == 200
    assert {trace for trace, _ in stored_ids(env)} == {f"{1:032x}", f"{3:032x}"}
