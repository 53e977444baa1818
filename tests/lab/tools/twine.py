"""twine: uploads of a wheel."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Reply, Site, Tool
from lab.packages import wheel

FILE = "dist/shop-1.8.0-py3-none-any.whl"
RUN = "twine upload --non-interactive --disable-progress-bar --repository-url https://registry.example/legacy/ dist/*"
FILES = {FILE: wheel("shop", "1.8.0")}
LOGIN = {"TWINE_USERNAME": "ci", "TWINE_PASSWORD": "not-a-real-one"}


def cases() -> Iterator[Case]:
    """Yield all cases of twine."""
    for fault in [*CONNECTION, *TLS, *STATUS, "http-413", "http-507", "redirect-loop"]:
        yield Case(fault, RUN, files=FILES, site=Site(), env=LOGIN, seconds=45)
    exists = "400 The version 1.8.0 of shop exists already and cannot be replaced"
    yield Case("http-409", RUN, files=FILES, site=Site(fault="http-409"), env=LOGIN)
    yield Case(
        "http-409",
        RUN,
        "400",
        files=FILES,
        site=Site({"/legacy/": Reply(exists.encode(), "text/plain", 400)}, fault="none"),
        env=LOGIN,
    )
    metadata = b"The description failed to render in the default format of reStructuredText."
    yield Case(
        "bad-manifest",
        RUN,
        "description",
        files=FILES,
        site=Site({"/legacy/": Reply(metadata, "text/plain", 400)}, fault="none"),
        env=LOGIN,
        what="the store refuses the description",
    )
    yield Case(
        "http-401",
        RUN,
        "no-login",
        files=FILES,
        site=Site(fault="none"),
        owner="unknown",
        why="the pipeline binds no credential, or the platform has none: not said",
    )
    yield Case("missing-file", RUN.replace("dist/*", "dist/*.tar.gz"), files=FILES)
    yield Case("bad-manifest", RUN, "wheel", files={FILE: b"no wheel at all"}, env=LOGIN, site=Site(fault="none"))
    yield Case("bad-manifest", "twine check --strict dist/*", "check", files={FILE: wheel("shop", "1.8.0")})
    yield Case(
        "wrong-parameter",
        RUN.replace("--repository-url https://registry.example/legacy/", "--repository shop"),
        "repository",
        files=FILES,
        env=LOGIN,
        owner="unknown",
        kind="config_error",
        why="name in the pipeline, or settings of the agent",
    )
    yield Case(
        "no-permission",
        RUN,
        files=FILES,
        env=LOGIN,
        site=Site(fault="none"),
        before=f"chown root {FILE} && chmod 600 {FILE}",
    )
    stalled = Site(fault="hang")
    yield Case("killed", RUN, files=FILES, site=stalled, env=LOGIN, machine=Machine(kill=("KILL", "twine upload", 3)))
    yield Case("timeout", f"timeout 3 {RUN}", files=FILES, site=stalled, env=LOGIN)
    yield from call_faults(RUN, FILES, option="--force-all", misspelt="twien")


TOOL = Tool("twine", cases, setup=venv("twine"), path=("twine/bin",))
