"""helm: charts from a repository, charts of the project, and a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lab.cluster import KUBECONFIG, cluster, refused, told
from lab.faults import CONNECTION, STATUS, TLS, WEB
from lab.model import Case, Machine, Reply, Site, Tool
from lab.packages import archive, noise

CHART = "apiVersion: v2\nname: shop\nversion: 1.8.0\n"
TEMPLATE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example/shop/web:{{ .Chart.Version }}"}]}
"""
FILES = {
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": "replicas: 2\n",
    "chart/templates/web.yaml": TEMPLATE,
    "~/.kube/config": KUBECONFIG,
}
UPGRADE = "helm upgrade --install shop ./chart --timeout 4s --disable-openapi-validation"
PULL = "helm pull shop --repo https://registry.example/charts --version 1.8.0"
PACKED = archive(
    {
        "shop/Chart.yaml": CHART,
        "shop/values.yaml": "replicas: 2\n",
        "shop/templates/web.yaml": TEMPLATE,
        "shop/files/data.bin": noise(300_000),
    }
)
INDEX = f"""apiVersion: v1
entries:
  shop:
    - {{apiVersion: v2, name: shop, version: 1.8.0, digest: {hashlib.sha256(PACKED).hexdigest()}, urls: [shop-1.8.0.tgz]}}
    - {{apiVersion: v2, name: shop, version: 1.7.0, urls: [shop-1.7.0.tgz]}}
"""
REPOSITORY = Site(
    {"/charts/index.yaml": Reply(INDEX.encode(), "text/yaml"), "/charts/shop-1.8.0.tgz": Reply(PACKED, "application/gzip")}
)


def cases() -> Iterator[Case]:
    """Yield all cases of helm."""
    for fault in WEB:
        yield Case(fault, PULL, files=FILES, site=REPOSITORY, seconds=70)
    download = Site(REPOSITORY.pages, at=r"\.tgz")
    for fault in [*STATUS, "html", "empty", "truncated", "reset-midway", "corrupt"]:
        yield Case(fault, PULL, "download", files=FILES, site=download)
    for fault in [*CONNECTION, *TLS, "http-401", "http-403", "http-500", "http-503"]:
        yield Case(fault, UPGRADE, "upgrade", files=FILES, site=cluster(), seconds=70)
    push = "helm push shop-1.8.0.tgz oci://registry.example/charts"
    for fault in ("http-401", "http-403", "http-500", "http-503", "refused", "tls-unknown", "http-413", "http-507"):
        yield Case(fault, push, "push", files={**FILES, "shop-1.8.0.tgz": PACKED}, site=Site())
    yield from _cluster()
    yield from _machine()
    yield from _charts()


def _cluster() -> Iterator[Case]:
    def case(fault: str, variant: str, answer: Reply, **more: str) -> Case:
        return Case(
            fault,
            UPGRADE,
            variant,
            files=FILES,
            site=cluster({"/api/v1/namespaces/shop/secrets": answer}, fault="none"),
            **more,
        )

    forbidden = (
        'secrets is forbidden: User "system:serviceaccount:ci:deployer" cannot list resource "secrets" in API group "" in'
        ' the namespace "shop"'
    )
    yield case("http-403", "rbac", refused(403, "Forbidden", forbidden), why="the CI service account lacks a right")
    yield case("http-500", "etcd", refused(500, "InternalError", "etcdserver: leader changed"), kind="service_unavailable")
    yield case("http-401", "token", refused(401, "Unauthorized", "Unauthorized"))
    yield Case(
        "bad-config",
        UPGRADE,
        "kind",
        files={**FILES, "chart/templates/web.yaml": TEMPLATE.replace("kind: Deployment", "kind: Deploymnet")},
        site=cluster(
            {
                "/api/v1/namespaces/shop/secrets": told(
                    {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []}
                )
            },
            fault="none",
        ),
    )


def _machine() -> Iterator[Case]:
    healthy = {"files": FILES, "site": REPOSITORY}
    yield Case("disk-full", PULL, machine=Machine(workspace="100k"), **healthy)
    yield Case("read-only", PULL, machine=Machine(read_only=("/home/jenkins/workspace/shop",)), **healthy)
    yield Case("no-permission", PULL, before="chown root . && chmod 755 .", **healthy)
    yield Case(
        "home-denied",
        PULL,
        before="mkdir -p ~jenkins/.cache && chown root ~jenkins/.cache && chmod 755 ~jenkins/.cache",
        **healthy,
    )
    yield Case("out-of-memory", PULL, machine=Machine(memory=120), **healthy)
    slow = Site(REPOSITORY.pages, at=r"\.tgz", fault="stalled")
    yield Case("killed", PULL, files=FILES, site=slow, machine=Machine(kill=("KILL", "helm pull", 2)))
    yield Case("terminated", PULL, files=FILES, site=slow, machine=Machine(kill=("TERM", "helm pull", 2)))
    yield Case("timeout", f"timeout 2 {PULL}", files=FILES, site=slow)
    yield Case("tool-missing", PULL, files=FILES, machine=Machine(without=("helm",)))


def _charts() -> Iterator[Case]:
    def chart(**more: str) -> dict[str, str | bytes]:
        return {**FILES, **{f"chart/{name.replace('__', '/').replace('_', '.')}": text for name, text in more.items()}}

    lint, render = "helm lint ./chart", "helm template shop ./chart"
    web = "templates__web_yaml"
    yield Case(
        "template",
        render,
        "nil",
        files=chart(**{web: TEMPLATE.replace(".Values.replicas", ".Values.web.replicas")}),
        kind="config_error",
    )
    yield Case(
        "template", render, "unclosed", files=chart(**{web: TEMPLATE + "{{- if .Values.ingress }}\n"}), kind="config_error"
    )
    yield Case(
        "template",
        render,
        "function",
        files=chart(**{web: TEMPLATE.replace(".Values.replicas", ".Values.replicas | quoted")}),
        kind="config_error",
    )
    yield Case(
        "template",
        render,
        "include",
        files=chart(**{web: TEMPLATE.replace("{app: web}", '{{ include "shop.labels" . }}', 1)}),
        kind="config_error",
    )
    yield Case(
        "template",
        lint,
        "lint",
        files=chart(**{web: TEMPLATE.replace(".Values.replicas", ".Values.web.replicas")}),
        kind="lint",
    )
    yield Case("bad-yaml", render, "values", files=chart(values_yaml="replicas: 2\n  image: a\n"))
    yield Case("bad-yaml", render, "chart", files=chart(Chart_yaml="apiVersion: v2\nname: shop\n version: 1\n"))
    yield Case("bad-yaml", render, "rendered", files=chart(**{web: TEMPLATE.replace("  replicas:", "\treplicas:")}))
    yield Case("bad-yaml", f"{render} -f prod.yaml", "prod", files={**FILES, "prod.yaml": "replicas: [2\n"})
    yield Case("bad-manifest", lint, "name", files=chart(Chart_yaml="apiVersion: v2\nversion: 1.8.0\n"))
    yield Case("bad-manifest", render, "version", files=chart(Chart_yaml="apiVersion: v2\nname: shop\nversion: one\n"))
    required = TEMPLATE.replace("{{ .Values.replicas }}", '{{ required "replicas is needed (values.yaml)" .Values.count }}')
    yield Case("wrong-parameter", render, "required", files=chart(**{web: required}))
    schema = '{"type": "object", "properties": {"replicas": {"type": "integer", "maximum": 5}}}'
    yield Case("wrong-parameter", render, "schema", files=chart(values_yaml="replicas: 50\n", values_schema_json=schema))
    yield Case("wrong-parameter", f"{render} --set replicas", "set", files=FILES)
    needs = CHART + "dependencies: [{name: rates, version: 2.0.0, repository: https://registry.example/charts}]\n"
    yield Case("missing-dependency", render, files=chart(Chart_yaml=needs))
    lock = "dependencies: []\ndigest: sha256:00\ngenerated: '2026-01-01T00:00:00Z'\n"
    yield Case("lock-out-of-step", "helm dependency build ./chart", files=chart(Chart_yaml=needs, Chart_lock=lock))
    yield Case(
        "missing-internal", "helm dependency update ./chart", "dependency", files=chart(Chart_yaml=needs), site=REPOSITORY
    )
    yield Case("missing-internal", PULL.replace("pull shop", "pull ledger"), files=FILES, site=REPOSITORY)
    yield Case("missing-version", PULL.replace("1.8.0", "18.0.0"), files=FILES, site=REPOSITORY)
    yield Case("missing-file", f"{render} -f values-prod.yaml", files=FILES)
    yield Case("missing-file", "helm template shop ./charts/shop", "chart", files=FILES)
    yield Case("wrong-option", f"{UPGRADE} --atomik", files=FILES)
    yield Case("unknown-target", UPGRADE.replace("upgrade", "upgrad"), files=FILES)
    yield Case("tool-misspelt", UPGRADE.replace("helm", "hlem"), files=FILES)
    yield Case("undefined-variable", f"set -u\n{UPGRADE} --set image=$IMAGE", files=FILES)


TOOL = Tool(
    "helm",
    cases,
    setup="[ -x bin/helm ] || GOBIN=$PWD/bin GOFLAGS=-p=1 go install helm.sh/helm/v3/cmd/helm@latest",
    path=("helm/bin",),
)
