"""yamllint: findings in YAML files."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Tool

RUN = "yamllint deploy.yaml"


def cases() -> Iterator[Case]:
    """Yield all cases of yamllint."""
    fine = {"deploy.yaml": "---\nreplicas: 2\n"}
    for variant, text in {
        "indent": "---\na:\n    b: 1\n  c: 2\n",
        "tab": "---\na:\n\tb: 1\n",
        "quote": "---\na: 'b\n",
        "mapping": "---\na: b: c\n",
    }.items():
        yield Case("bad-yaml", RUN, variant, files={"deploy.yaml": text})
    yield Case("lint", RUN, "duplicate", files={"deploy.yaml": "---\na: 1\na: 2\n"})
    yield Case("lint", RUN, "trailing", files={"deploy.yaml": "---\na: 1   \n"})
    yield Case("lint", f"{RUN} --strict", "strict", files={"deploy.yaml": "a: yes\n"})
    yield Case("bad-config", RUN, files={**fine, ".yamllint": "rules:\n  lines: {max: 80}\n"})
    yield Case("missing-file", "yamllint k8s/deploy.yaml", files=fine)
    yield Case("no-permission", RUN, files=fine, before="chown root deploy.yaml && chmod 600 deploy.yaml")
    yield from call_faults(RUN, fine, option="--strickt", misspelt="yamlint")


TOOL = Tool("yamllint", cases, setup=venv("yamllint"), path=("yamllint/bin",))
