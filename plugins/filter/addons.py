"""Ansible filters of the role addons: what is applied, and is what the cluster has what it should have?"""

from __future__ import annotations

import json
from typing import Any

import yaml

Key = tuple[str, str, str]

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# What Kubernetes takes where a probe says nothing, and how many times as long an emulated machine gets.
# https://kubernetes.io/docs/concepts/workloads/pods/probes/
PATIENCE = {"timeoutSeconds": (1, 10), "periodSeconds": (10, 3)}


def with_patient_probes(manifest: str) -> str:
    """Return the manifest with probes for emulated machines: they wait longer for an answer, and ask less often."""
    documents = [one for one in yaml.load_all(manifest.encode(), Loader=yaml.CSafeLoader) if one]
    for document in documents:
        pod = document.get("spec", {}).get("template", {}).get("spec", {})
        probes = [one[name] for one in pod.get("containers", []) for name in PROBES if name in one]
        for probe in probes:
            probe.update({key: probe.get(key, usual) * times for key, (usual, times) in PATIENCE.items()})
    return str(yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False))


def objects_that_differ(manifest: str, live: str) -> list[str]:
    """Return the objects of a manifest, as `kind/name`, of which the cluster has less than the manifest says.

    `live` is what `kubectl get --output json --filename` answers for it. What the cluster holds beyond the manifest,
    its defaults above all, is no difference, nor is an empty value that it leaves out. One that Kubernetes writes in
    another way (1024Mi as 1Gi) is one: who then applies the manifest changes nothing.
    """
    items = json.loads(live).get("items", []) if live else []
    found = {_key(item): item for item in items}
    wanted = [document for document in yaml.load_all(manifest.encode(), Loader=yaml.CSafeLoader) if document]
    return [f"{one['kind']}/{one['metadata']['name']}" for one in wanted if not _has(found.get(_key(one)), one)]


def _key(item: dict[str, Any]) -> Key:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _has(live: Any, wanted: Any) -> bool:
    if wanted is None or (live is None and not wanted):
        return True
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(_has(live.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(live, list) and len(live) == len(wanted)
        return same_length and all(map(_has, live, wanted))
    return bool(live == wanted)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"objects_that_differ": objects_that_differ, "with_patient_probes": with_patient_probes}
