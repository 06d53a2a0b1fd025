"""The filter plugin of the role addons: what counts as a difference between a manifest and the cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plugins.filter import addons

WANTED = """
kind: Deployment
metadata: {name: web, namespace: a, creationTimestamp: null}
spec: {replicas: 2, paused: false, containers: [{name: one}]}
---
kind: Service
metadata: {name: web}
"""
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "a", "creationTimestamp": "today"},
    "spec": {"replicas": 2, "containers": [{"name": "one", "image": "by default"}], "strategy": "by default"},
}
SERVICE: dict[str, Any] = {"kind": "Service", "metadata": {"name": "web"}}


def differing(*live: dict[str, Any]) -> list[str]:
    return addons.objects_that_differ(WANTED, json.dumps({"items": live}))


def test_what_the_cluster_has_beyond_the_manifest_is_no_difference() -> None:
    assert differing(DEPLOYMENT, SERVICE) == []


@pytest.mark.parametrize(
    "spec",
    [
        {**DEPLOYMENT["spec"], "replicas": 3},
        {**DEPLOYMENT["spec"], "paused": True},
        {**DEPLOYMENT["spec"], "containers": [{"name": "other"}]},
        {**DEPLOYMENT["spec"], "containers": [{"name": "one"}, {"name": "two"}]},
        {},
    ],
)
def test_another_value_is_a_difference(spec: dict[str, Any]) -> None:
    assert differing({**DEPLOYMENT, "spec": spec}, SERVICE) == ["Deployment/web"]


def test_what_is_not_there_is_a_difference() -> None:
    assert differing(DEPLOYMENT) == ["Service/web"]
    assert addons.objects_that_differ(WANTED, "") == ["Deployment/web", "Service/web"]
