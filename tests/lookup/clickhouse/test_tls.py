"""TLS to ClickHouse, with real handshakes: whom this side trusts, and how it shows who it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support import clickhouse_schema, tls
from support.clickhouse import Engine, Tls, User, needs_engine
from support.clickhouse_sources import trouble
from support.otlp_receiver import free_port

from pipeline_trace.lookup.clickhouse.login import AUTHORITY, CERTIFICATE, KEY, PASSWORD
from pipeline_trace.lookup.clickhouse.source import ClickHouseSource
from pipeline_trace.lookup.remote import remote_source

pytestmark = [pytest.mark.process, needs_engine]

Env = dict[str, str]
# The test's authority gives a certificate to one name only.
USERS = {"reader": User("pw"), "certified": User(certificate="jenkins")}


class Place:
    """An engine that speaks TLS, and the files of those that trust each other. ``other``: another authority's."""

    def __init__(self, folder: Path, *, clients: bool) -> None:
        (folder / "other").mkdir()
        self.authority, _ = tls.authority(folder)
        self.certificate = folder / "server.pem"
        self.other, _ = tls.authority(folder / "other")
        self.engine = Engine(folder / "engine", users=USERS, tls=Tls(self.certificate, self.authority, clients=clients))

    def source(self, user: str = "reader", host: str = "127.0.0.1", **environ: object) -> ClickHouseSource:
        """Return a source that trusts the authority, unless the variables say another one."""
        address = f"clickhouse://{user}@{host}:{self.engine.port}/default?secure=true"
        known = {AUTHORITY: str(self.authority), PASSWORD: USERS[user].password}
        return remote_source(address, known | {name: str(value) for name, value in environ.items()})


def made(folder: Path, *, clients: bool) -> Iterator[Place]:
    place = Place(folder, clients=clients)
    with place.engine:
        clickhouse_schema.create(place.engine)
        yield place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from made(tmp_path_factory.mktemp("tls"), clients=False)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One that serves nobody without a certificate of the authority's."""
    yield from made(tmp_path_factory.mktemp("strict"), clients=True)


def answers(source: ClickHouseSource) -> bool:
    with closing(source):
        return source.newest() is None


def test_a_server_of_the_right_authority_is_asked(place: Place) -> None:
    assert answers(place.source())
    assert {asked.user for asked in place.engine.log()} >= {"reader"}
    # As of all programs.
    assert answers(place.source(**{AUTHORITY: "", "SSL_CERT_FILE": place.authority}))


@pytest.mark.parametrize("other", [True, False], ids=["another authority", "those of the system"])
def test_a_server_of_an_authority_that_is_not_trusted_is_one_line(place: Place, other: bool) -> None:
    before = len(place.engine.log())
    found = place.source(**{AUTHORITY: place.other if other else ""})
    assert trouble(found) == f"its certificate is not trusted; set {AUTHORITY} to the file of its authority"
    # Nobody but the right server gets the password.
    assert len(place.engine.log()) == before


def test_a_certificate_for_another_name_is_one_line(place: Place) -> None:
    said = "its certificate is for another name; write the host as the certificate has it"
    assert trouble(place.source(host="localhost")) == said


def test_a_server_without_tls_is_one_line(engine: Engine) -> None:
    found = remote_source(f"clickhouse://reader@127.0.0.1:{engine.port}/default?secure=true", {})
    assert trouble(found) == (
        "it does not speak TLS there; take its TLS port (8443), or say secure=false in a network that you trust"
    )


def test_a_server_with_tls_that_is_asked_without_is_one_line(place: Place) -> None:
    found = remote_source(f"clickhouse://reader@127.0.0.1:{place.engine.port}/default?secure=false", {})
    assert trouble(found) == (
        "it closed the connection before its answer was whole; try again, and check that the port speaks HTTP"
    )


@pytest.mark.parametrize("other", [True, False], ids=["unknown", "none"])
def test_a_certificate_of_this_side_that_is_wanted_is_one_line(strict: Place, other: bool) -> None:
    found = strict.source(**{CERTIFICATE: strict.other.parent / "server.pem"} if other else {})
    # What the server says of it may be lost when it closes the connection.
    assert trouble(found).endswith(f"set {CERTIFICATE} and {KEY}")


def test_a_certificate_opens_the_connection_and_the_password_logs_in(strict: Place) -> None:
    assert answers(strict.source(**{CERTIFICATE: strict.certificate, KEY: strict.certificate}))
    said = trouble(strict.source(**{CERTIFICATE: strict.certificate, PASSWORD: "wrong"}))
    assert said.startswith("it does not accept the user reader with this password")


def test_a_certificate_alone_logs_in_whom_the_server_knows_by_it(strict: Place) -> None:
    assert answers(strict.source("certified", **{CERTIFICATE: strict.certificate}))
    said = trouble(strict.source("reader", **{CERTIFICATE: strict.certificate, PASSWORD: ""}))
    assert said.startswith("it does not accept the user reader with this password")


# Proxies


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"])
def test_what_is_on_this_machine_is_asked_through_no_proxy(
    engine: Engine, place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    # The library reads the process's own.
    monkeypatch.setenv(name, dead)
    assert answers(place.source(**{name: dead}))
    with closing(remote_source(f"clickhouse://127.0.0.1:{engine.port}/default", {name: dead})) as found:
        assert found.newest()


def test_what_is_elsewhere_is_asked_through_the_proxy_that_all_programs_take(
    place: Place, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is a proxy too answers for a host that has no address."""
    address, environ = "clickhouse://clickhouse.invalid:8123/default?secure=false", {"http_proxy": engine.url}
    with closing(remote_source(address, environ)) as found:
        assert found.newest()
    direct = remote_source(address, {**environ, "no_proxy": ".invalid"})
    assert trouble(direct) == "nothing answers there; check host and port, and that ClickHouse runs"


@pytest.mark.parametrize(
    ("address", "interface"), [("host:8443?secure=false", "http"), ("host:8123", "https"), ("host", "https")]
)
def test_no_port_says_whether_it_is_tls(monkeypatch: pytest.MonkeyPatch, address: str, interface: str) -> None:
    """The library takes 8443 for TLS, unless it is told."""
    told: dict[str, object] = {}

    def create_client(**options: object) -> None:
        told.update(options)
        raise OSError("enough")

    monkeypatch.setattr("clickhouse_connect.driver.create_client", create_client)
    trouble(remote_source(f"clickhouse://{address}", {}))
    assert told["interface"] == interface
