"""kubectl against an API server with faults."""

from __future__ import annotations

from collections.abc import Iterator

from lab.cluster import DEPLOYMENT, KUBECONFIG, OBJECTS, cluster, deployment, refused, told
from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Reply, Tool

APPLY = "kubectl apply --validate=false --request-timeout=4s -f deploy.yaml"
FILES = {"~/.kube/config": KUBECONFIG, "deploy.yaml": DEPLOYMENT}
SOURCE = """
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	os.Exit(0)
}
"""


def cases() -> Iterator[Case]:
    """Yield all cases of kubectl."""
    for fault in [*CONNECTION, *TLS, *STATUS]:
        yield Case(fault, APPLY, files=FILES, site=cluster())
    get = "kubectl get deployment web --request-timeout=4s -o jsonpath='{.spec.template.spec.containers[0].image}'"
    for fault in ["refused", "hang", "reset", "tls-expired", "tls-unknown", "http-401", "http-503"]:
        yield Case(fault, get, "get", files=FILES, site=cluster({f"{OBJECTS}/web": told(deployment())}))
    yield from _refusals()
    yield from _rollouts()
    yield from _manifests()
    yield Case("tool-missing", APPLY, files=FILES, machine=Machine(without=("kubectl",)))
    yield Case("tool-misspelt", APPLY.replace("kubectl", "kubeclt"), files=FILES)
    yield Case("out-of-memory", APPLY, files=FILES, site=cluster(fault="none"), machine=Machine(memory=90))
    stalled = cluster(fault="hang")
    slow = APPLY.replace("4s", "60s")
    yield Case("killed", slow, files=FILES, site=stalled, machine=Machine(kill=("KILL", "kubectl apply", 2)))
    yield Case("timeout", f"timeout 3 {slow}", files=FILES, site=stalled)


def _refusals() -> Iterator[Case]:
    def case(fault: str, variant: str, answer: Reply, **more: str) -> Case:
        return Case(fault, APPLY, variant, files=FILES, site=cluster({OBJECTS: answer}, fault="none"), **more)

    forbidden = (
        'deployments.apps is forbidden: User "system:serviceaccount:ci:deployer" cannot create resource "deployments" in API'
        ' group "apps" in the namespace "shop"'
    )
    yield case("http-403", "rbac", refused(403, "Forbidden", forbidden), why="the CI service account lacks a right")
    unauthorized = cluster(
        {path: refused(401, "Unauthorized", "Unauthorized") for path in ("/api", "/apis", "/version")}, fault="none"
    )
    yield Case("http-401", APPLY, "token", files=FILES, site=unauthorized)
    quota = (
        'pods "web-7d" is forbidden: exceeded quota: shop-quota, requested: limits.memory=2Gi, used: limits.memory=15Gi,'
        " limited: limits.memory=16Gi"
    )
    yield case("http-403", "quota", refused(403, "Forbidden", quota), kind="quota", why="the namespace's quota is used up")
    policy = (
        'admission webhook "policy.shop.example" denied the request: container web must not run as root (deploy.yaml:'
        " spec.securityContext.runAsNonRoot)"
    )
    yield case("bad-config", "policy", refused(403, "Forbidden", policy), why="the manifest breaks a policy")
    hook = (
        'Internal error occurred: failed calling webhook "policy.shop.example": failed to call webhook: Post'
        ' "https://policy.ops.svc:443/validate": context deadline exceeded'
    )
    yield case(
        "http-500",
        "webhook",
        refused(500, "InternalError", hook),
        kind="service_unavailable",
        why="the cluster's own admission service is down",
    )
    etcd = "etcdserver: request timed out"
    yield case(
        "http-500",
        "etcd",
        refused(500, "InternalError", etcd),
        kind="service_unavailable",
        why="the cluster's store does not answer",
    )
    invalid = 'Deployment.apps "web" is invalid: spec.template.spec.containers[0].image: Required value'
    yield case("bad-config", "required", refused(422, "Invalid", invalid))
    immutable = (
        'Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"shop"}}: field is immutable'
    )
    yield case("bad-config", "immutable", refused(422, "Invalid", immutable))
    namespace = refused(404, "NotFound", 'namespaces "shop" not found')
    yield case(
        "wrong-parameter",
        "namespace",
        namespace,
        owner="unknown",
        kind="config_error",
        why="name in the manifest or set-up of the cluster: not said",
    )
    strict = refused(
        400,
        "BadRequest",
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field'
        ' "spec.template.spec.container"',
    )
    yield case("bad-config", "strict", strict)
    timeout = refused(
        504,
        "Timeout",
        "the server was unable to return a response in the time allotted, but may still be processing the request",
    )
    yield case("http-504", "server", timeout, kind="service_unavailable", why="the API server does not answer in time")


def _rollouts() -> Iterator[Case]:
    wait = "kubectl rollout status deployment/web --timeout=3s"

    def listed(one: dict[str, object]) -> dict[str, Reply]:
        return {
            OBJECTS: told(
                {"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {"resourceVersion": "77"}, "items": [one]}
            ),
            f"{OBJECTS}/web": told(one),
        }

    dead = deployment(0, "ProgressDeadlineExceeded", 'ReplicaSet "web-7d" has timed out progressing.')
    bare = {"owner": "unknown", "why": "nothing says why the pods are not ready"}
    yield Case("app-unhealthy", wait, "rollout", files=FILES, site=cluster(listed(dead), fault="none"), **bare)
    yield Case("app-unhealthy", wait, "waits", files=FILES, site=cluster(listed(deployment(1)), fault="none"), **bare)
    pods = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}
    log = Reply(
        b"Traceback (most recent call last):\n  File \"/app/shop/settings.py\", line 12, in <module>\nKeyError: 'DB_URL'\n",
        "text/plain",
    )
    shown = {
        **listed(dead),
        "/api/v1/namespaces/shop/pods/web-7d-x1": told(
            {
                "kind": "Pod",
                "apiVersion": "v1",
                "metadata": {"name": "web-7d-x1", "namespace": "shop"},
                "spec": {"containers": [{"name": "web"}]},
                "status": {},
            }
        ),
        "/api/v1/namespaces/shop/pods/web-7d-x1/log": log,
        "/api/v1/namespaces/shop/pods": told(pods),
    }
    yield Case(
        "app-unhealthy",
        f"{wait} || {{ kubectl logs web-7d-x1 --tail=20; exit 1; }}",
        "log",
        files=FILES,
        site=cluster(shown, fault="none"),
        why="the log of the new version shows a missing setting",
    )


def _manifests() -> Iterator[Case]:
    healthy = {"site": cluster(fault="none")}

    def manifest(text: str) -> dict[str, str]:
        return {"~/.kube/config": KUBECONFIG, "deploy.yaml": text}

    yield Case("bad-yaml", APPLY, "indent", files=manifest(DEPLOYMENT.replace("  template:", " template:")), **healthy)
    yield Case("bad-yaml", APPLY, "tab", files=manifest(DEPLOYMENT.replace("  replicas", "\treplicas")), **healthy)
    yield Case(
        "bad-yaml", APPLY, "template", files=manifest(DEPLOYMENT.replace("name: web, n", "name: {{ name }}, n")), **healthy
    )
    yield Case(
        "bad-config", APPLY, "kind", files=manifest(DEPLOYMENT.replace("kind: Deployment", "kind: Deploymnet")), **healthy
    )
    yield Case(
        "bad-config", APPLY, "version", files=manifest(DEPLOYMENT.replace("apps/v1", "extensions/v1beta1")), **healthy
    )
    yield Case("bad-config", APPLY, "no-kind", files=manifest(DEPLOYMENT.replace("kind: Deployment\n", "")), **healthy)
    yield Case(
        "bad-config",
        APPLY,
        "no-name",
        files=manifest(DEPLOYMENT.replace("name: web, namespace", "nam: web, namespace")),
        **healthy,
    )
    yield Case("wrong-parameter", f"{APPLY} -n payments", "namespaces", files=manifest(DEPLOYMENT), **healthy)
    yield Case("missing-file", APPLY.replace("deploy.yaml", "k8s/"), files=FILES)
    yield Case("wrong-option", APPLY.replace("--validate", "--valid"), files=FILES)
    yield Case("unknown-target", APPLY.replace("apply", "aply"), files=FILES)
    yield Case(
        "wrong-parameter",
        f"{APPLY} --context staging",
        "context",
        files=FILES,
        owner="unknown",
        kind="config_error",
        why="name in the pipeline or the credential's file: not said",
    )
    yield Case(
        "missing-file",
        "kubectl kustomize overlays/prod",
        "kustomize",
        files={**FILES, "overlays/prod/kustomization.yaml": "resources: [../../base]\n"},
    )
    yield Case(
        "bad-config",
        "kubectl kustomize overlays/prod",
        "kustomize",
        files={**FILES, "overlays/prod/kustomization.yaml": "resourcs: [a.yaml]\n"},
    )
    yield Case("undefined-variable", f"set -u\n{APPLY} -n $NAMESPACE", files=FILES)


TOOL = Tool(
    "kubectl",
    cases,
    setup=(
        f"if [ -x bin/kubectl ]; then exit 0; fi\ncat >main.go <<'E'{SOURCE}E\n[ -f go.mod ] || go mod init kubectl\ngo get"
        " k8s.io/kubectl@latest k8s.io/component-base@latest\ngo mod tidy\ngo build -p 1 -o bin/kubectl ."
    ),
    path=("kubectl/bin",),
)
