"""The examples to install from: each checked by the linter of its kind, and all of them by what poll itself understands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import support
import yaml
from support.examples import loadable, understood

from jenkins_poller.config import ControllerConfig, load

EXAMPLES = support.ROOT / "examples"
UNIT = "pipeline-trace-poll.service"
PROGRAM = "/opt/pipeline-trace/bin/pipeline-trace"
ENVIRON = {"JENKINS_USER": "reader", "JENKINS_API_TOKEN": "t"}


def test_the_configuration_is_right(tmp_path: Path) -> None:
    found = load(loadable((EXAMPLES / "poller.yaml").read_text(), tmp_path), ENVIRON)
    assert len(found) == 2
    assert all(login for _, login in found)


def test_every_key_is_documented() -> None:
    text = (support.ROOT / "docs/poller-service.md").read_text()
    assert [key for key in ControllerConfig.model_fields if f"`{key}`" not in text] == []


# systemd


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT
    # It wants the program to be there.
    unit.write_text((EXAMPLES / UNIT).read_text().replace(PROGRAM, str(support.BIN / "pipeline-trace")))
    done = support.run("systemd-analyze", "verify", "--man=no", unit, env=support.environ(tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_starts_poll_with_options_that_it_has() -> None:
    (command,) = re.findall(r"^ExecStart=(.+)$", (EXAMPLES / UNIT).read_text(), re.MULTILINE)
    program, *words = command.split()
    assert program == PROGRAM
    understood(words)


# Containers


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("hadolint", path=str(support.BIN)), reason="no hadolint for this machine")
def test_hadolint_finds_nothing_wrong_with_the_containerfile(tmp_path: Path) -> None:
    done = support.run(support.BIN / "hadolint", EXAMPLES / "Containerfile", env=support.environ(tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_containerfile_copies_what_is_there_and_runs_poll_without_root() -> None:
    text = (EXAMPLES / "Containerfile").read_text()
    copied = [line.split()[1:-1] for line in re.findall(r"^(COPY (?!--).+)$", text, re.MULTILINE)]
    assert [name for names in copied for name in names if not (support.ROOT / name).exists()] == []
    assert re.search(r"^USER [1-9]\d*:", text, re.MULTILINE)
    understood(yaml.safe_load(re.findall(r"^CMD (.+)$", text, re.MULTILINE)[0]))


@pytest.fixture
def manifest() -> dict[str, dict[str, Any]]:
    """The Kubernetes objects by kind."""
    return {part["kind"]: part for part in yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text())}


@pytest.mark.process
def test_kubernetes_would_take_the_manifest(tmp_path: Path) -> None:
    command = (support.BIN / "kubernetes-validate", "--strict", EXAMPLES / "kubernetes.yaml")
    done = support.run(*command, env=support.environ(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("passed") == 3


def test_what_the_pod_refers_to_is_there(manifest: dict[str, dict[str, Any]]) -> None:
    pod = manifest["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == volumes.keys()
    assert volumes["config"]["configMap"]["name"] == manifest["ConfigMap"]["metadata"]["name"]
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == manifest["PersistentVolumeClaim"]["metadata"]["name"]
    assert manifest["Deployment"]["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert f"ENV PIPELINE_TRACE_HOME={mounts['state']}" in (EXAMPLES / "Containerfile").read_text()
    understood(container["args"])
    assert container["args"][container["args"].index("--config") + 1] == f"{mounts['config']}/poller.yaml"


def test_two_pollers_never_run_on_one_state(manifest: dict[str, dict[str, Any]]) -> None:
    spec = manifest["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_manifests_configuration_is_right(manifest: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    text = manifest["ConfigMap"]["data"]["poller.yaml"]
    assert len(load(loadable(text, tmp_path), ENVIRON)) == 1
    pod = manifest["Deployment"]["spec"]["template"]["spec"]
    (login,) = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "login"]
    assert [path for path in re.findall(r"\w+_file: (\S+)", text) if not path.startswith(f"{login}/")] == []
