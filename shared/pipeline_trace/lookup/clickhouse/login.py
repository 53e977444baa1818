"""How this side shows who it is to ClickHouse: by the environment alone, since others see the arguments of a command."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...delivery.destinations import SetupError
from ...trace.files import read_regular
from ...trace.network import certificates

PASSWORD = "PIPELINE_TRACE_SOURCE_PASSWORD"
PASSWORD_FILE = f"{PASSWORD}_FILE"
AUTHORITY = "PIPELINE_TRACE_SOURCE_CERTIFICATE"
CERTIFICATE, KEY = "PIPELINE_TRACE_SOURCE_CLIENT_CERTIFICATE", "PIPELINE_TRACE_SOURCE_CLIENT_KEY"
_LONGEST = 10_000


@dataclass(frozen=True)
class Login:
    """What this side shows, and whom it trusts. ``authority``: a file or a folder; "" for the system's authorities."""

    password: str = ""
    authority: str = ""
    certificate: str = ""
    key: str = ""


def login_of(environ: Mapping[str, str]) -> Login:
    """Return the login from the environment. Raises SetupError; the message never repeats a password."""
    certificate, key = environ.get(CERTIFICATE, ""), environ.get(KEY, "")
    if key and not certificate:
        raise SetupError(f"{KEY} names a key without a certificate; set {CERTIFICATE} too")
    login = Login(_password(environ), environ.get(AUTHORITY, "") or certificates(environ), certificate, key)
    _check(login)
    return login


def _password(environ: Mapping[str, str]) -> str:
    path = environ.get(PASSWORD_FILE, "")
    if environ.get(PASSWORD) or not path:
        return environ.get(PASSWORD, "")
    try:
        password = read_regular(Path(path), _LONGEST).decode()
    except OSError as error:
        raise SetupError(f"cannot read {path}, which {PASSWORD_FILE} names: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SetupError(
            f"{path}, which {PASSWORD_FILE} names, is not text in UTF-8; write the password alone into it"
        ) from None
    if not password.strip():
        raise SetupError(f"{path}, which {PASSWORD_FILE} names, is empty; write the password into it")
    return password.rstrip("\r\n")


def _check(login: Login) -> None:
    """Raise SetupError where the files of certificates are not what they should be: later nobody says which of them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if login.authority:
        folder = login.authority if Path(login.authority).is_dir() else None
        try:
            context.load_verify_locations(None if folder else login.authority, folder)
        except OSError as error:
            raise SetupError(
                f"cannot take {login.authority} as the file of an authority ({_reason(error)}); set {AUTHORITY} to a file "
                "of certificates in PEM form"
            ) from None
    if login.certificate:
        try:
            # Without a password OpenSSL would ask for it in the terminal.
            context.load_cert_chain(login.certificate, login.key or None, password="")
        except OSError as error:
            files = " and ".join(filter(None, (login.certificate, login.key)))
            raise SetupError(
                f"cannot take {files} as a certificate and its key ({_reason(error)}); set {CERTIFICATE} and {KEY} to files "
                "in PEM form, without a passphrase"
            ) from None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "not in PEM form").replace("_", " ").lower()
    return str(error.strerror)
