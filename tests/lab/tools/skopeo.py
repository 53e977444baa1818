"""skopeo: copies images from and to a registry."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Site, Tool
from lab.tools.docker import PAGES, UNKNOWN_TAG

COPY = "skopeo copy --retry-times 0 docker://registry.example/shop/app:1.4.2 dir:image"
INSPECT = "skopeo inspect --raw docker://registry.example/shop/app:1.4.2"
SITE = Site(PAGES)
BLOBS = Site(PAGES, at="/blobs/")
POLICY = {"~/.config/containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n'}


def cases() -> Iterator[Case]:
    """Yield all cases of skopeo."""
    for fault in [*CONNECTION, *TLS, *STATUS, "html"]:
        if fault not in ("hang", "connect-timeout"):
            yield Case(fault, INSPECT, files=POLICY, site=SITE)
            yield Case(fault, COPY, "copy", files=POLICY, site=SITE)
    for fault in ("http-401", "http-403", "http-500", "http-503", "truncated", "reset-midway", "corrupt"):
        yield Case(fault, COPY, "download", files=POLICY, site=BLOBS)
    for fault in ("connect-timeout", "hang"):
        timed = COPY.replace("skopeo ", "skopeo --command-timeout 3s ")
        yield Case(fault, timed, "timed", files=POLICY, site=SITE)
    yield Case("missing-internal", COPY, files=POLICY, site=UNKNOWN_TAG, kind="image_tag")
    yield Case("wrong-parameter", COPY.replace("shop/app", "Shop/App"), files=POLICY)
    yield Case("empty-variable", "TAG=\nskopeo inspect docker://registry.example/shop/app:$TAG", files=POLICY)
    yield Case("wrong-option", COPY.replace("--retry-times", "--retry-tmes"), files=POLICY)
    yield Case("unknown-target", COPY.replace("copy", "cpoy"), files=POLICY)
    yield Case("read-only", COPY, files=POLICY, site=SITE, machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    yield Case(
        "no-permission", COPY, files=POLICY, site=SITE, before="mkdir image && touch image/version && chmod 755 image"
    )
    yield Case("tool-missing", COPY, machine=Machine(without=("skopeo",)))
    yield Case("tool-misspelt", COPY.replace("skopeo", "scopeo"))


TOOL = Tool("skopeo", cases, setup="command -v skopeo || apt-get install -y -qq skopeo")
