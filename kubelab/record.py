"""The record of what `up` created, written by Ansible before anything is created; `down` removes nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from kubelab.errors import Refusal
from kubelab.paths import STATE, bin_dir, state_dir

EMULATED = 8.0


def load(cluster: str) -> dict[str, Any] | None:
    """Returns the record, or None for a cluster that was never begun. Refuses one that cannot be read."""
    path = state_dir(cluster) / "record.yml"
    if not path.is_file():
        return None
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _unreadable(cluster, str(error)) from error
    if not isinstance(content, dict) or content.get("cluster") != cluster:
        raise _unreadable(cluster, f"it does not say `cluster: {cluster}`")
    return content


def nodes(record: dict[str, Any]) -> list[str]:
    """Returns the names that a record's machines have as nodes, whoever made them; the machine outside is none."""
    machines = record.get("machines", {})
    containers = [name for name in record.get("containers", []) if not name.endswith("-outside")]
    return [*containers, *(name for name, machine in machines.items() if machine["group"] != "outside")]


def pace(cluster: str) -> float:
    """Returns how much longer everything takes than usual: emulated processors need their time."""
    return EMULATED if (load(cluster) or {}).get("accelerator") == "tcg" else 1.0


def note_use(cluster: str) -> None:
    """Marks what a cluster is made of: who tidies the cache up from another clone can know its use by nothing else."""
    content = load(cluster) or {}
    node = bin_dir(cluster).resolve().parent / "complete"
    for path in (node, Path(content.get("disk", node))):
        if path.exists():
            os.utime(path)


def _unreadable(cluster: str, why: str) -> Refusal:
    return Refusal(
        found=f"a damaged record .state/{cluster}/record.yml: {why}",
        needed="the record that `invoke up` wrote: it says what may be removed",
        change=f"restore the file, or remove the containers labelled {cluster} yourself and delete .state/{cluster}",
    )


def names() -> list[str]:
    """Clusters that were begun and not taken down, sorted."""
    return sorted(path.parent.name for path in STATE.glob("*/record.yml"))
