"""The filter plugin of the role addons: what counts as a difference between a manifest and the cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

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


def test_on_emulated_machines_probes_wait_longer_and_ask_less_often() -> None:
    probe = {"httpGet": {"path": "/"}, "periodSeconds": 1}
    container = {"name": "one", "readinessProbe": probe, "livenessProbe": {"timeoutSeconds": 2}}
    given = [
        {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container, {"name": "two"}]}}}},
        SERVICE,
    ]
    changed, service = yaml.safe_load_all(addons.with_patient_probes(yaml.safe_dump_all(given)))
    one, two = changed["spec"]["template"]["spec"]["containers"]
    assert one["readinessProbe"] == {"httpGet": {"path": "/"}, "periodSeconds": 3, "timeoutSeconds": 10}
    assert one["livenessProbe"] == {"periodSeconds": 30, "timeoutSeconds": 20}
    assert (two, service) == ({"name": "two"}, SERVICE)
