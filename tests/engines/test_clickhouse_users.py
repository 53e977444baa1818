"""examples/clickhouse/users.xml and grants.sql in ClickHouse's own engine: what the two users may do, and what not."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import support
from support import processes, told
from support.clickhouse import Engine, User, needs_engine
from support.examples import CLICKHOUSE, make_secrets
from support.otel_collector import Collector
from support.report_samples import sample
from support.toolchains import needs_collector

VENV = support.ROOT / ".venvs/engine"
pytestmark = [pytest.mark.process, needs_engine]

TABLES = ("otel_traces", "otel_traces_trace_id_ts", "otel_traces_runs", "otel_logs")
# What the server's image brings. The engine knows one user, default; a test gives it the rights of another.
SERVER = """
<clickhouse>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
    <users><default>
        <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
        <access_management>1</access_management>
    </default></users>
</clickhouse>
"""
CONFIGURATION = """
<clickhouse>
    <users_config>{folder}/users.xml</users_config>
    <access_control_improvements>
        <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
    </access_control_improvements>
</clickhouse>
"""
# In a process of its own: its settings are read once. chdb's compiled module alone needs nothing else installed.
ASK = """
import importlib.util, json, pathlib, sys
package = pathlib.Path(importlib.util.find_spec("chdb").origin)
spec = importlib.util.spec_from_file_location("_chdb", package.with_name("_chdb.abi3.so"))
chdb = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chdb)
connection = chdb.connect(sys.argv[1])
hashes = {"reader": "0" * 64, "collector": "1" * 64}
def answer(sql):
    try:
        return bytes(connection.query(sql, "TabSeparated", params=hashes).bytes()).decode()
    except RuntimeError as error:
        return str(error)
print(json.dumps([answer(sql) for sql in json.loads(sys.argv[2])]))
"""


def ask(folder: Path, users: str, *statements: str) -> list[str]:
    """Return the engine's answers, or its errors. ``users``: users.xml of the example, perhaps changed."""
    (folder / "users.d").mkdir(exist_ok=True)
    (folder / "users.xml").write_text(SERVER)
    (folder / "users.d/users.xml").write_text(users)
    (folder / "config.xml").write_text(CONFIGURATION.format(folder=folder))
    place = f"{folder}/data?config-file={folder}/config.xml"
    done = support.run(VENV / "bin/python", "-c", ASK, place, json.dumps(statements), env=support.environ(folder))
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def as_default(name: str) -> str:
    """Return users.xml in which the only user of the engine has the rights of this one."""
    root = ET.parse(CLICKHOUSE / "users.xml").getroot()
    users = root.find("users")
    assert users is not None
    for user in list(users):
        if user.tag != name:
            users.remove(user)
    users[0].tag = "default"
    users[0].set("replace", "replace")
    ET.SubElement(users[0], "password")
    return ET.tostring(root, encoding="unicode")


def code(answer: str) -> int:
    """Return ClickHouse's code of an error, 0 for none."""
    found = re.search(r"Code: (\d+)\.", answer)
    return int(found[1]) if found else 0


DENIED, READONLY, CONSTRAINT, TOO_MANY_ROWS = 497, 164, 452, 396


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the Collector's user makes it."""
    found = tmp_path_factory.mktemp("engine")
    made = [f"CREATE TABLE otel.{name} (a Int64) ENGINE = MergeTree ORDER BY a" for name in (*TABLES, "other")]
    fed = "CREATE MATERIALIZED VIEW otel.fed TO otel.otel_traces_trace_id_ts AS SELECT a FROM otel.otel_traces"
    filled = "INSERT INTO otel.otel_traces SELECT number FROM numbers(1100000)"
    asked = ("CREATE DATABASE IF NOT EXISTS otel", *made, fed, filled, "DESC TABLE otel.otel_traces")
    answers = ask(found, as_default("collector"), *asked)
    assert [answer for answer in answers if code(answer)] == []
    return found


def test_the_collector_removes_and_changes_nothing(folder: Path) -> None:
    asked = (
        "DROP TABLE otel.other",
        "TRUNCATE TABLE otel.other",
        "ALTER TABLE otel.other DELETE WHERE 1",
        "CREATE DATABASE x",
    )
    assert {code(answer) for answer in ask(folder, as_default("collector"), *asked)} == {DENIED}


def test_the_reader_reads_four_tables_and_no_other(folder: Path) -> None:
    asked = [f"SELECT count() FROM otel.{name}" for name in (*TABLES, "other", "fed")]
    answers = ask(folder, as_default("reader"), *asked)
    assert [code(answer) for answer in answers] == [0, 0, 0, 0, DENIED, DENIED]
    seen = "SELECT name FROM system.tables WHERE database = 'otel' ORDER BY name"
    assert ask(folder, as_default("reader"), seen)[0].split() == sorted(TABLES)


def test_the_reader_writes_nothing_and_reads_nothing_of_the_machine(folder: Path) -> None:
    asked = (
        "INSERT INTO otel.otel_traces VALUES (1)",
        "CREATE TABLE otel.mine (a Int64) ENGINE = Memory",
        "DROP TABLE otel.otel_traces",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
        "SELECT * FROM system.users",
    )
    assert {code(answer) for answer in ask(folder, as_default("reader"), *asked)} == {DENIED}


def test_what_a_client_asks_when_it_connects_is_answered(folder: Path) -> None:
    asked = (
        "SELECT version(), timezone()",
        "SELECT name, value, readonly FROM system.settings",
        "DESC TABLE otel.otel_traces",
    )
    assert [code(answer) for answer in ask(folder, as_default("reader"), *asked)] == [0, 0, 0]


def test_limits_hold_and_no_query_takes_them_away(folder: Path) -> None:
    names = ("max_execution_time", "max_memory_usage", "max_memory_usage_for_user", "max_result_rows", "max_result_bytes")
    asked = [f"SELECT 1 SETTINGS {name} = {value}" for name in names for value in (0, 10**12)]
    assert {code(answer) for answer in ask(folder, as_default("reader"), *asked)} == {CONSTRAINT}
    said = ask(
        folder,
        as_default("reader"),
        "SELECT count() FROM otel.otel_traces SETTINGS max_execution_time = 120, max_result_rows = 10, max_threads = 2",
        "SELECT a FROM otel.otel_traces",
        "SET readonly = 0",
    )
    assert [code(answer) for answer in said] == [0, TOO_MANY_ROWS, READONLY]


def test_users_and_hashes_make_users(tmp_path: Path) -> None:
    secrets = make_secrets(tmp_path)
    (tmp_path / "users.d").mkdir()
    (secrets / "passwords.xml").rename(tmp_path / "users.d/passwords.xml")
    asked = [f"SHOW CREATE USER {name}" for name in ("reader", "collector", "default")]
    reader, collector, administrator = ask(tmp_path, (CLICKHOUSE / "users.xml").read_text(), *asked)
    assert reader.startswith("CREATE USER reader IDENTIFIED WITH sha256_password SETTINGS PROFILE `pipeline_trace_reader`")
    assert collector.startswith("CREATE USER collector IDENTIFIED WITH sha256_password SETTINGS PROFILE `default`")
    assert " HOST LOCAL " in administrator


def test_the_engine_understands_the_grants(tmp_path: Path) -> None:
    text = re.sub(r"--.*", "", (CLICKHOUSE / "grants.sql").read_text())
    statements = [statement.strip() for statement in text.split(";") if statement.strip()]
    answers = ask(tmp_path, "<clickhouse/>", *statements)
    assert len(answers) == 9
    # The engine has no place for users that SQL makes. It looks for one only if it understood the statement.
    no_place, no_profile, no_user = 514, 180, 511
    assert {code(answer) for answer in answers} == {no_place, no_profile, no_user}


@needs_collector
def test_the_collector_reads_its_password_from_a_file(tmp_path: Path) -> None:
    """As compose.yaml and kubernetes.yaml give it."""
    file = make_secrets(tmp_path) / "clickhouse-collector"
    env = {"CLICKHOUSE_USER": "collector", "CLICKHOUSE_PASSWORD": f"${{file:{file}}}"}
    with Engine(tmp_path / "engine", users={"collector": User(file.read_text())}) as engine:
        settings = {"backend": engine.url, "exporter": "clickhouse", "exporters__clickhouse__compress": "gzip"}
        with Collector(tmp_path / "collector", "clickhouse/collector", env=env, **settings) as running:
            # The tables keep 400 days.
            spans = told.moved(sample(), time.time_ns())
            running.send(spans)
            counted = "SELECT count() AS spans FROM otel.otel_traces"
            processes.wait_for(lambda: engine.sql(counted)[0]["spans"] == len(spans), "arrival of the spans", 60)
    assert {asked.user for asked in engine.log() if "INSERT INTO" in asked.sql} == {"collector"}
