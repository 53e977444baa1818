"""The login at ClickHouse comes from variables and from files that they name."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key
from support import tls

from pipeline_trace.delivery.destinations import SetupError
from pipeline_trace.lookup.clickhouse.login import (
    AUTHORITY,
    CERTIFICATE,
    KEY,
    PASSWORD,
    PASSWORD_FILE,
    Login,
    login_of,
)


def refusal(**environ: object) -> str:
    with pytest.raises(SetupError) as error:
        login_of({name: str(value) for name, value in environ.items()})
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_without_variables_there_is_no_password_and_the_system_says_whom_to_trust() -> None:
    assert login_of({}) == Login()


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"pw", "pw"), (b"pw\n", "pw"), (b"pw\r\n", "pw"), (b" p w \n", " p w "), ("pü\n".encode(), "pü"), (b"a\nb\n", "a\nb")],
)
def test_a_file_has_the_password(tmp_path: Path, content: bytes, password: str) -> None:
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "secret").symlink_to("file")
    assert login_of({PASSWORD_FILE: str(tmp_path / "secret")}).password == password


def test_the_variable_is_stronger_than_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the file")
    assert login_of({PASSWORD: "p\n", PASSWORD_FILE: str(tmp_path / "file")}).password == "p\n"
    assert login_of({PASSWORD: "p", PASSWORD_FILE: str(tmp_path / "none")}).password == "p"
    assert login_of({PASSWORD: "", PASSWORD_FILE: str(tmp_path / "file")}).password == "of the file"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read {file}, which {name} names: No such file or directory"),
        (
            b"hunter2\xff",
            "{file}, which {name} names, is not text in UTF-8; write the password alone into it",
        ),
        (b"\n", "{file}, which {name} names, is empty; write the password into it"),
        (b"x" * 20_000, "cannot read {file}, which {name} names: larger than 10000 bytes"),
    ],
)
def test_a_file_without_a_password_is_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    assert refusal(**{PASSWORD_FILE: file}) == said.format(file=file, name=PASSWORD_FILE)


def test_a_folder_or_a_device_is_no_file_with_a_password(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        assert refusal(**{PASSWORD_FILE: path}).endswith(": not a regular file")


@pytest.mark.parametrize("name", [AUTHORITY, "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_authority_is_that_of_the_variable_or_of_all_programs(tmp_path: Path, name: str) -> None:
    authority, _ = tls.authority(tmp_path)
    assert login_of({name: str(authority)}).authority == str(authority)
    assert login_of({"SSL_CERT_FILE": "/none", AUTHORITY: str(authority)}).authority == str(authority)
    assert login_of({name: str(tmp_path)}).authority == str(tmp_path)


def test_a_certificate_may_have_its_key_beside_it_or_within(tmp_path: Path) -> None:
    tls.authority(tmp_path)
    whole = tmp_path / "server.pem"
    assert login_of({CERTIFICATE: str(whole)}) == Login(certificate=str(whole))
    assert login_of({CERTIFICATE: str(whole), KEY: str(whole)}) == Login(certificate=str(whole), key=str(whole))


def test_files_of_certificates_that_are_none_are_one_line(tmp_path: Path) -> None:
    authority, _ = tls.authority(tmp_path)
    (tmp_path / "text").write_text("not a certificate")
    for file, reason in ((tmp_path / "none", "no such file or directory"), (tmp_path / "text", "")):
        said = refusal(**{AUTHORITY: file})
        assert said.startswith(f"cannot take {file} as the file of an authority (")
        assert reason in said.lower()
        assert said.endswith(f"set {AUTHORITY} to a file of certificates in PEM form")
        said = refusal(**{CERTIFICATE: file, KEY: tmp_path / "server.pem"})
        assert said.startswith(f"cannot take {file} and {tmp_path}/server.pem as a certificate and its key (")
        assert said.endswith(f"set {CERTIFICATE} and {KEY} to files in PEM form, without a passphrase")
    # A certificate without its key, and a key of another one.
    assert "as a certificate and its key" in refusal(**{CERTIFICATE: authority})
    assert "as a certificate and its key" in refusal(**{CERTIFICATE: authority, KEY: tmp_path / "server.pem"})


def test_a_key_alone_is_not_enough() -> None:
    assert refusal(**{KEY: "/x"}) == f"{KEY} names a key without a certificate; set {CERTIFICATE} too"


def test_nobody_is_asked_for_the_passphrase_of_a_key(tmp_path: Path) -> None:
    tls.authority(tmp_path)
    key = load_pem_private_key((tmp_path / "server.pem").read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "key").write_bytes(key.private_bytes(*form, BestAvailableEncryption(b"hunter2")))
    assert "without a passphrase" in refusal(**{CERTIFICATE: tmp_path / "server.pem", KEY: tmp_path / "key"})
