"""Ansible filters of the role addons: is what the cluster has what it should have?"""

from __future__ import annotations

import json
from typing import Any

import yaml

Key = tuple[str, str, str]


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
        return {"objects_that_differ": objects_that_differ}
