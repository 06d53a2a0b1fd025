"""Reads what docker and kubectl print: memory, processor time, whether every Pod is Ready."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def mebibytes(usage: str) -> float:
    """Returns the first number of `645.7MiB / 23.54GiB`, as `docker stats` prints it, in MiB."""
    found = re.match(r"([\d.]+)(B|KiB|MiB|GiB)\b", usage)
    if found is None:
        raise ValueError(f"docker stats printed {usage!r}")
    return float(found[1]) * UNITS[found[2]] / UNITS["MiB"]


def processor_seconds(text: str) -> float:
    """Returns the processor time of a cgroup: nanoseconds alone (v1), or the line usage_usec of cpu.stat (v2)."""
    found = re.search(r"^usage_usec (\d+)$", text, re.MULTILINE)
    return int(found[1]) / 1e6 if found else int(text) / 1e9


def every_pod_ready(items: Iterable[dict[str, Any]], nodes: int) -> bool:
    """Whether all nodes are Ready, every workload has made all its Pods, and each of them is Ready.

    `items` are nodes, Pods, Deployments and DaemonSets as `kubectl get -o json` gives them. A Pod that is being
    deleted is nobody's any more.
    """
    living = [item for item in items if "deletionTimestamp" not in item["metadata"]]
    kinds = Counter(item["kind"] for item in living)
    return kinds["Node"] == nodes and kinds["Pod"] > 0 and all(_is_ready(item) for item in living)


def _is_ready(item: dict[str, Any]) -> bool:
    status = item.get("status", {})
    if item["kind"] == "DaemonSet":
        return bool(0 < status.get("desiredNumberScheduled", 0) <= status.get("numberReady", 0))
    if item["kind"] == "Deployment":
        return bool(status.get("readyReplicas", 0) >= item["spec"].get("replicas", 1))
    conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
    return status.get("phase") == "Succeeded" or conditions.get("Ready") == "True"
