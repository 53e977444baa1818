"""The oldest and the newest ansible-core make the tree that this one makes; so does ansible-runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from support import installs, played, shapes
from support.played import Played, events

pytestmark = pytest.mark.process

VERSIONS = ("2.16", "2.21")

RUNNER = """
import sys
import ansible_runner

folder, interpreter = sys.argv[1:]
runner = ansible_runner.run(
    private_data_dir=folder,
    playbook="site.yml",
    inventory="h1 ansible_connection=local\\nh2 ansible_connection=local\\n",
    extravars={"ansible_python_interpreter": interpreter},
    quiet=True,
)
print(runner.status, sorted(runner.stats["ok"]))
raise SystemExit(runner.rc)
"""


def comparable(outline: dict[str, Any]) -> dict[str, Any]:
    """Return an outline without what is by chance: which hosts of the free strategy come to an include together."""
    below = [comparable(child) for child in outline["below"] if outline["name"] != "Free" or "Free" not in child["name"]]
    return {**outline, "below": below}


def details(run: Played) -> dict[str, Any]:
    """Return what versions say in their own ways."""
    broken = run.hosts("Breaks", "Items fail")["b2"]["attributes"]["ansible.message"]
    hosts = [*run.hosts("Results", "Until").values(), *run.hosts("Results", "Until it works").values()]
    return {
        "message": broken.splitlines()[1:],
        "notified": [span["attributes"]["ansible.task.notified_by"] for span in run.all_at("Structure", "Reload")],
        "delegated": [s["attributes"]["ansible.delegated_to"] for s in run.hosts("Results", "Delegated").values()],
        "attempts": [span["attributes"]["ansible.attempts"] for span in hosts],
        "tries": [(try_["ansible.attempt"], try_["ansible.retries.left"]) for s in hosts for try_ in events(s, "retry")],
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_every_shape_is_the_same_with_other_versions(version: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    venv = support.ROOT / ".venvs" / f"ansible-{version}"
    if not (venv / ".done").exists():
        pytest.skip(
            f"no ansible-core {version} in {venv}: `scripts/ansible-venv {version}` puts it there, if a Python for it is"
        )
    shared = installs.shared_folder(tmp_path_factory.getbasetemp())
    here = played.once(shared / "tree-shapes", shapes.play)
    other = played.once(shared / f"shapes-{version}", lambda folder: shapes.play(folder, venv / "bin"))
    assert other.root()["resource"]["ansible.version"].startswith(f"{version}.")
    assert other.returncode == here.returncode
    assert comparable(other.outline()) == comparable(here.outline())
    assert details(other) == details(here)
    assert len(other.ours) == 1
    assert "Traceback" not in other.stderr


def test_ansible_runner_needs_nothing_of_ours(tmp_path: Path) -> None:
    pytest.importorskip("ansible_runner")
    (tmp_path / "project").mkdir()
    support.write_playbook(tmp_path / "project", support.DEPLOY)
    script = support.write_playbook(tmp_path, RUNNER, "run.py")
    words = [support.BIN / "python", script, tmp_path, support.BIN / "python"]
    done = played.run(tmp_path, words)
    assert (done.returncode, done.stdout.strip()) == (0, "successful ['h1', 'h2']"), done.stdout + done.stderr
    run = Played(tmp_path, done.returncode, done.stdout, done.stderr)
    assert run.root()["name"] == "playbook site.yml"
    assert run.results("Deploy", "Copy") == {"h1": "ok", "h2": "ok"}
    assert run.results("Deploy", "Restart") == {"h1": "changed", "h2": "changed"}
    (artifact,) = (tmp_path / "artifacts").glob("*/stdout")
    assert f"trace {run.root()['trace_id']} is in" in artifact.read_text()
