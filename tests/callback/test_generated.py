"""Playbooks that nobody wrote: blocks, imports, includes, roles, handlers and loops in each other, against Ansible's recap.

PIPELINE_TRACE_TEST_SEEDS says how many there are, for `make test-matrix` and for whoever changes what playbooks become.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import support
from support import generated, processes

pytestmark = pytest.mark.process

# The oldest and the newest ansible-core, or the one that `make test-matrix` asks for.
BINS = (
    [support.ANSIBLE]
    if "PIPELINE_TRACE_TEST_ANSIBLE" in os.environ
    else [support.ROOT / ".venvs" / f"ansible-{version}" / "bin" for version in ("2.16", "2.21")]
)
SEEDS = int(os.environ.get("PIPELINE_TRACE_TEST_SEEDS", "14"))


@pytest.mark.parametrize("ansible", BINS, ids=lambda path: path.parent.name)
def test_generated_playbooks_are_what_ansible_says_of_them(ansible: Path, tmp_path: Path) -> None:
    if not (ansible / "ansible-playbook").exists():
        pytest.skip(
            f"no ansible-core in {ansible}: `make .venvs/{ansible.parent.name}/.done` puts it there, if a Python fits"
        )
    told = generated.run(ansible / "python", tmp_path, range(1, SEEDS + 1), support.environ(tmp_path))
    assert len(told) == SEEDS
    wrong = {}
    for seed, said in told.items():
        home = {"PIPELINE_TRACE_HOME": str(tmp_path / str(seed) / "trace")}
        processes.wait_for(lambda home=home: not support.journals(home), "end of the delivery", 60)
        found = generated.differences(support.stored(home), said)
        if found or "tracing stops here" in said.output:
            wrong[seed] = found
    assert wrong == {}
    # Among them are runs that succeed, that fail, and that Ansible itself gives up.
    assert {said.status for said in told.values()} >= {0, 1, 2}
