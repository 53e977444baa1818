"""What a Kubernetes API server answers: enough for kubectl and helm to deploy a shop."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lab.model import Reply, Site

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: prod, cluster: {server: "https://k8s.internal:6443"}}]
users: [{name: ci, user: {token: not-a-real-token}}]
contexts: [{name: prod, context: {cluster: prod, user: ci, namespace: shop}}]
current-context: prod
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "registry.example/shop/web:1.8.0"}]
"""
OBJECTS = "/apis/apps/v1/namespaces/shop/deployments"


def told(value: object, status: int = 200) -> Reply:
    """Return an answer in JSON."""
    return Reply(json.dumps(value).encode(), "application/json", status)


def refused(code: int, reason: str, message: str) -> Reply:
    """Return an API server's own error."""
    return told(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        },
        code,
    )


def _resources(version: str, **kinds: str) -> Reply:
    found = [
        {"name": name, "singularName": name[:-1], "namespaced": name != "namespaces", "kind": kind, "verbs": VERBS}
        for name, kind in kinds.items()
    ]
    return told({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": found})


def deployment(ready: int = 2, reason: str = "", message: str = "") -> dict[str, object]:
    """Return a deployment with so many pods of two ready. ``reason``, ``message``: of its condition Progressing."""
    conditions = [{"type": "Progressing", "status": "False", "reason": reason, "message": message}] if reason else []
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web", "namespace": "shop", "generation": 2, "resourceVersion": "77", "uid": "0c2f"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {}},
        },
        "status": {
            "observedGeneration": 2,
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": ready,
            "readyReplicas": ready,
            "conditions": conditions,
        },
    }


def cluster(more: Mapping[str, Reply] | None = None, fault: str = "", at: str = "") -> Site:
    """Return an API server. ``more``: pages instead of the healthy ones. ``fault``, ``at``: see Site."""
    group = {
        "name": "apps",
        "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
    }
    absent = refused(404, "NotFound", 'deployments.apps "web" not found')
    pages = {
        "/version": told({"major": "1", "minor": "32", "gitVersion": "v1.32.0"}),
        "/api": told({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        "/apis": told({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}),
        "/api/v1": _resources(
            "v1", namespaces="Namespace", pods="Pod", secrets="Secret", configmaps="ConfigMap", services="Service"
        ),
        "/apis/apps/v1": _resources("apps/v1", deployments="Deployment", replicasets="ReplicaSet"),
        "/api/v1/namespaces/shop": told({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "shop"}}),
        "/api/v1/namespaces/shop/secrets": told(
            {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []}, 200
        ),
        f"{OBJECTS}/web": absent,
        OBJECTS: told(deployment(), 201),
    }
    return Site({**pages, **(more or {})}, host="k8s.internal", port=6443, fault=fault, at=at)
