"""A certificate authority of a test's own, and a server's certificate that it signed."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline_trace_demo.replay import Replay
from support.hooks import Hook


def authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the authority's certificate in a file, and what a server at 127.0.0.1 needs to be trusted by it."""
    own_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = _name("A company's own authority")
    ca = _certificate(name, name, own_key, own_key, x509.BasicConstraints(ca=True, path_length=0))
    server = _certificate(_name("jenkins"), name, key, own_key, x509.BasicConstraints(ca=False, path_length=None))
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(secret + server.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return folder / "ca.pem", context


def serve(jenkins: Replay | Hook, context: ssl.SSLContext) -> str:
    """Have a replay or a webhook that was not entered yet speak TLS; return its address."""
    server = jenkins._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    jenkins.url = jenkins.url.replace("http:", "https:")
    return jenkins.url


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    constraints: x509.BasicConstraints,
) -> x509.Certificate:
    now = datetime.now(timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
