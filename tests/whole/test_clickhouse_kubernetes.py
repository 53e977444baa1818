"""examples/clickhouse on Kubernetes: its schemas, our command understands its own, and all that it names is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import support
import yaml
from support.examples import CLICKHOUSE, check_command, make_secrets

Object = dict[str, Any]


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    return list(yaml.safe_load_all((CLICKHOUSE / "kubernetes.yaml").read_text()))


def of_kind(objects: list[Object], *kinds: str) -> Iterator[Object]:
    return (part for part in objects if part["kind"] in kinds)


def pods(objects: list[Object]) -> dict[str, Object]:
    """Return the pods' templates by their labels' name."""
    templates = [part["spec"]["template"] for part in of_kind(objects, "Deployment", "StatefulSet")]
    return {template["metadata"]["labels"]["app.kubernetes.io/name"]: template["spec"] for template in templates}


@pytest.mark.process
def test_kubernetes_would_take_the_manifests(objects: list[Object], tmp_path: Path) -> None:
    command = (support.BIN / "kubernetes-validate", "--strict", CLICKHOUSE / "kubernetes.yaml")
    done = support.run(*command, env=support.environ(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("passed") == len(objects)


@pytest.mark.process
def test_what_pods_mount_is_made_by_the_commands_above_them(objects: list[Object], tmp_path: Path) -> None:
    secrets = make_secrets(tmp_path)
    text = (CLICKHOUSE / "kubernetes.yaml").read_text()
    made: dict[tuple[str, str], set[str]] = {}
    for kind, name, rest in re.findall(r"kubectl create (configmap|secret) (?:generic )?(\S+) (--from-file=.+)", text):
        for given in re.findall(r"--from-file=(\S+)", rest):
            key, _, file = given.rpartition("=")
            assert (CLICKHOUSE / file).exists() or (secrets.parent / file).exists()
            made.setdefault((kind, name), set()).add(key or Path(file).name)
    mounted = set()
    for pod in pods(objects).values():
        (container,) = pod["containers"]
        words = " ".join([*container.get("args", ()), *(given["value"] for given in container.get("env", ()))])
        places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        for volume in pod["volumes"]:
            for source in volume.get("projected", {}).get("sources", [volume]):
                for kind, name in (("configmap", "configMap"), ("secret", "secret")):
                    if name in source:
                        found = source[name].get("name") or source[name]["secretName"]
                        mounted.add((kind, found))
                        place = places[volume["name"]]
                        # ClickHouse reads whatever is in its folder; all else names the file.
                        assert place.endswith("users.d") or all(f"{place}/{key}" in words for key in made[kind, found])
    assert mounted == made.keys()


def test_each_pod_is_as_the_pollers(objects: list[Object]) -> None:
    for pod in pods(objects).values():
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        rights = container["securityContext"]
        assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} == container["resources"].keys()
        claims = {mount["name"] for mount in container["volumeMounts"]} - {volume["name"] for volume in pod["volumes"]}
        assert claims <= {"data", "queue"}


def test_the_pages_are_probed_and_two(objects: list[Object], tmp_path: Path) -> None:
    (deployment,) = of_kind(objects, "Deployment")
    assert deployment["spec"]["replicas"] == 2
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness", "startup")}
    assert probes == {"liveness": "/healthz", "readiness": "/readyz", "startup": "/healthz"}
    check_command(container["args"], tmp_path)


def test_services_and_policies_fit_the_pods(objects: list[Object]) -> None:
    ports = {
        name: {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
        for name, pod in pods(objects).items()
    }
    for part in of_kind(objects, "Service"):
        name = part["spec"]["selector"]["app.kubernetes.io/name"]
        assert {port["targetPort"] for port in part["spec"]["ports"]} == ports[name].keys()
    policies = {part["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]: part["spec"]
                for part in of_kind(objects, "NetworkPolicy")}  # fmt: skip
    assert policies.keys() == ports.keys()
    for name, policy in policies.items():
        (ingress,) = policy["ingress"]
        assert {port["port"] for port in ingress["ports"]} == set(ports[name].values())
        assert policy["policyTypes"] == ["Ingress", "Egress"]
    for part in of_kind(objects, "Deployment", "StatefulSet", "PodDisruptionBudget"):
        selector = part["spec"]["selector"]["matchLabels"]
        assert selector["app.kubernetes.io/name"] in ports


def test_the_poller_of_the_other_manifest_sends_to_this_collector(objects: list[Object]) -> None:
    text = (CLICKHOUSE.parent / "kubernetes.yaml").read_text()
    (name, namespace, port) = re.findall(r"http://([\w-]+)\.([\w-]+)\.svc:(\d+)\n", text)[-1]
    assert f"kubectl create namespace {namespace}\n" in (CLICKHOUSE / "kubernetes.yaml").read_text()
    (service,) = [part for part in of_kind(objects, "Service") if part["metadata"]["name"] == name]
    assert int(port) in {given["port"] for given in service["spec"]["ports"]}


def test_the_same_runs_as_on_one_machine(objects: list[Object]) -> None:
    services = yaml.safe_load((CLICKHOUSE / "compose.yaml").read_text())["services"]
    compared = {"clickhouse": "clickhouse", "collector": "otel-collector", "pages-1": "pipeline-trace-pages"}
    for service, pod in compared.items():
        (container,) = pods(objects)[pod]["containers"]
        assert container["image"] == services[service]["image"]
        plain = {given["name"] for given in container["env"]}
        assert plain == services[service]["environment"].keys()
