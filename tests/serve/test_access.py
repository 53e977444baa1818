"""Who may ask: this machine by its own names, nobody else's web page, other machines with a token only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import requests
import support
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from support.peer_bodies import OTEL_CLI
from support.report_samples import sample
from support.serving import Server, call

from pipeline_trace.delivery.destinations.otlp import _span_maker
from pipeline_trace.serve.guard import is_loopback, problem, rules
from pipeline_trace.serve.web import _local

TOKEN = "correct-horse-battery-staple"
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def module_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return support.environ(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def server(module_env: dict[str, str]) -> Iterator[Server]:
    with Server(module_env) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that asks for a token."""
    env = support.environ(tmp_path_factory.mktemp("guarded"), PIPELINE_TRACE_SERVE_TOKEN=TOKEN)
    with Server(env, "--allow-host", "Traces.example.org") as running:
        yield running


def test_only_loopback_is_loopback() -> None:
    assert [name for name in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1", "ci") if
            is_loopback(name)] == ["127.0.0.1", "127.9.9.9", "::1", "localhost"]  # fmt: skip


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4318", "127.0.0.1:1", "[::1]:4318", "localhost."])
def test_own_names_on_loopback(host: str) -> None:
    assert problem(rules("127.0.0.1", "", []), {"host": host}) == ""


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[", "a@b", "127.0.0.2:80"]
)
def test_foreign_names_on_loopback(host: str) -> None:
    assert "Host" in problem(rules("127.0.0.1", "", []), {"host": host})


def test_names_on_another_address() -> None:
    found = rules("0.0.0.0", TOKEN, ["Traces.example.org"])
    for host in ("10.1.2.3:4318", "[fd00::1]:4318", "traces.example.org", "TRACES.example.org:80", "localhost"):
        assert problem(found, {"host": host}) == ""
    assert problem(found, {"host": "evil.example"})


@pytest.mark.parametrize(
    ("origin", "good"),
    [
        ("http://localhost:4318", True),
        ("http://LOCALHOST:4318", True),
        ("http://localhost:8080", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_origins(origin: str, good: bool) -> None:
    headers = {"host": "localhost:4318", "origin": origin}
    assert (problem(rules("127.0.0.1", "", []), headers) == "") is good


@pytest.mark.process
@pytest.mark.parametrize("path", ["/", "/v1/traces", "/trace/latest", "/login"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_foreign_requests_are_refused_everywhere(server: Server, path: str, headers: dict[str, str]) -> None:
    method = "POST" if path == "/v1/traces" else "GET"
    answer = requests.request(method, server.url + path, data=OTEL_CLI, headers={**PROTOBUF, **headers}, timeout=20)
    assert answer.status_code == 403
    assert not support.stored({"PIPELINE_TRACE_HOME": str(server.store.parent)})


@pytest.mark.process
def test_without_a_token_nobody_logs_in(server: Server) -> None:
    assert requests.get(f"{server.url}/", timeout=20).status_code == 200
    for given in ("", TOKEN):
        answer = requests.post(f"{server.url}/login", {"token": given}, timeout=20, allow_redirects=False)
        assert answer.status_code == 401


@pytest.mark.process
@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"])
def test_without_the_token_nothing_is_taken_or_shown(guarded: Server, given: str | None) -> None:
    headers = {"Authorization": given.encode()} if given is not None else {}
    assert requests.get(f"{guarded.url}/", headers=headers, timeout=20).status_code == 401
    answer = requests.post(guarded.traces, OTEL_CLI, headers={**PROTOBUF, **headers}, timeout=20)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert not support.stored({"PIPELINE_TRACE_HOME": str(guarded.store.parent)})
    with pytest.raises(grpc.RpcError) as caught:
        call(guarded, OTEL_CLI, **({"authorization": given} if given and given.isascii() else {}))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.process
def test_exporters_send_the_token_as_users_set_it(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{TOKEN}")
    with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": TOKEN}) as server:
        for exporter in (HttpExporter(endpoint=server.traces), GrpcExporter(endpoint=server.grpc, insecure=True)):
            assert exporter.export(_span_maker()(sample())) is SpanExportResult.SUCCESS
            exporter.shutdown()
    assert len(support.stored(env)) == len(sample())


@pytest.mark.process
def test_our_own_sender_says_that_the_token_is_missing(guarded: Server, tmp_path: Path) -> None:
    env = support.environ(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=guarded.url)
    support.spawn("exec", "--", "true", env=env)
    said = support.trace("ship", env=env).stderr
    assert '401 Unauthorized ("the token is missing or wrong;' in said
    assert "check the login in OTEL_EXPORTER_OTLP_HEADERS" in said


@pytest.mark.process
def test_a_browser_logs_in_and_comes_back_to_where_it_was(guarded: Server) -> None:
    with requests.Session() as session:
        session.headers["Accept"] = "text/html"
        asked = session.get(f"{guarded.url}/traces?q=a%20b", timeout=20)
        assert asked.url == f"{guarded.url}/login?next=%2Ftraces%3Fq%3Da%2520b"
        wrong = session.post(f"{guarded.url}/login", {"token": "wrong", "next": "/"}, timeout=20)
        assert wrong.status_code == 401
        assert "This token is wrong." in wrong.text
        done = session.post(f"{guarded.url}/login", {"token": TOKEN, "next": "/traces?q=a%20b"}, timeout=20)
        assert (done.status_code, done.url) == (200, f"{guarded.url}/traces?q=a%20b")
        (cookie,) = session.cookies
        assert TOKEN not in (cookie.value or "")
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "lax"
        assert session.get(f"{guarded.url}/trace/latest", timeout=20).status_code == 404
        # A cookie, which a browser sends by itself, brings in no spans.
        assert session.post(guarded.traces, OTEL_CLI, headers=PROTOBUF, timeout=20).status_code == 401


@pytest.mark.process
def test_another_name_can_be_allowed(guarded: Server) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for host, status in (("traces.example.org", 200), ("other.example.org", 403)):
        assert requests.get(f"{guarded.url}/", headers={**headers, "Host": host}, timeout=20).status_code == status


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb", "javascript:x"]
)
def test_a_login_leads_nowhere_else(target: str) -> None:
    assert _local(target) == "/"
    assert _local("/trace/abc?x=1") == "/trace/abc?x=1"


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (("--host", "0.0.0.0"), None, "needs a token: set PIPELINE_TRACE_SERVE_TOKEN or --token-file"),
        (("--host", "0.0.0.0"), "short", "shorter than 16 characters"),
        ((), "short", "shorter than 16 characters"),
        ((), "no spaces in it please", "an HTTP header cannot carry"),
    ],
)
def test_a_missing_or_poor_token_is_one_line(
    env: dict[str, str], arguments: tuple[str, ...], token: str | None, said: str
) -> None:
    given = {**env, "PIPELINE_TRACE_SERVE_TOKEN": token} if token else env
    done = support.spawn("serve", "--port", "0", "--grpc-port", "0", *arguments, env=given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


@pytest.mark.process
def test_another_address_with_a_token_from_a_file_warns(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    server = Server(env, "--host", "0.0.0.0", "--token-file", str(path))
    url = server.url.replace("0.0.0.0", "127.0.0.1")
    assert requests.get(url, timeout=20).status_code == 401
    assert requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20).status_code == 200
    status, said = server.end()
    assert status == 0
    assert said.startswith("pipeline-trace: warning: other machines can connect to 0.0.0.0, without encryption")
    assert TOKEN not in said


@pytest.mark.process
@pytest.mark.parametrize("which", ["--port", "--grpc-port"])
def test_a_second_server_says_so_in_one_line(server: Server, env: dict[str, str], which: str) -> None:
    port = str(server.port) if which == "--port" else server.grpc.rpartition(":")[2]
    other = "--grpc-port" if which == "--port" else "--port"
    done = support.spawn("serve", which, port, other, "0", env=env)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert which in done.stderr


@pytest.mark.process
def test_a_store_that_is_none_is_one_line(env: dict[str, str]) -> None:
    home = Path(env["PIPELINE_TRACE_HOME"])
    home.mkdir(mode=0o700)
    (home / "traces.db").write_text("this is no database" * 100)
    done = support.spawn("serve", "--port", "0", "--grpc-port", "0", env=env)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "move it away, or set PIPELINE_TRACE_HOME" in done.stderr


@pytest.mark.process
def test_other_commands_do_not_import_the_web_server(env: dict[str, str]) -> None:
    code = (
        "import sys\n"
        "from pipeline_trace.commands import cli\n"
        "assert all(cli.get_command(None, name) for name in ('serve', 'show', 'exec'))\n"
        "print(sorted({'starlette', 'uvicorn', 'anyio', 'grpc', 'google.protobuf', 'asyncio'} & set(sys.modules)))\n"
    )
    done = support.run(support.BIN / "python", "-c", code, env=env)
    assert (done.stdout, done.stderr) == ("[]\n", "")
