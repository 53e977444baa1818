"""examples/clickhouse on one machine: Compose's schema, our commands understand theirs, and all that a file names is there.

None of them is run as a whole. tests/engines asks ClickHouse's engine what users.xml allows.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import support
import yaml
from support.examples import CLICKHOUSE, check_command, loadable, make_secrets

from jenkins_poller.config import load

PORT = "4318"

Object = dict[str, Any]


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml", "users.xml", "grants.sql"])
def test_each_says_that_it_has_not_been_run(name: str) -> None:
    head = " ".join((CLICKHOUSE / name).read_text()[:900].replace("\n#", " ").replace("\n--", " ").split())
    assert re.search(r"has not been run (as a whole|with it)", head)
    assert "tests check" in head


# Logins


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that secrets.sh makes."""
    return make_secrets(tmp_path_factory.mktemp("clickhouse"))


@pytest.mark.process
def test_the_hashes_are_those_of_the_passwords(secrets: Path) -> None:
    users = ET.parse(secrets / "passwords.xml").find("users")
    assert users is not None
    assert [user.tag for user in users] == ["collector", "reader"]
    for user in users:
        password = (secrets / f"clickhouse-{user.tag}").read_bytes()
        assert len(password) == 48
        assert password.isalnum()
        assert user.findtext("password_sha256_hex") == hashlib.sha256(password).hexdigest()


@pytest.mark.process
def test_logins_that_are_there_stay(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    make_secrets(tmp_path)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}


@pytest.mark.process
def test_containers_may_read_the_logins_and_other_users_of_the_machine_may_not(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o644}


# Users


def test_both_ways_to_make_the_users_say_the_same() -> None:
    root = ET.parse(CLICKHOUSE / "users.xml").getroot()
    sql = re.sub(r"--.*", "", (CLICKHOUSE / "grants.sql").read_text())
    grants = {f"{query.text} TO {user.tag}" for user in root.find("users") or () for query in user.findall("grants/query")}
    assert {" ".join(found.split()) for found in re.findall(r"GRANT [^;]+", sql)} == grants
    profile = root.find("profiles/pipeline_trace_reader")
    assert profile is not None
    limits = {setting.tag: (setting.text, None, None) for setting in profile if setting.tag != "constraints"}
    for setting in profile.find("constraints") or ():
        limits[setting.tag] = (limits[setting.tag][0], setting.findtext("min"), setting.findtext("max"))
    found = re.findall(r"(\w+) = (\d+)(?: MIN (\d+) MAX (\d+))?", sql)
    assert {name: (value, least or None, most or None) for name, value, least, most in found} == limits


def test_the_grants_of_the_page_are_those_of_the_file() -> None:
    said = re.findall(r"^GRANT .+;$", (support.ROOT / "docs/many-machines.md").read_text(), re.MULTILINE)
    assert said == re.findall(r"^GRANT .+ TO reader;$", (CLICKHOUSE / "grants.sql").read_text(), re.MULTILINE)


# Compose


@pytest.fixture(scope="module")
def compose() -> Object:
    found: Object = yaml.safe_load((CLICKHOUSE / "compose.yaml").read_text())
    return found


@pytest.fixture(scope="module")
def services(compose: Object) -> dict[str, Object]:
    found: dict[str, Object] = compose["services"]
    return found


@pytest.mark.process
def test_compose_would_take_the_file(tmp_path: Path) -> None:
    command = (support.BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", CLICKHOUSE / "compose.yaml")
    done = support.run(*command, env=support.environ(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_refer_to_what_is_there_and_to_all_of_it(compose: Object, services: dict[str, Object]) -> None:
    volumes = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    assert {name for name in volumes if not name.startswith(".")} == compose["volumes"].keys()
    assert [name for name in volumes if name.startswith(".") and not (CLICKHOUSE / name).exists()] == []
    assert {name for service in services.values() for name in service.get("networks", ())} == compose["networks"].keys()
    used = {
        given if isinstance(given, str) else given["source"]
        for service in services.values()
        for given in service.get("secrets", ())
    }
    assert used == compose["secrets"].keys()
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            assert "healthcheck" in services[name] or condition["condition"] == "service_completed_successfully"


@pytest.mark.process
def test_each_secret_is_a_file_that_is_made(compose: Object, secrets: Path) -> None:
    said = re.findall(r"^#.* > (secrets/\S+)", (CLICKHOUSE / "compose.yaml").read_text(), re.MULTILINE)
    made = {*said, *(f"secrets/{path.name}" for path in secrets.iterdir())}
    assert {secret["file"] for secret in compose["secrets"].values()} == made
    assert (CLICKHOUSE / ".gitignore").read_text() == "/secrets/\n"


def test_secrets_are_read_from_where_they_are_mounted(services: dict[str, Object]) -> None:
    for service in services.values():
        words = [*service.get("command", ()), *service.get("environment", {}).values()]
        named = {name for word in words for name in re.findall(r"/run/secrets/([\w-]+)", word)}
        mounted = {name for name in service.get("secrets", ()) if isinstance(name, str)}
        # The poller's are named in its file.
        assert named == mounted or mounted == {"jenkins-user", "jenkins-token"}
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or "/run/secrets/" in value


def test_the_collector_reads_the_variables_that_it_gets(services: dict[str, Object]) -> None:
    text = (CLICKHOUSE / "collector.yaml").read_text()
    assert [name for name in services["collector"]["environment"] if f"${{env:{name}" not in text] == []


def test_our_commands_in_it_are_understood(services: dict[str, Object], tmp_path: Path) -> None:
    ours = [service["command"] for service in services.values() if service["image"].startswith("pipeline-trace:")]
    assert [words[0] for words in ours if words] == ["poll", "serve", "serve"]
    for words in filter(None, ours):
        check_command(words, tmp_path)


def test_each_service_is_pinned_and_has_no_rights_to_spare(compose: Object, services: dict[str, Object]) -> None:
    for service in services.values():
        assert re.search(r":\d+\.\d+\.\d+", service["image"])
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        # A part that nobody outside needs stays on this machine.
        assert all(re.match(r"\$\{\w+:-127\.0\.0\.1\}:", port) for port in service.get("ports", ()))
    assert {name for name, service in services.items() if "store" in service.get("networks", ())} == {
        "clickhouse",
        "collector",
        "pages-1",
        "pages-2",
    }
    assert compose["networks"]["store"] == {"internal": True}


def test_the_image_is_built_by_the_containerfile(services: dict[str, Object]) -> None:
    build = services["pages-1"]["build"]
    containerfile = (CLICKHOUSE / build["context"] / build["dockerfile"]).read_text()
    assert all(f"\nARG {name}=" in containerfile for name in build["args"])
    # The program of its health check.
    assert "python -m venv /opt/pipeline-trace " in containerfile


def test_the_load_balancer_asks_both_replicas_whether_they_are_ready(services: dict[str, Object]) -> None:
    text = (CLICKHOUSE / "Caddyfile").read_text()
    (line,) = re.findall(r"reverse_proxy (.+) \{", text)
    assert line.split() == [f"{name}:{PORT}" for name in services if name.startswith("pages-")]
    assert "health_uri /readyz" in text
    (port,) = services["load-balancer"]["ports"]
    assert f"\n:{port.rpartition(':')[2]} {{" in text


def test_the_pollers_configuration_is_right(services: dict[str, Object], tmp_path: Path) -> None:
    text = (CLICKHOUSE / "poller.yaml").read_text()
    assert len(load(loadable(text, tmp_path), {})) == 1
    named = re.findall(r"_file: /run/secrets/(\S+)", text)
    assert named == services["poller"]["secrets"]
