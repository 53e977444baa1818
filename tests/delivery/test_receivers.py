"""Delivery to real receivers: only OTLP's answer is a delivery, no journal blocks others, nothing is too large."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import support
from support.otlp_receiver import Fault, Protocol, Receiver, free_port
from support.proxy import Proxy

from pipeline_trace.commands import doctor_checks
from pipeline_trace.delivery import progress, ship, sizes
from pipeline_trace.delivery.destinations import Accepted, DeliveryError, SetupError
from pipeline_trace.delivery.destinations.otlp import Otlp
from pipeline_trace.delivery.journal import Writer, find_journals
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Event, Span

Env = dict[str, str]
PROTOCOLS: tuple[Protocol, ...] = ("http", "grpc")
NOW = 1_800_000_000_000_000_000


@pytest.fixture
def folder(env: Env) -> Path:
    """The folder of journals of ``env``."""
    made = Path(env["PIPELINE_TRACE_HOME"]) / "journals"
    made.mkdir(parents=True)
    return made


def span(number: int, name: str = "", trace: int = 1, **more: Any) -> Span:
    return Span(f"{trace:032x}", f"{number:016x}", None, name or f"span {number}", NOW, NOW + 1, **more)


def write(folder: Path, *spans: Span) -> Path:
    writer = Writer(folder)
    for one in spans:
        writer.span(one)
    writer.end()
    return writer.path


def exporter(env: Env, monkeypatch: pytest.MonkeyPatch) -> Otlp:
    """Return the destination of an environment; the exporters read the process's own."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return Otlp(dict(env))


# What answered


def test_a_login_page_that_answers_200_costs_no_span_and_after_three_of_them_the_journal_is_set_aside(
    env: Env, folder: Path
) -> None:
    path = write(folder, span(1), span(2))
    with Receiver(fault=Fault("answer", status=200)) as receiver:
        env |= receiver.environ("http")
        for _ in range(2):
            done = support.trace("ship", env=env)
            assert (done.returncode, done.stdout) == (1, f"0 spans delivered to {receiver.http_url}\n")
            (line,) = done.stderr.splitlines()
            assert 'answered 200 with text/html ("<!doctype html><title>Sign in' in line
            assert "set OTEL_EXPORTER_OTLP_ENDPOINT to the receiver itself" in line
            assert f"2 spans wait in {folder}" in line
        (line,) = support.trace("ship", env=env).stderr.splitlines()
        assert f"1 journals are set aside in {folder}/aside" in line
        assert find_journals(folder) == []
        # Nobody sends it again by themselves.
        asked = len(receiver.asked)
        again = support.trace("ship", env=env)
        assert (again.returncode, len(receiver.asked), asked) == (1, asked, 3)
        assert "set aside" in again.stderr
        (aside,) = (check for check in doctor_checks.machine(env) if check.name == "aside")
        assert (aside.state, folder.joinpath("aside", path.name).exists()) == ("hint", True)
        # As it says.
        receiver.fault = None
        command = aside.mend.partition("run: ")[2].removesuffix(" && pipeline-trace ship")
        assert command.startswith("mv ")
        for one in (folder / "aside").iterdir():
            one.rename(folder / one.name)
        done = support.trace("ship", env=env)
        assert (done.returncode, done.stdout) == (0, f"2 spans delivered to {receiver.http_url}\n")
        assert len(receiver.spans()) == 2


def test_other_answers_in_between_start_the_count_anew(env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(folder, span(1))
    with Receiver() as receiver:
        destination = exporter(env | receiver.environ("http"), monkeypatch)
        for status in (200, 200, 503, 200, 200):
            kind: Any = "answer" if status == 200 else "status"
            receiver.fault = Fault(kind, status=status)
            ship.ship_one(path, destination)
        destination.close()
    assert (path.exists(), progress.load_progress(path).foreign) == (True, 2)


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        (Fault("answer", status=202, body=b"", content_type=""), True),
        (Fault("answer", status=204, body=b"", content_type=""), True),
        (Fault("answer", status=200, body=b"{}", content_type="application/json"), True),
        (Fault("answer", status=200, body=b"\x00" * 300_000, content_type=""), False),
        (Fault("redirect"), False),
    ],
    ids=["202", "204", "json", "endless", "redirect"],
)
def test_what_is_a_delivery_over_http(env: Env, monkeypatch: pytest.MonkeyPatch, fault: Fault, accepted: bool) -> None:
    with Receiver(fault=fault) as receiver:
        destination = exporter(env | receiver.environ("http"), monkeypatch)
        if accepted:
            assert destination.deliver([span(1)], 5.0) == Accepted()
        else:
            with pytest.raises(DeliveryError):
                destination.deliver([span(1)], 5.0)
        destination.close()
        assert len(receiver.asked) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("rejected", "counted"), [(-1, 0), (2, 2), (2**62, 3)])
def test_absurd_counts_of_a_partial_success_are_bounded(
    env: Env, monkeypatch: pytest.MonkeyPatch, protocol: Protocol, rejected: int, counted: int
) -> None:
    with Receiver() as receiver:
        destination = exporter(env | receiver.environ(protocol), monkeypatch)
        monkeypatch.setattr(receiver, "accept", lambda *_: _partial(rejected))
        assert destination.deliver([span(1), span(2), span(3)], 5.0) == Accepted(counted, "because")
        destination.close()


def _partial(rejected: int) -> Any:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = "because"
    return answer


@pytest.mark.parametrize(
    "answer",
    [b"\0\0\x18\4\0\0\0\0\0", b"SSH-2.0-token=hunter2hunter2\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"x" * 70_000]
    + [b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n" for line in (b"a: " + b"b" * 70_000, b"a: b\r\n" * 200)]
    + [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n"],
    ids=["frame", "ssh", "version", "line", "header", "headers", "chunk"],
)
def test_a_server_that_speaks_no_http_is_one_line_without_its_bytes(
    env: Env, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    def speak(listening: socket.socket) -> None:
        with listening.accept()[0] as connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            # Until the client closes: else its own bytes that nobody read make a reset of it.
            while connection.recv(1 << 16):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=speak, args=(listening,), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(DeliveryError) as raised:
            exporter(env | {"OTEL_EXPORTER_OTLP_ENDPOINT": url}, monkeypatch).deliver([span(1)], 5.0)
    said = (
        "it does not speak HTTP; OTLP's port is usually 4318 for HTTP and 4317 for gRPC: check OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    assert (str(raised.value), raised.value.refused) == (f"{url}: {said}", True)


@pytest.mark.parametrize("size", [1, 2_000_000], ids=["small", "large"])
def test_http_to_the_port_of_grpc_says_so(env: Env, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    with Receiver() as receiver:
        wrong = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        with pytest.raises(DeliveryError, match=r"does not speak HTTP; .* 4317 for gRPC"):
            exporter(env | wrong, monkeypatch).deliver([span(1, attributes={"log": "x" * size})], 5.0)


@pytest.mark.parametrize(("variable", "path"), [("ENDPOINT", "/wrong/v1/traces"), ("TRACES_ENDPOINT", "/wrong")])
def test_a_wrong_path_is_named_with_what_each_variable_takes(
    env: Env, monkeypatch: pytest.MonkeyPatch, variable: str, path: str
) -> None:
    with Receiver() as receiver:
        wrong = {f"OTEL_EXPORTER_OTLP_{variable}": f"{receiver.http_url}/wrong"}
        with pytest.raises(DeliveryError) as raised:
            exporter(env | wrong, monkeypatch).deliver([span(1)], 5.0)
    assert (
        f"; check the path {path}: OTEL_EXPORTER_OTLP_ENDPOINT is only what comes before /v1/, "
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is all of it"
    ) in str(raised.value)


# One journal and the others


def _poison(spans: list[dict[str, Any]]) -> bool:
    return any(one["name"] == "poison" for one in spans)


@pytest.mark.parametrize(
    ("protocol", "fault"),
    [("http", Fault("status", status=status, where=_poison)) for status in (401, 403, 404, 429, 500, 503)]
    + [("http", Fault("status", status=429, retry_after=3600, where=_poison)), ("http", Fault("close", where=_poison))]
    + [("http", Fault("answer", status=200, where=_poison))]
    + [
        ("grpc", Fault("status", code=code, message="TRACE_TOO_LARGE: max size of trace exceeded", where=_poison))
        for code in ("RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "UNAUTHENTICATED", "INTERNAL", "UNAVAILABLE", "UNKNOWN")
    ],
    ids=lambda value: f"{value.kind}-{value.code or value.status}" if isinstance(value, Fault) else value,
)
def test_one_journal_that_is_refused_for_ever_blocks_no_other(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch, protocol: Protocol, fault: Fault
) -> None:
    bad = write(folder, span(1, "poison"), span(2))
    for trace in range(2, 5):
        write(folder, span(1, trace=trace))
    with Receiver(fault=fault) as receiver:
        destination = exporter(env | receiver.environ(protocol), monkeypatch)
        outcomes = ship.ship_all(folder, destination)
        assert [(one.done, one.blocked) for one in outcomes] == [(False, False), *[(True, False)] * 3]
        assert find_journals(folder) == [bad]
        assert len(receiver.spans()) == 3
        # A second failure, and it waits for its next try; what comes later does not.
        for trace in (6, 7, 8):
            write(folder, span(1, trace=trace))
            ship.ship_all(folder, destination)
        state = progress.load_progress(bad)
        assert 1 <= state.tries <= 2
        assert state.next_try > time.time() or state.tries == 1
        asked = len(receiver.asked)
        ship.ship_all(folder, destination)
        assert (len(receiver.asked), len(receiver.spans())) == (asked, 6)
        receiver.fault = None
        assert [one.done for one in ship.ship_all(folder, destination, all_now=True)] == [True]
        destination.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_time_that_a_receiver_asks_for_is_kept(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    path = write(folder, span(1))
    with Receiver(fault=Fault("status", status=503, retry_after=600)) as receiver:
        destination = exporter(env | receiver.environ(protocol), monkeypatch)
        ship.ship_all(folder, destination)
        assert time.time() + 590 < progress.load_progress(path).next_try <= time.time() + 600
        assert ship.ship_all(folder, destination) == []
        destination.close()
        assert len(receiver.asked) == 1


def test_many_journals_that_are_refused_block_none_that_came_later(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [write(folder, span(1, "poison", trace=trace)) for trace in range(1, 31)]
    for trace in range(31, 34):
        write(folder, span(1, trace=trace))
    with Receiver(fault=Fault("status", status=500, where=_poison)) as receiver:
        destination = exporter(env | receiver.environ("http"), monkeypatch)
        ship.ship_all(folder, destination)
        destination.close()
        assert len(receiver.spans()) == 3
    assert find_journals(folder) == bad


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "fault", [None, Fault("status", status=503), Fault("answer", status=200)], ids=["down", "503", "page"]
)
def test_thousands_of_journals_and_a_receiver_that_takes_none_cost_seconds(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch, protocol: Protocol, fault: Fault | None
) -> None:
    first = write(folder, *(span(number) for number in range(1, 4)))
    for number in range(1, 2000):
        os.link(first, folder / f"{number:020d}-1.journal")
    if protocol == "grpc" and fault and fault.kind == "answer":
        pytest.skip("gRPC itself refuses a page")
    with Receiver(fault=fault) as receiver:
        port = free_port()
        endpoint = receiver.url(protocol) if fault else f"http://127.0.0.1:{port}"
        destination = exporter(env | receiver.environ(protocol) | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, monkeypatch)
        began = time.monotonic()
        outcomes = ship.ship_all(folder, destination, all_now=True)
        assert time.monotonic() - began < 20
        assert (outcomes[-1].blocked, len(outcomes) <= 10, len(find_journals(folder))) == (True, True, 2000)
        assert len(receiver.asked) <= 10
        destination.close()


def test_ship_says_each_reason_once(env: Env, folder: Path) -> None:
    for trace in range(1, 6):
        write(folder, span(1, "poison", trace=trace))
    with Receiver(fault=Fault("status", status=403, where=_poison)) as receiver:
        done = support.trace("ship", env=env | receiver.environ("http"))
    (line,) = done.stderr.splitlines()
    assert line.count("403 Forbidden") == 1
    assert f"5 spans wait in {folder}" in line


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refused_connection_is_known_at_once(env: Env, monkeypatch: pytest.MonkeyPatch, protocol: Protocol) -> None:
    with Receiver() as receiver:
        wrong = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
        destination = exporter(env | receiver.environ(protocol) | wrong, monkeypatch)
    took = []
    # The least of some, because other processes may have this machine.
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(DeliveryError, match=r"(?i)refused") as raised:
            destination.deliver([span(1)], 60.0)
        took.append(time.monotonic() - began)
        assert raised.value.refused
    assert min(took) < 1
    destination.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_receiver_that_comes_back_is_found_at_once(env: Env, monkeypatch: pytest.MonkeyPatch, protocol: Protocol) -> None:
    port = free_port()
    ports = {"http_port": port} if protocol == "http" else {"grpc_port": port}
    with Receiver() as other:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        destination = exporter(env | other.environ(protocol) | endpoint, monkeypatch)
    with pytest.raises(DeliveryError):
        destination.deliver([span(2)], 5.0)
    with Receiver(**ports):
        assert destination.deliver([span(2)], 5.0) == Accepted()
    destination.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_delivery_has_its_own_time_whatever_the_one_before_had(
    env: Env, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    with Receiver(fault=Fault("slow", seconds=2.0)) as receiver:
        destination = exporter(env | receiver.environ(protocol), monkeypatch)
        began = time.monotonic()
        with pytest.raises(DeliveryError):
            destination.deliver([span(1)], 0.2)
        assert time.monotonic() - began < 1.9
        assert destination.deliver([span(1)], 60.0) == Accepted()
        destination.close()


# Too large


@pytest.mark.parametrize(
    "begin",
    [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n"],
    ids=["first line", "header", "body"],
)
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxy"])
def test_an_answer_that_drips_ends_with_the_time_limit(
    env: Env, monkeypatch: pytest.MonkeyPatch, begin: bytes, proxied: bool
) -> None:
    """Each piece comes in time, and the whole would take an hour."""
    gone = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection = listening.accept()[0]
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(begin)
            while True:
                connection.sendall(b"x")
                time.sleep(0.03)
        gone.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if proxied:
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://collector.internal:4318"
            monkeypatch.setenv("http_proxy", url)
        else:
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        with pytest.raises(DeliveryError, match="no answer in time"):
            exporter(env, monkeypatch).deliver([span(1)], 0.3)
    # The connection is closed, too.
    assert gone.wait(30)


@pytest.mark.process
def test_ship_says_that_another_process_delivers(env: Env, folder: Path) -> None:
    waiting = write(folder, span(1))
    with closing(Reader(waiting)) as reader:
        # In this process: fcntl's locks are those of a process, so another one has to ask.
        assert reader.claim()
        done = support.spawn("ship", env=env)
    assert done.returncode == 1
    assert f"1 spans wait in {folder}; another process is delivering them" in done.stderr


def logs(count: int, length: int) -> list[Span]:
    return [span(number, attributes={"log": "x" * length}) for number in range(1, count + 1)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_no_request_is_larger_than_the_limit(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch, protocol: Protocol, compression: str
) -> None:
    write(folder, *logs(60, 150_000), span(100, attributes={"log": "y" * 5_000_000}), *logs(3, 10))
    with Receiver() as receiver:
        more = {"OTEL_EXPORTER_OTLP_COMPRESSION": compression}
        destination = exporter(env | receiver.environ(protocol) | more, monkeypatch)
        (outcome,) = ship.ship_all(folder, destination)
        destination.close()
        assert (outcome.done, outcome.delivered, outcome.rejected) == (True, 64, 0)
        assert max(map(len, receiver.bodies)) <= sizes.MOST == 3_000_000
        assert len(receiver.bodies) <= 6
        (cut,) = (one for one in receiver.spans() if one["name"] == "span 100")
        assert len(cut["attributes"]["log"]) + cut["attributes"][c.LEFT_OUT_CHARACTERS] == 5_000_000


TOO_LARGE = [
    ("http", Fault("status", status=413, over=100_000)),
    ("http", Fault("answer", status=400, content_type="text/plain", body=b"http: request body too large", over=100_000)),
    ("grpc", Fault("status", code="RESOURCE_EXHAUSTED", message="received message larger than max", over=100_000)),
    ("grpc", Fault("status", code="OUT_OF_RANGE", message="decoded message length too large", over=100_000)),
]


@pytest.mark.parametrize(("protocol", "fault"), TOO_LARGE, ids=["413", "400", "exhausted", "range"])
def test_what_the_receiver_finds_too_large_is_split_and_at_last_cut_while_it_is_written_too(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch, protocol: Protocol, fault: Fault
) -> None:
    events = [Event(f"item {number}", NOW, {"ansible.message": "z" * 500}) for number in range(500)]
    path = write(folder, *logs(100, 10_000), span(200, "many items", events=events), *logs(100, 10_000))
    with Receiver(fault=fault) as receiver:
        destination = exporter(env | receiver.environ(protocol), monkeypatch)
        outcome = ship.ship_one(path, destination)
        destination.close()
        assert (outcome.done, outcome.delivered, outcome.rejected) == (True, 201, 0)
        found = receiver.spans()
        assert len({one["span_id"] for one in found}) == 101
        (cut,) = (one for one in found if one["name"] == "many items")
        assert len(cut["events"]) + cut["attributes"][c.LEFT_OUT_EVENTS] == 500
        assert len(cut["events"]) > 50


def test_a_span_that_no_receiver_takes_at_any_size_is_kept_and_counted(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, span(1), span(2, "poison", attributes={"log": "x" * 9_000}), span(3))
    with Receiver(fault=Fault("status", status=413, where=_poison)) as receiver:
        destination = exporter(env | receiver.environ("http"), monkeypatch)
        outcome = ship.ship_one(path, destination)
        destination.close()
        assert len(receiver.spans()) == 2
    assert (outcome.done, outcome.delivered, outcome.rejected) == (True, 2, 1)
    (line,) = path.with_suffix(".refused").read_text().splitlines()
    assert len(json.loads(line)["attributes"]["log"]) == 9_000


# Errors at the boundary


def test_spans_that_cannot_be_kept_stay_in_the_journal_and_end_nobody(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = write(folder, span(1), span(2, "poison"), span(3))
    bad.with_suffix(".refused").mkdir()
    write(folder, span(1, trace=2))
    with Receiver(fault=Fault("status", status=400, where=_poison)) as receiver:
        destination = exporter(env | receiver.environ("http"), monkeypatch)
        first, second = ship.ship_all(folder, destination)
        destination.close()
    assert (first.done, first.blocked, second.done) == (False, False, True)
    assert "cannot be kept" in first.problem
    assert find_journals(folder) == [bad]


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), UnicodeError("broken"), ValueError("odd")])
def test_whatever_one_journal_raises_ends_there(env: Env, folder: Path, error: Exception) -> None:
    class Odd:
        name = "odd"

        def deliver(self, spans: Any, timeout: float) -> Accepted:
            if spans[0].name == "poison":
                raise error
            return Accepted()

        def close(self) -> None:
            pass

    bad = write(folder, span(1, "poison"))
    write(folder, span(1, trace=2))
    first, second = ship.ship_all(folder, Odd())
    assert (first.done, second.done, find_journals(folder)) == (False, True, [bad])
    assert type(error).__name__ in first.problem
    assert progress.load_progress(bad).tries == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_compression_that_nobody_knows_is_one_line(env: Env, folder: Path, protocol: Protocol) -> None:
    write(folder, span(1))
    with Receiver() as receiver:
        done = support.trace("ship", env=env | receiver.environ(protocol) | {"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "OTEL_EXPORTER_OTLP_COMPRESSION=zstd is not supported" in line


def test_a_login_in_the_endpoint_works_over_http_and_shows_nowhere(
    env: Env, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, span(1))
    with Receiver(fault=Fault("status", status=500)) as receiver:
        url = receiver.http_url.replace("http://", "http://ann:hunter2hunter2@")
        env |= {**receiver.environ("http"), "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        failed = support.trace("ship", env=env)
        assert "hunter2" not in path.with_suffix(".state").read_text()
        exporter(env, monkeypatch).close()
        checks = [*doctor_checks.machine(env), *doctor_checks.delivery(env)]
        receiver.fault = None
        done = support.trace("ship", env=env)
        assert len(receiver.spans()) == 1
    assert (failed.returncode, done.returncode) == (1, 0)
    assert "hunter2" not in failed.stdout + failed.stderr + done.stdout + repr(checks)


# Ways to a receiver


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


NAME = "collector.internal"


@pytest.mark.process
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
def test_a_receiver_that_only_the_proxy_knows_is_reached(
    env: Env, folder: Path, proxy: Proxy, protocol: Protocol, upper: bool
) -> None:
    write(folder, span(1))
    with Receiver() as receiver:
        proxy.names[NAME] = receiver.url(protocol).removeprefix("http://")
        port = receiver.url(protocol).rpartition(":")[2]
        way = {"http_proxy": proxy.url, "no_proxy": "10.0.0.0/8,localhost"}
        env |= {name.upper() if upper else name: value for name, value in way.items()}
        env |= {**receiver.environ(protocol), "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{NAME}:{port}"}
        done = support.spawn("ship", env=env)
        assert (done.returncode, done.stderr, len(receiver.spans())) == (0, "", 1)
    assert proxy.asked == [("CONNECT" if protocol == "grpc" else "POST", f"{NAME}:{port}")]


@pytest.mark.process
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_network_without_proxy_is_reached_directly(env: Env, folder: Path, proxy: Proxy, protocol: Protocol) -> None:
    write(folder, span(1))
    with Receiver() as receiver:
        env |= {**receiver.environ(protocol), "http_proxy": proxy.url, "NO_PROXY": "10.0.0.0/8,127.0.0.0/8"}
        done = support.spawn("ship", env=env)
        assert (done.returncode, done.stderr, len(receiver.spans())) == (0, "", 1)
    assert proxy.asked == []


@pytest.mark.process
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "OTEL_EXPORTER_OTLP_CERTIFICATE"])
def test_a_receiver_of_a_companys_own_authority_is_trusted_by_each_variable(
    env: Env, folder: Path, protocol: Protocol, variable: str
) -> None:
    write(folder, span(1))
    with Receiver(tls=True) as receiver:
        ways = {name: value for name, value in receiver.environ(protocol).items() if "CERTIFICATE" not in name}
        done = support.spawn("ship", env=env | ways | {variable: str(receiver.certificate)})
        assert (done.returncode, done.stderr, len(receiver.spans())) == (0, "", 1)


def test_a_wrong_file_of_certificates_is_one_line(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(tls=True) as receiver:
        wrong = receiver.environ("http") | {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem"}
        with pytest.raises(SetupError, match=r"OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere/ca\.pem cannot be read"):
            exporter(env | wrong, monkeypatch)
