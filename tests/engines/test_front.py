"""The server in front of chdb behaves as ClickHouse does, as far as what is tested through it depends on that."""

from __future__ import annotations

import ssl
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import BadStatusLine, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from support import clickhouse_schema, tls
from support.clickhouse import Engine, EngineError, Fault, Tls, User, needs_engine

pytestmark = [pytest.mark.process, needs_engine]

READERS = {
    "one": User("first", settings={"readonly": "1"}),
    "some": User("second", settings={"readonly": "1"}, changeable=("max_execution_time",)),
    "two": User("third", settings={"readonly": "2"}),
}
READONLY = 164


def refused(engine: Engine, sql: str, user: str = "default", **settings: object) -> EngineError:
    """Return the error that a statement is answered with."""
    with pytest.raises(EngineError) as caught:
        engine.sql(sql, user, **settings)
    assert f"Code: {caught.value.code}. DB::Exception: " in str(caught.value)
    return caught.value


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An engine with empty tables and readers, of which tests only ask."""
    with Engine(tmp_path_factory.mktemp("shared"), users=READERS) as engine:
        clickhouse_schema.create(engine)
        yield engine


@pytest.mark.parametrize("user", READERS)
@pytest.mark.parametrize(
    "sql", ["DROP TABLE otel_traces", "INSERT INTO otel_traces (TraceId) VALUES ('a')", "SET readonly = 0"]
)
def test_reader_changes_nothing(shared: Engine, user: str, sql: str) -> None:
    assert shared.sql("SELECT count() AS n FROM otel_traces", user) == [{"n": 0}]
    assert refused(shared, sql, user).code == READONLY


@pytest.mark.parametrize(
    ("user", "setting", "taken"),
    [
        ("one", "max_execution_time", False),
        ("some", "max_execution_time", True),
        ("some", "max_threads", False),
        ("two", "max_execution_time", True),
        ("two", "readonly", False),
    ],
)
def test_reader_changes_the_settings_that_it_may(shared: Engine, user: str, setting: str, taken: bool) -> None:
    asked = f"SELECT readonly FROM system.settings WHERE name = '{setting}'"
    assert shared.sql(asked, user) == [{"readonly": int(not taken)}]
    if taken:
        assert shared.sql(f"SELECT toInt8(getSetting('{setting}')) AS v", user, **{setting: 7}) == [{"v": 7}]
    else:
        assert refused(shared, "SELECT 1", user, **{setting: 7}).code == READONLY


@pytest.mark.parametrize(
    ("sql", "settings", "status", "code"),
    [
        ("SELEC 1", {}, 400, 62),
        ("SELECT nope", {}, 404, 47),
        ("SELECT * FROM nope", {}, 404, 60),
        ("SELECT 1", {"database": "nope"}, 404, 81),
        ("SELECT 1", {"no_such_setting": 1}, 404, 115),
        ("SELECT {x:String}", {}, 500, 456),
        ("SELECT sum(sipHash64(number)) FROM numbers(1000000000000)", {"max_execution_time": 0.1}, 408, 159),
        ("SELECT number FROM numbers(100)", {"max_result_rows": 10}, 500, 396),
        ("SELECT max(number) FROM numbers(1000)", {"max_rows_to_read": 10}, 500, 158),
    ],
)
def test_errors_have_the_codes_of_clickhouse(
    shared: Engine, sql: str, settings: dict[str, object], status: int, code: int
) -> None:
    error = refused(shared, sql, **settings)
    assert (error.status, error.code) == (status, code)


def test_parameters_stay_what_they_are(shared: Engine) -> None:
    given = {"param_text": r"a\tb\\c'é", "param_texts": r"['x\'y','z']"}
    found = shared.sql("SELECT {text:String} AS text, {texts:Array(String)} AS texts", **given)
    assert found == [{"text": "a\tb\\c'é", "texts": ["x'y", "z"]}]


def test_query_may_be_longer_than_what_python_takes(shared: Engine) -> None:
    ids = [f"{number:032x}" for number in range(3000)]
    assert shared.sql("SELECT length({ids:Array(String)}) AS n", param_ids=ids) == [{"n": len(ids)}]


def test_log_tells_what_was_asked_and_what_it_cost(shared: Engine) -> None:
    shared.sql("SELECT number FROM numbers(1000) WHERE number < 3", "two", query_id="a question", max_threads=1)
    (asked,) = [asked for asked in shared.log() if asked.query_id == "a question"]
    assert (asked.user, asked.code, asked.result_rows, asked.settings) == ("two", 0, 3, {"max_threads": "1"})
    assert asked.read_rows >= 3
    assert asked.read_bytes == 8 * asked.read_rows


def test_wrong_password_and_unknown_user_are_told_alike(shared: Engine) -> None:
    url = f"{shared.url}/?query=SELECT+1&user="
    for name in ("two", "nobody"):
        with pytest.raises(URLError, match="403"):
            urllib.request.urlopen(f"{url}{name}&password=wrong")


# Several at once


@pytest.mark.parametrize(("same", "code"), [({"session_id": "s"}, 373), ({"query_id": "q"}, 216)])
def test_session_and_query_id_are_for_one_at_a_time(engine: Engine, same: dict[str, str], code: int) -> None:
    slow = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000) SETTINGS max_execution_time = 20"
    codes = []

    def ask(sql: str) -> None:
        try:
            engine.sql(sql, **same)
        except (EngineError, OSError) as error:
            codes.append(getattr(error, "code", None))

    asking = threading.Thread(target=ask, args=(slow,))
    asking.start()
    while not engine.sql("SELECT 1 FROM system.processes WHERE query LIKE '%sipHash64%' AND query NOT LIKE '%processes%'"):
        pass
    ask("SELECT 1")
    assert codes == [code]
    engine.kill()
    asking.join()


def test_one_that_hangs_keeps_no_other_waiting(engine: Engine) -> None:
    with ThreadPoolExecutor() as pool:
        with engine.fault(Fault("hang", matching="slow")):
            slow = pool.submit(engine.sql, "SELECT 'slow' AS a")
            assert [engine.sql(f"SELECT {number} AS a") for number in range(5)] == [[{"a": n}] for n in range(5)]
            assert not slow.done()
        assert slow.result() == [{"a": "slow"}]


# What goes wrong


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault("status"), EngineError), (Fault("garbage"), BadStatusLine), (Fault("cut"), IncompleteRead)],
    ids=["status", "garbage", "cut"],
)
def test_fault_is_over_with_its_context(engine: Engine, fault: Fault, error: type[Exception]) -> None:
    with engine.fault(fault), pytest.raises(error):
        engine.sql("SELECT 1 AS a")
    assert engine.sql("SELECT 1 AS a") == [{"a": 1}]


def test_data_outlive_a_kill_and_are_where_they_were(engine: Engine) -> None:
    engine.sql("CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a")
    engine.sql("INSERT INTO t VALUES (1), (2)")
    engine.kill()
    with pytest.raises(URLError, match="refused"):
        engine.sql("SELECT 1")
    engine.start()
    assert engine.sql("SELECT a FROM t ORDER BY a") == [{"a": 1}, {"a": 2}]
    assert engine.said == ""


def test_time_zone_is_the_servers(tmp_path: Path) -> None:
    with Engine(tmp_path / "clickhouse", zone="Asia/Tokyo") as engine:
        assert engine.sql("SELECT toString(toDateTime(0)) AS t") == [{"t": "1970-01-01 09:00:00"}]


def test_client_certificate_is_asked_for_and_names_the_user(tmp_path: Path) -> None:
    authority, _ = tls.authority(tmp_path)
    files = Tls(tmp_path / "server.pem", authority, clients=True)
    with Engine(tmp_path / "clickhouse", users={"reader": User(certificate="jenkins")}, tls=files) as engine:
        assert engine.sql("SELECT 1 AS a") == [{"a": 1}]
        context = ssl.create_default_context(cafile=authority)
        with pytest.raises(OSError):  # noqa: PT011
            urllib.request.urlopen(f"{engine.url}/ping", context=context)
        context.load_cert_chain(files.certificate)
        login = {"X-ClickHouse-User": "reader", "X-ClickHouse-SSL-Certificate-Auth": "on"}
        request = urllib.request.Request(f"{engine.url}/?query=SELECT+1", headers=login)
        assert urllib.request.urlopen(request, context=context).read() == b"1\n"
