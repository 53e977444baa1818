"""The docker client: no daemon, and what it asks registries itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Reply, Site, Tool

INSPECT = "docker manifest inspect registry.example/shop/app:1.4.2"
TYPE = "application/vnd.docker.distribution.manifest.v2+json"
IMAGE = b'{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'
_DIGEST = f"sha256:{hashlib.sha256(IMAGE).hexdigest()}"
_CONFIG = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(IMAGE), "digest": _DIGEST}
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "config": _CONFIG, "layers": []}).encode()
PAGES = {
    "/v2/": Reply(b"{}", "application/json"),
    "/v2/shop/app/manifests/1.4.2": Reply(MANIFEST, TYPE),
    f"/v2/shop/app/blobs/{_DIGEST}": Reply(IMAGE),
}
SITE = Site(PAGES)
UNKNOWN = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"1.4.2"}}]}'
UNKNOWN_TAG = Site({**PAGES, "/v2/shop/app/manifests/1.4.2": Reply(UNKNOWN, "application/json", 404)})
FILES = {"Dockerfile": "FROM registry.example/base/python:3.11\nCOPY . /app\n"}
# The daemon's socket, which only its own group may use.
_SOCKET = """exec /usr/bin/python3 -c "
import os, socket, time
s = socket.socket(socket.AF_UNIX); s.bind('/run/docker.sock'); s.listen(); os.chmod('/run/docker.sock', 0o660)
time.sleep(60)" """
_DEAD = """/usr/bin/python3 -c "
import os, socket
socket.socket(socket.AF_UNIX).bind('/run/docker.sock'); os.chmod('/run/docker.sock', 0o666)" """
COMMANDS = {
    "build": "docker build -t registry.example/shop/app:1.4.2 .",
    "pull": "docker pull registry.example/shop/app:1.4.2",
    "push": "docker push registry.example/shop/app:1.4.2",
    "run": "docker run --rm registry.example/shop/app:1.4.2 pytest",
    "login": "echo secret-of-ci | docker login --username ci --password-stdin registry.example",
    "compose": "docker ps\ndocker compose up -d",
}


def cases() -> Iterator[Case]:
    """Yield all cases of docker."""
    for fault in [*CONNECTION, *TLS, *STATUS, "html"]:
        # The client has no timeout for it.
        if fault not in ("connect-timeout", "hang"):
            yield Case(fault, INSPECT, site=SITE)
    yield Case("missing-internal", INSPECT, site=UNKNOWN_TAG, kind="image_tag")
    for variant, command in COMMANDS.items():
        yield Case("daemon-down", command, variant, files=FILES)
        yield Case(
            "daemon-down",
            command,
            f"{variant}-dead",
            files=FILES,
            before=_DEAD,
            what="the socket is there, the daemon is not",
        )
        yield Case(
            "socket-denied",
            command,
            variant,
            files=FILES,
            service=_SOCKET,
        )
    for fault in sorted(CONNECTION.keys() - {"hang", "connect-timeout"}):
        site = Site(host="mirror.internal", tls=False, port=2375)
        remote = {"DOCKER_HOST": "tcp://mirror.internal:2375"}
        yield Case(
            fault,
            "docker -H tcp://mirror.internal:2375 pull registry.example/shop/app:1.4.2",
            "host",
            site=site,
            env=remote,
            kind="daemon",
        )
    yield Case("tool-missing", COMMANDS["build"], files=FILES, machine=Machine(without=("docker",)))
    yield Case("tool-misspelt", COMMANDS["build"].replace("docker", "dokcer"), files=FILES)
    yield Case("unknown-target", COMMANDS["build"].replace("build", "biuld"), files=FILES)
    yield Case("wrong-option", COMMANDS["build"].replace("-t ", "--tagg "), files=FILES)
    yield Case(
        "wrong-parameter", "docker manifest inspect registry.example/Shop/App:1.4.2", what="a name with capital letters"
    )
    yield Case("empty-variable", "TAG=\ndocker pull registry.example/shop/app:$TAG")
    yield Case("undefined-variable", "set -u\ndocker pull registry.example/shop/app:$TAG")


TOOL = Tool("docker", cases)
