"""openssl: checks of certificates, keys and servers."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, TLS
from lab.model import Case, Machine, Reply, Site, Tool

CONNECT = (
    "openssl s_client -connect registry.example:443 -servername registry.example -verify_return_error -verify_hostname"
    " registry.example -brief"
)
SIGN = "openssl dgst -sha256 -sign release.key -out shop.sig shop.tar"
KEY = "openssl genrsa -out release.key 2048 2>/dev/null && chown jenkins release.key"
FILES = {"shop.tar": "content\n"}


def cases() -> Iterator[Case]:
    """Yield all cases of openssl."""
    for fault in [*CONNECTION, *TLS]:
        bare = (
            {"owner": "unknown", "kind": "timeout", "why": "a bare 124 tells no cause"}
            if fault in ("hang", "connect-timeout")
            else {}
        )
        yield Case(fault, f"timeout 4 {CONNECT}" if bare else CONNECT, site=Site({"/": Reply()}), **bare)
    verify = "openssl verify -CAfile ca.pem server.pem"
    made = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/k -out ca.pem -subj /CN=a 2>/dev/null && openssl req -x509"
        " -newkey rsa:2048 -nodes -keyout /tmp/k -out server.pem -subj /CN=b 2>/dev/null"
    )
    yield Case("bad-config", verify, "chain", before=made, owner="unknown", why="which of both files is wrong is not said")
    yield Case(
        "missing-file",
        SIGN,
        "key",
        files=FILES,
        owner="unknown",
        why="a key that the platform should bind, or a name that the pipeline has wrong",
    )
    yield Case("missing-file", SIGN.replace("shop.tar", "dist/shop.tar"), files=FILES, before=KEY)
    yield Case(
        "no-permission",
        SIGN,
        files=FILES,
        before="openssl genrsa -out release.key 2048 2>/dev/null && chmod 600 release.key",
    )
    yield Case("read-only", SIGN, files=FILES, before=KEY, machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    yield Case("wrong-option", SIGN.replace("-sign", "-sing"), files=FILES, before=KEY)
    yield Case("unknown-target", SIGN.replace("dgst", "digst"), files=FILES, before=KEY)
    yield Case(
        "bad-config",
        "openssl req -new -config csr.cnf -key release.key",
        files={"csr.cnf": "[req\nprompt = no\n"},
        before=KEY,
    )
    yield Case(
        "wrong-parameter",
        "openssl pkcs12 -in release.p12 -passin pass:wrong -nokeys",
        files=FILES,
        before=(
            f"{KEY}\nopenssl req -new -x509 -key release.key -subj /CN=a -out c.pem && openssl pkcs12 -export -inkey"
            " release.key -in c.pem -passout pass:right -out release.p12 && chown jenkins release.p12"
        ),
        owner="unknown",
        kind="auth_platform",
        why="the credential or the file: not said",
    )
    yield Case(
        "corrupt",
        "openssl x509 -in server.pem -noout -enddate",
        files={"server.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
        owner="unknown",
        why="who wrote the file is not said",
    )
    yield Case("tool-missing", SIGN, files=FILES, machine=Machine(without=("openssl",)))
    yield Case("tool-misspelt", SIGN.replace("openssl", "opnessl"), files=FILES)


TOOL = Tool("openssl", cases)
