"""Certificates of the lab's authority: a right one for every name of the lab, and one wrong in each way."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


class Authority:
    """A certificate authority that signs for servers."""

    def __init__(self, name: str) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = _sign(self, name, self.key, [], (-9000 * DAY, 9000 * DAY), ca=True, issuer=_named(name))

    def pem(self) -> bytes:
        """Return the authority's certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


class Certificates:
    """Makes what the servers of one run present; each is made once."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder, self._names = folder, names
        self.trusted = Authority("Example Internal CA")
        self._stranger = Authority("Unknown Issuing CA")
        self._made: dict[str, ssl.SSLContext] = {}

    def context(self, fault: str) -> ssl.SSLContext:
        """Return what a server speaks TLS with; a fault that is none of certificates gets the right one."""
        if fault not in self._made:
            self._made[fault] = self._make(fault)
        return self._made[fault]

    def _make(self, fault: str) -> ssl.SSLContext:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        names = ["proxy.other.example"] if fault == "tls-wrong-name" else self._names
        life = {"tls-expired": (-400 * DAY, -3 * DAY), "tls-not-yet": (3 * DAY, 400 * DAY)}.get(
            fault, (-30 * DAY, 300 * DAY)
        )
        signer = self._stranger if fault == "tls-unknown" else self.trusted
        if fault == "tls-self-signed":
            certificate = _sign(_Own(key), names[0], key, names, life, ca=False, issuer=_named(names[0]))
        else:
            certificate = _sign(signer, names[0], key, names, life, ca=False, issuer=signer.certificate.subject)
        path = self._folder / f"{fault or 'right'}.pem"
        secret = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


class _Own:
    """Signs with a server's own key."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key = key


def _named(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _sign(
    signer: Authority | _Own,
    common: str,
    key: rsa.RSAPrivateKey,
    names: list[str],
    life: tuple[timedelta, timedelta],
    *,
    ca: bool,
    issuer: x509.Name,
) -> x509.Certificate:
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(common))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + life[0])
        .not_valid_after(now + life[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signer.key, hashes.SHA256())
