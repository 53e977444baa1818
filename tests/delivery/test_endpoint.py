"""Wrong variables: one line that says which one, and what is expected; no secret in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_trace.delivery.destinations import SetupError, configured_destination, endpoint, setup_warning

E = "OTEL_EXPORTER_OTLP_ENDPOINT"
HTTP = "http://collector:4318"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({E: "collector:4318"}, f"{E}=collector:4318 does not begin with http:// or https://; set it to a URL such as"),
        ({E: "collector"}, "does not begin with http:// or https://"),
        ({E: "localhost:4317"}, "such as http://collector:4317"),
        ({E: "grpc://collector:4317"}, "does not begin with http:// or https://"),
        ({E: "http:/collector:4318"}, "does not begin with"),
        ({E: "http://"}, "is not a URL with a host"),
        ({E: "http://:4318"}, "is not a URL with a host"),
        ({E: "http://collector:port"}, "is not a URL"),
        ({E: "http://collector:99999"}, "is not a URL"),
        ({E: "http://[collector:4318"}, "is not a URL"),
        ({E: "http://coll ector:4318"}, "is not a URL"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector does not"),
        (
            {E: HTTP, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuff"},
            "http/protobuff is not supported; set it to http/protobuf",
        ),
        ({E: HTTP, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "http/json is not supported"),
        ({E: HTTP, "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, "OTEL_EXPORTER_OTLP_TIMEOUT=10s is not a positive number"),
        ({E: HTTP, "OTEL_EXPORTER_OTLP_TIMEOUT": "0"}, "is not a positive number"),
        ({E: HTTP, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "nan"}, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=nan is not"),
        ({E: HTTP, "OTEL_EXPORTER_OTLP_TIMEOUT": "-1"}, "is not a positive number"),
        ({E: HTTP, "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "zstd is not supported over http/protobuf; set it to gzip"),
        ({E: "http://c:4317", "OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}, "deflate is not supported over grpc"),
        (
            {E: HTTP, "OTEL_EXPORTER_OTLP_HEADERS": "a=1,Bearer hunter2hunter2"},
            "item 2 of OTEL_EXPORTER_OTLP_HEADERS is not",
        ),
        ({E: HTTP, "OTEL_EXPORTER_OTLP_HEADERS": "hunter2hunter2"}, "item 1 of OTEL_EXPORTER_OTLP_HEADERS is not"),
        ({E: HTTP, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem"}, "OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere/ca.pem"),
        ({E: "http://ann:hunter2hunter2@c:4317"}, f"{E} has a login, which gRPC does not send; leave it out"),
    ],
)
def test_wrong_variables_are_one_line_and_nothing_is_sent(environ: dict[str, str], said: str, tmp_path: Path) -> None:
    problem = endpoint.setup_problem(environ)
    assert said in problem
    assert "hunter2" not in problem
    assert len(problem.splitlines()) == 1
    assert setup_warning(environ) == problem
    with pytest.raises(SetupError) as raised:
        configured_destination(environ, tmp_path / "store")
    assert str(raised.value) == problem


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"},
        {E: HTTP},
        {E: "https://collector"},
        {E: "HTTPS://collector/otlp/"},
        {E: "http://[::1]:4318"},
        {E: f" {HTTP} ", "OTEL_EXPORTER_OTLP_PROTOCOL": " HTTP/protobuf "},
        {E: HTTP, "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5", "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP"},
        {E: HTTP, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20abc=, x-tenant = a,"},
        {E: "http://c:4317", "OTEL_EXPORTER_OTLP_COMPRESSION": "none"},
        # gRPC's own form.
        {E: "collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_INSECURE": "true"},
        {E: "wrong", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": HTTP},
    ],
)
def test_valid_variables_cost_no_line(environ: dict[str, str]) -> None:
    assert setup_warning(environ) == ""


def test_a_login_in_an_endpoint_of_http_works_and_is_warned_of() -> None:
    environ = {E: "https://ann:hunter2hunter2@collector:4318"}
    assert endpoint.setup_problem(environ) == ""
    assert setup_warning(environ).startswith(f"{E} has a login, which other programs can read there; leave it out, and set")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 10.0), ("10", 10.0), ("0.5", 0.5), ("999", 999.0), ("1000", 1.0), ("10000", 10.0), ("2.5e3", 2.5)],
)
def test_a_time_limit_of_1000_and_more_is_in_milliseconds(text: str, seconds: float) -> None:
    assert endpoint.seconds({E: HTTP, "OTEL_EXPORTER_OTLP_TIMEOUT": text}) == seconds
    specific = {E: HTTP, "OTEL_EXPORTER_OTLP_TIMEOUT": "7", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": text}
    assert endpoint.seconds(specific) == (seconds if text else 7.0)


def test_the_variables_of_metrics_are_told_apart() -> None:
    environ = {E: HTTP, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "carrier-pigeon"}
    assert endpoint.setup_problem(environ) == ""
    assert "METRICS_PROTOCOL=carrier-pigeon" in endpoint.setup_problem(environ, endpoint.METRICS)


@pytest.mark.process
def test_the_check_imports_no_package() -> None:
    code = (
        "import sys; from pipeline_trace.delivery import destinations;"
        f"assert destinations.setup_warning({{'{E}': 'collector'}});"
        "print([name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'grpc', 'requests', 'google')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
