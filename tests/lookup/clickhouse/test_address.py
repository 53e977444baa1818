"""An address of a source says where ClickHouse is, and never has a password."""

from __future__ import annotations

import pytest

from pipeline_trace.delivery.destinations import SetupError
from pipeline_trace.lookup.clickhouse.address import EXAMPLE, Address, parsed
from pipeline_trace.lookup.clickhouse.login import PASSWORD


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EXAMPLE, Address("host", 8443, True, "user", "otel", "otel_traces")),
        ("clickhouse://host", Address("host", 8443, True, "default", "default", "otel_traces")),
        ("clickhouse://host/", Address("host", 8443, True, "default", "default", "otel_traces")),
        ("clickhouse://host/otel/?table=t_1", Address("host", 8443, True, "default", "otel", "t_1")),
        ("clickhouse://host:443", Address("host", 443, True, "default", "default", "otel_traces")),
        (" clickhouse://HOST.example.com\n", Address("host.example.com", 8443, True, "default", "default", "otel_traces")),
        ("clickhouse://host?secure=false", Address("host", 8123, False, "default", "default", "otel_traces")),
        ("clickhouse://host:8443?secure=false", Address("host", 8443, False, "default", "default", "otel_traces")),
        ("clickhouse://host:8123", Address("host", 8123, True, "default", "default", "otel_traces")),
        ("clickhouse://localhost", Address("localhost", 8123, False, "default", "default", "otel_traces")),
        ("clickhouse://127.0.0.1", Address("127.0.0.1", 8123, False, "default", "default", "otel_traces")),
        ("clickhouse://127.8.8.8:9/o", Address("127.8.8.8", 9, False, "default", "o", "otel_traces")),
        ("clickhouse://[::1]", Address("::1", 8123, False, "default", "default", "otel_traces")),
        ("clickhouse://localhost?secure=true", Address("localhost", 8443, True, "default", "default", "otel_traces")),
        ("clickhouse://u@[2001:db8::2]:1/o", Address("2001:db8::2", 1, True, "u", "o", "otel_traces")),
        ("clickhouse://10.1.2.3", Address("10.1.2.3", 8443, True, "default", "default", "otel_traces")),
        (
            "clickhouse://localhost.example.com",
            Address("localhost.example.com", 8443, True, "default", "default", "otel_traces"),
        ),
        ("clickhouse://alice%40corp@host", Address("host", 8443, True, "alice@corp", "default", "otel_traces")),
        ("clickhouse://reader:@host", Address("host", 8443, True, "reader", "default", "otel_traces")),
    ],
)
def test_an_address_says_where_clickhouse_is(text: str, expected: Address) -> None:
    found = parsed(text)
    assert found == expected
    assert parsed(f"{found}&secure={str(found.secure).lower()}") == found


def refusal(text: str) -> str:
    with pytest.raises(SetupError) as error:
        parsed(text)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "clickhouse://reader:{}@host:8443/otel",
        "clickhouse://:{}@host",
        "clickhouse://reader:{}/x@host:8443/otel",
        "clickhouse://reader:12/{}@host:8443/otel",
        "clickhouse://reader:12?{}@host:8443/otel",
        "clickhouse://reader:12#{}@host:8443/otel",
        "clickhouse://reader:a@{}@host/otel",
        "clickhouse://reader%3A{}@host/otel",
        "clickhouse://reader@{}@host/otel",
        "clickhouse://reader:{}%40@host/otel",
        "clickhouse://host/otel?user=reader&password={}",
        "https://reader:{}@host:8443/otel",
    ],
)
def test_a_password_is_refused_and_not_repeated(text: str) -> None:
    said = refusal(text.format(SECRET))
    assert SECRET not in said
    assert f"set {PASSWORD} or {PASSWORD}_FILE instead, and change the password" in said


@pytest.mark.parametrize(
    "text",
    [
        "clickhouse://reader:{}/otel",
        "clickhouse://[{}",
        "clickhouse://reader:{}",
        "clickhouse://[::1]{}@host/",
        "clickhouse://reader:\x1b{}@host",
        "clickhouse://host/otel?secure={}",
    ],
)
def test_what_is_broken_is_not_repeated_where_it_may_be_a_password(text: str) -> None:
    assert SECRET not in refusal(text.format(SECRET))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", f"the source must be an address like {EXAMPLE}"),
        ("host", f"the source must be an address like {EXAMPLE}"),
        ("http://host:8123/otel", f"the source must be an address like {EXAMPLE}"),
        ("clickhouse://", f"the source must be an address like {EXAMPLE}"),
        ("clickhouse:///otel", f"the source must be an address like {EXAMPLE}"),
        ("clickhouse://a b/otel", f"the source must be an address like {EXAMPLE}"),
        (
            "clickhouse://host:x/otel",
            f"the port in the address of the source is no number; write the address like {EXAMPLE}",
        ),
        (
            "clickhouse://host:99999/",
            f"the port in the address of the source is no number; write the address like {EXAMPLE}",
        ),
        ("clickhouse://host/a/b", f"'a/b' is not the name of a database; write the address of the source like {EXAMPLE}"),
        (
            "clickhouse://host/otel?table=otel.otel_traces",
            f"'otel.otel_traces' is not the name of a table; write the address of the source like {EXAMPLE}",
        ),
        ("clickhouse://host/otel?table=", f"'' is not the name of a table; write the address of the source like {EXAMPLE}"),
        (
            "clickhouse://host/otel?table=t`%20UNION",
            f"'t` UNION' is not the name of a table; write the address of the source like {EXAMPLE}",
        ),
        (
            "clickhouse://host/otel?tabel=t&verify=0",
            "the address of the source says tabel, verify; only table and secure can stand behind the ?",
        ),
        ("clickhouse://host/otel?secure=1", "secure in the address of the source must be secure=true or secure=false"),
        ("clickhouse://host/\notel", f"the address of the source is not valid; write it like {EXAMPLE}"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_what_to_write(text: str, said: str) -> None:
    assert refusal(text) == said
