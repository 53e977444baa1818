"""A ClickHouse that is down, slow, wrong, older or says no: one line that says what and what to do, soon."""

from __future__ import annotations

import builtins
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.clickhouse import Engine, Fault, needs_engine
from support.clickhouse_sources import address, source, trouble
from support.otlp_receiver import free_port

from pipeline_trace.delivery.destinations import SetupError
from pipeline_trace.lookup.clickhouse import client
from pipeline_trace.lookup.clickhouse.login import PASSWORD
from pipeline_trace.lookup.remote import remote_source

pytestmark = [pytest.mark.process, needs_engine]

NOBODY = "nothing answers there; check host and port, and that ClickHouse runs"
NOT_IN_TIME = "it does not answer in time; check host and port, or try again"
NO_TABLE = (
    "there is no table {} that {} may read; name the database and the table of the Collector's clickhouse exporter in "
    "--from, or grant SELECT on it"
)
LOGIN = f"it does not accept the user {{}} with this password; set {PASSWORD} or {PASSWORD}_FILE"
CLOSED = "it closed the connection before its answer was whole; try again, and check that the port speaks HTTP"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for a second at most."""
    monkeypatch.setattr(client, "_SECONDS", 1)
    monkeypatch.setattr(client, "_CONNECT_SECONDS", 1)


def test_a_server_that_is_down_is_one_line(tmp_path: Path) -> None:
    found = remote_source(f"clickhouse://127.0.0.1:{free_port()}/otel", {})
    assert trouble(found) == NOBODY


def test_a_host_that_has_no_address_is_one_line() -> None:
    assert trouble(remote_source("clickhouse://clickhouse.invalid/otel", {})) == NOBODY


def test_a_server_that_was_killed_is_one_line_and_answers_when_it_is_back(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine") as engine:
        engine.sql("CREATE TABLE otel_traces (a Int64) ENGINE = Memory")
        with closing(source(engine)) as found:
            with pytest.raises(SetupError, match="the table lacks"):
                found.newest()
            engine.kill()
            with pytest.raises(SetupError, match=NOBODY):
                found.newest()
            engine.start()
            with pytest.raises(SetupError, match="the table lacks"):
                found.newest()


@pytest.mark.parametrize("matching", ["", "SpanAttributes"])
def test_a_server_that_hangs_is_waited_for_no_longer_than_the_client_does(
    engine: Engine, impatient: None, matching: str
) -> None:
    """At once, and at the first question about spans."""
    began = time.monotonic()
    found = source(engine, user="strict")
    with engine.fault(Fault("hang", matching=matching)), closing(found), pytest.raises(SetupError, match=NOT_IN_TIME):
        found.trace("a" * 32)
    # It would hang for a minute.
    assert time.monotonic() - began < 30


def test_a_question_that_takes_too_long_is_ended_by_the_server_where_it_may_be_asked_to(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_SERVER_SECONDS", 1)
    with closing(source(engine, user="reader")) as found:
        found.check()
        with pytest.raises(SetupError) as error:
            found._client.ask("slow", "SELECT sum(sipHash64(number)) FROM numbers({n:UInt64})", {"n": 10**12})
    assert str(error.value).endswith(
        "the answer took too long; try again, or let an administrator make the table of runs (docs/many-machines.md)"
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("status"), "it is not ready (HTTP status 503); try again, and check what is in front of it"),
        (
            Fault("status", 502, "<html>Bad gateway"),
            "it is not ready (HTTP status 502); try again, and check what is in front of it",
        ),
        (
            Fault("status", 404, "<html>no such page"),
            "it does not answer as ClickHouse does (HTTP status 404); check host and port",
        ),
        (Fault("status", 401, "log in"), "it does not answer as ClickHouse does (HTTP status 401); check host and port"),
        (
            Fault("status", 400, "Port 9000 is for clickhouse-client program\r\nYou must use port 8123 for HTTP.\r\n"),
            "that is the port of ClickHouse's own protocol; take its HTTP port: 8443, or 8123 with secure=false",
        ),
        (Fault("garbage"), CLOSED),
        (Fault("cut"), CLOSED),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_what_is_no_answer_is_one_line(engine: Engine, fault: Fault, said: str) -> None:
    with engine.fault(fault):
        assert trouble(source(engine)) == said


@pytest.mark.parametrize("fault", [Fault(kind, matching="SpanAttributes") for kind in ("status", "garbage", "cut")])
def test_an_answer_that_breaks_off_later_is_one_line_too(engine: Engine, fault: Fault) -> None:
    with closing(source(engine)) as found:
        found.check()
        with engine.fault(fault), pytest.raises(SetupError, match=r"not ready|closed the connection"):
            found.trace("a" * 32)


class _Page(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = b"<!DOCTYPE html><title>Log in</title>" + b"<p>Who are you?</p>" * 100
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def page() -> Iterator[int]:
    """A server that answers everything with a page. Yields its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_a_login_page_is_no_clickhouse() -> None:
    with page() as port:
        said = trouble(remote_source(f"clickhouse://127.0.0.1:{port}/otel", {}))
    assert said.startswith("it does not answer as ClickHouse does (")
    assert said.endswith("); check host and port")
    assert len(said) < 300


# Who may not


@pytest.mark.parametrize(("user", "password"), [("reader", "wrong"), ("reader", ""), ("nobody", "x")])
def test_a_wrong_login_is_one_line_without_the_password(engine: Engine, user: str, password: str) -> None:
    assert trouble(source(engine, user=user, password=password)) == LOGIN.format(user)


@pytest.mark.parametrize("where", ["nowhere", "default?table=nothing", "things"])
def test_a_table_or_database_that_is_not_there_is_one_line(engine: Engine, where: str) -> None:
    database, _, table = where.partition("?table=")
    named = f"{database}.{table or 'otel_traces'}"
    assert trouble(source(engine, where, "reader")) == NO_TABLE.format(named, "reader")


def test_a_table_of_something_else_is_one_line(engine: Engine) -> None:
    other = "; name the table of spans that the Collector's clickhouse exporter fills"
    said = trouble(source(engine, "things?table=orders"))
    assert said == f"the table lacks Duration, Events.Attributes, Events.Name and others{other}"
    said = trouble(source(engine, "things?table=texts"))
    assert said == f"the table has SpanAttributes of type String, not Map or JSON{other}"


def test_a_limit_of_the_user_is_told(engine: Engine) -> None:
    assert trouble(source(engine, user="limited")) == (
        "the question goes beyond a limit of limited (ClickHouse's code 158); raise it, or let an administrator make the "
        "table of runs (docs/many-machines.md)"
    )


DENIED = (
    "reader: Not enough privileges. To execute this query, it's necessary to have the grant SELECT(TraceId, Start) ON "
    "otel.otel_traces_trace_id_ts. (ACCESS_DENIED) (version 25.8.1.1 (official build))"
)


# As a server says it that the engine of the tests cannot be.
@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (
            497,
            DENIED,
            "default may not read it; let an administrator run: GRANT SELECT ON otel.otel_traces_trace_id_ts TO default",
        ),
        (497, "No.", "default may not read it; let an administrator run: GRANT SELECT ON default.otel_traces TO default"),
        (46, "Unknown function toUnixTimestamp64Nano", "must be of version 25.8 or newer"),
        (62, "Syntax error", "must be of version 25.8 or newer"),
        (202, "Too many simultaneous queries for user default", "raise max_concurrent_queries_for_user of default"),
        (201, "Quota for user `default` for 3600s has been exceeded", "the quota of default is used up"),
        (241, "Memory limit (for query) exceeded", "goes beyond a limit of default (ClickHouse's code 241)"),
        (394, "Query was cancelled", "somebody ended the question on the server; try again"),
        (194, "default: Authentication failed", LOGIN.format("default")),
        (999, "Something new", "ClickHouse answers with its code 999; its log says more"),
    ],
)
def test_what_else_a_server_says_is_one_line(engine: Engine, code: int, words: str, said: str) -> None:
    with engine.fault(Fault("status", 500, f"Code: {code}. DB::Exception: {words}\n")):
        assert said in trouble(source(engine))


def test_a_server_that_takes_no_setting_is_asked_without_any(engine: Engine) -> None:
    """As with the constraints of examples/clickhouse/users.xml, but less than what we ask for."""
    refused = (
        "Code: 452. DB::Exception: Setting max_execution_time shouldn't be greater than 10. (SETTING_CONSTRAINT_VIOLATION)"
    )
    with closing(source(engine)) as found:
        found.check()
        before = len(engine.log())
        asked = found._client.ask
        with engine.fault(Fault("status", 500, refused, matching="SpanAttributes")), pytest.raises(SetupError) as error:
            found.trace("a" * 32)
        assert "default may not change a setting (ClickHouse's code 452)" in str(error.value)
        assert found.trace("a" * 32) == []
        assert asked
    settings = [asked.settings or {} for asked in engine.log()[before:] if "SpanAttributes" in asked.sql]
    assert settings
    assert all("max_execution_time" not in one for one in settings)


def test_without_the_library_the_line_says_what_to_install(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, *rest: object) -> object:
        if name.startswith("clickhouse_connect"):
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    real = builtins.__import__
    for name in [name for name in sys.modules if name.startswith("clickhouse_connect")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SetupError) as error:
        source(engine).newest()
    assert str(error.value) == (
        f"reading from {address(engine)}?table=otel_traces needs clickhouse-connect; run: "
        "pip install 'pipeline-trace[clickhouse]'"
    )


def test_the_library_lifts_no_bound_of_other_connections() -> None:
    """It is loaded at the first question. Whoever else sends too many headers is still refused."""
    asks = "from pipeline_trace.lookup.remote import remote_source\n"
    asks += f"try: remote_source('clickhouse://127.0.0.1:{free_port()}/otel', {{}}).newest()\n"
    asks += "except Exception as error: assert 'nothing answers' in str(error), error\n"
    code = f"import http.client\nbefore = http.client._MAXHEADERS\n{asks}assert http.client._MAXHEADERS == before"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
