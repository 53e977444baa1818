"""Who is told of open spans, by which way, and that nothing of it holds anything up: real receivers, over HTTP and gRPC."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from support.otlp_receiver import Fault, Protocol, Receiver, free_port
from support.processes import wait_for
from support.spans import span

from pipeline_trace.delivery.destinations import SetupError, Teller, configured_destination, configured_teller
from pipeline_trace.delivery.destinations.otlp import Otlp
from pipeline_trace.delivery.opened import Pace
from pipeline_trace.delivery.reader import Opened
from pipeline_trace.delivery.telling import Telling
from pipeline_trace.trace.span import Span, encode

Env = dict[str, str]
PROTOCOLS: tuple[Protocol, ...] = ("http", "grpc")
OPEN = span(7, end=0, name="playbook site.yml")
AT_ONCE = Pace(first=0.0, every=0.0)


def opened(*spans: Span) -> dict[str, Opened]:
    return {one.span_id: Opened(one.span_id, encode({"type": "open", **one.to_dict()}).encode()) for one in spans}


@pytest.fixture
def set_environ(env: Env, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the process's own variables: the exporters of spans read those."""

    def setting(more: Mapping[str, str]) -> Env:
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            monkeypatch.delenv(name)
        for name, value in more.items():
            monkeypatch.setenv(name, value)
        return {**env, **more}

    return setting


def destination_of(env: Env, tmp_path: Any) -> Any:
    return configured_destination(env, tmp_path / "store.db")


def teller_of(env: Env) -> tuple[Otlp, Teller]:
    destination = Otlp(env)
    teller = configured_teller(env, destination)
    assert teller
    return destination, teller


# Who is told


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_receiver_that_keeps_open_spans_is_asked_once_and_told(set_environ: Any, protocol: Protocol) -> None:
    with Receiver(logs="take", keeps_open=True) as receiver:
        _, teller = teller_of(set_environ(receiver.environ(protocol)))
        assert [teller.tell([OPEN], 30.0), teller.tell([OPEN], 30.0)] == [True, True]
        first, second = receiver.heard
        assert (first.protocol, first.names, second.names) == (protocol, ["playbook site.yml"], ["playbook site.yml"])
        assert first.attributes[0]["pipeline_trace.span.interval"] == 30.0
        # The question was a request for spans without any.
        assert receiver.bodies == [b""]
        teller.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_the_delivery_of_spans_was_answered_is_not_asked_again(set_environ: Any, protocol: Protocol) -> None:
    with Receiver(logs="take", keeps_open=True) as receiver:
        destination, teller = teller_of(set_environ(receiver.environ(protocol)))
        destination.deliver([span(1)], 5.0)
        assert teller.tell([OPEN], 30.0)
        assert (len(receiver.asked), len(receiver.heard)) == (1, 1)
        teller.close()
        destination.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_receiver_gets_nothing(set_environ: Any, protocol: Protocol) -> None:
    with Receiver(logs="take") as receiver:
        destination, teller = teller_of(set_environ(receiver.environ(protocol)))
        assert teller.wanted
        assert teller.tell([OPEN], 30.0)
        assert not teller.wanted
        assert teller.tell([OPEN], 30.0)
        assert (receiver.bodies, receiver.heard) == ([b""], [])
        # Somebody else listens there now.
        receiver.keeps_open = True
        destination.deliver([span(1)], 5.0)
        assert teller.wanted
        assert teller.tell([OPEN], 30.0)
        assert len(receiver.heard) == 1
        teller.close()
        destination.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_whoever_is_set_as_exporter_of_logs_is_told_unasked(set_environ: Any, protocol: Protocol) -> None:
    with Receiver() as spans, Receiver(logs="take") as logs:
        path = "/v1/logs" if protocol == "http" else ""
        more = {
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": logs.url(protocol) + path,
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "authorization=Bearer%20of-logs",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20of-spans",
        }
        _, teller = teller_of(set_environ({**spans.environ(protocol), **more}))
        assert teller.tell([OPEN], 30.0)
        assert (spans.asked, spans.heard, logs.asked) == ([], [], [])
        (heard,) = logs.heard
        assert heard.headers["authorization"] == "Bearer of-logs"
        teller.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_exporter_of_logs_has_the_endpoint_of_all_signals(set_environ: Any, protocol: Protocol) -> None:
    with Receiver(logs="take") as receiver:
        _, teller = teller_of(set_environ({**receiver.environ(protocol), "OTEL_LOGS_EXPORTER": "console, otlp"}))
        assert teller.tell([OPEN], 30.0)
        assert len(receiver.heard) == 1
        teller.close()


@pytest.mark.parametrize("name", ["", "otlp"])
def test_where_spans_have_an_address_of_their_own_open_ones_are_told_beside_it(set_environ: Any, name: str) -> None:
    with Receiver(logs="take", keeps_open=True) as receiver:
        alone = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_url}/v1/traces"}
        token = {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=Bearer%20x", "OTEL_LOGS_EXPORTER": name}
        _, teller = teller_of(set_environ({**alone, **token}))
        assert teller.tell([OPEN], 30.0)
        (heard,) = receiver.heard
        assert heard.headers["authorization"] == "Bearer x"
        teller.close()


def test_an_address_of_spans_that_names_no_signal_ends_it(set_environ: Any) -> None:
    with Receiver(logs="take", keeps_open=True) as receiver:
        _, teller = teller_of(set_environ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_url}/otel"}))
        assert not teller.tell([OPEN], 30.0)
        assert receiver.heard == []


@pytest.mark.parametrize(
    "more",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_LOGS_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_LOGS_EXPORTER": "None"},
        {},
        # With the store as destination, the journals are there.
        {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:9/v1/logs"},
    ],
)
def test_nobody_is_told(set_environ: Any, tmp_path: Any, more: Env) -> None:
    env = set_environ(more)
    assert configured_teller(env, destination_of(env, tmp_path)) is None


# How it is sent


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_over_tls_with_compression(set_environ: Any, protocol: Protocol) -> None:
    with Receiver(logs="take", keeps_open=True, tls=True) as receiver:
        packed = {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
        _, teller = teller_of(set_environ({**receiver.environ(protocol), **packed}))
        assert teller.tell([OPEN], 30.0)
        (heard,) = receiver.heard
        assert heard.names == ["playbook site.yml"]
        if protocol == "http":
            assert heard.headers["content-encoding"] == "gzip"
        teller.close()


def test_deflate_and_a_host_without_a_scheme(set_environ: Any) -> None:
    with Receiver(logs="take", keeps_open=True) as receiver:
        _, teller = teller_of(set_environ({**receiver.environ("http"), "OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}))
        assert teller.tell([OPEN], 30.0)
        teller.close()
        bare = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_url.removeprefix("http://"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
        }
        _, teller = teller_of(set_environ(bare))
        assert teller.tell([OPEN], 30.0)
        teller.close()
        first, second = receiver.heard
        assert (first.headers["content-encoding"], second.protocol) == ("deflate", "grpc")


# What goes wrong


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_receiver_without_logs_is_asked_once(set_environ: Any, protocol: Protocol) -> None:
    with Receiver(logs="none") as receiver:
        _, teller = teller_of(set_environ({**receiver.environ(protocol), "OTEL_LOGS_EXPORTER": "otlp"}))
        assert not teller.tell([OPEN], 30.0)
        assert len(receiver.heard) == 1
        teller.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_that_is_busy_or_away_is_told_again_later(set_environ: Any, protocol: Protocol) -> None:
    with Receiver(logs="busy") as receiver:
        _, teller = teller_of(set_environ({**receiver.environ(protocol), "OTEL_LOGS_EXPORTER": "otlp"}))
        assert teller.tell([OPEN], 30.0)
        receiver.logs = "take"
        assert teller.tell([OPEN], 30.0)
        assert len(receiver.heard) == 2
    assert teller.tell([OPEN], 30.0)
    teller.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_that_comes_later_is_asked_then(set_environ: Any, protocol: Protocol) -> None:
    port = free_port()
    name = "http/protobuf" if protocol == "http" else "grpc"
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": name}
    _, teller = teller_of(set_environ(where))
    assert teller.tell([OPEN], 30.0)
    ports = {"http_port": port} if protocol == "http" else {"grpc_port": port}
    with Receiver(**ports, logs="take", keeps_open=True) as receiver:
        assert teller.tell([OPEN], 30.0)
        assert receiver.heard[0].names == ["playbook site.yml"]
        teller.close()


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 413, 501])
def test_an_answer_that_stays_the_same_ends_it(set_environ: Any, status: int) -> None:
    with Receiver(fault=Fault("status", status=status)) as receiver:
        _, teller = teller_of(set_environ(receiver.environ("http")))
        assert not teller.tell([OPEN], 30.0)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_answer_that_may_change_does_not(set_environ: Any, status: int) -> None:
    with Receiver(fault=Fault("status", status=status)) as receiver:
        _, teller = teller_of(set_environ(receiver.environ("http")))
        assert teller.tell([OPEN], 30.0)


def test_a_login_page_ends_it(set_environ: Any) -> None:
    with Receiver(fault=Fault("answer", status=200)) as receiver:
        _, teller = teller_of(set_environ(receiver.environ("http")))
        assert not teller.tell([OPEN], 30.0)


def test_with_an_older_opentelemetry_proto_nothing_is_told(set_environ: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    older = SimpleNamespace(LogRecord=SimpleNamespace(DESCRIPTOR=SimpleNamespace(fields_by_name={"body": None})))
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.logs.v1.logs_pb2", older)
    env = set_environ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    with pytest.raises(SetupError, match=r"older than 1\.35"):
        configured_teller(env, Otlp(env))
    telling = Telling(lambda: configured_teller(env, Otlp(env)), AT_ONCE)
    looked(telling, OPEN)
    assert telling._over


# Beside the delivery


class Noting:
    """A teller that notes what it is told. ``let_go``: each call waits for it."""

    def __init__(self, *, answers: Sequence[bool | Exception] = (), waits: bool = False) -> None:
        self.told: list[list[str]] = []
        self.let_go = threading.Event()
        self.wanted = True
        self.closed = False
        self._answers = list(answers)
        if not waits:
            self.let_go.set()

    def tell(self, spans: Sequence[Span], every: float) -> bool:
        self.told.append([one.name for one in spans])
        self.let_go.wait(30)
        answer = self._answers.pop(0) if self._answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True


def looked(telling: Telling, *spans: Span) -> None:
    """Look, and wait until all is told."""
    telling.look(opened(*spans))
    wait_for(lambda: not telling._is_busy(), "end of the telling")


def test_a_request_that_hangs_holds_nothing_up_and_is_not_begun_twice() -> None:
    noting = Noting(waits=True)
    telling = Telling(lambda: noting, AT_ONCE)
    telling.look(opened(OPEN))
    wait_for(lambda: noting.told, "request")
    for _ in range(100):
        telling.look(opened(OPEN, span(8, end=0, name="another")))
    assert noting.told == [["playbook site.yml"]]
    noting.let_go.set()
    wait_for(lambda: not telling._is_busy(), "end of the request")
    looked(telling, OPEN, span(8, end=0, name="another"))
    assert noting.told[1] == ["playbook site.yml", "another"]


@pytest.mark.parametrize("answer", [False, ValueError("odd")])
def test_after_a_no_or_an_error_that_nobody_thought_of_nothing_is_told(
    answer: bool | Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    noting = Noting(answers=[answer])
    telling = Telling(lambda: noting, AT_ONCE)
    for _ in range(3):
        looked(telling, OPEN)
    assert len(noting.told) == 1
    assert capfd.readouterr() == ("", "")


def test_where_nobody_is_to_be_told_nothing_is_made_again() -> None:
    made: list[None] = []
    telling = Telling(lambda: made.append(None), AT_ONCE)
    for _ in range(3):
        looked(telling, OPEN)
    assert len(made) == 1


def test_one_who_wants_nothing_now_costs_no_thread() -> None:
    noting = Noting()
    telling = Telling(lambda: noting, AT_ONCE)
    looked(telling, OPEN)
    noting.wanted = False
    looked(telling, OPEN)
    assert len(noting.told) == 1
    noting.wanted = True
    looked(telling, OPEN)
    assert len(noting.told) == 2
    telling.close()
    looked(telling, OPEN)
    assert (len(noting.told), noting.closed) == (2, True)


def test_a_receiver_that_never_answers_costs_three_seconds_of_its_own_thread(set_environ: Any) -> None:
    with Receiver(logs="never") as receiver:
        _, teller = teller_of(
            set_environ({**receiver.environ("http"), "OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TIMEOUT": "60"})
        )
        began = time.monotonic()
        assert teller.tell([OPEN], 30.0)
        # A minute is what the variables may give it.
        assert time.monotonic() - began < 20


def test_what_is_sent_is_what_serve_reads(set_environ: Any) -> None:
    """The bytes, as another receiver may read them."""
    with Receiver(logs="take", keeps_open=True) as receiver:
        _, teller = teller_of(set_environ(receiver.environ("http")))
        child = span(8, 7, end=0, name="Deploy")
        teller.tell([OPEN, child], 30.0)
        (heard,) = receiver.heard
        (resource,) = heard.request.resource_logs
        records = resource.scope_logs[0].log_records
        assert [record.span_id.hex() for record in records] == [OPEN.span_id, child.span_id]
        assert {record.trace_id.hex() for record in records} == {OPEN.trace_id}
        assert {record.event_name for record in records} == {"pipeline_trace.span.open"}
        assert [one.get("pipeline_trace.span.parent_id") for one in heard.attributes] == [None, OPEN.span_id]
        teller.close()
