"""Where things lie. The same folders are named for Ansible in inventory/group_vars/all/paths.yml."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INVENTORY = ROOT / "inventory"
STATE = ROOT / ".state"

DEFAULT_CLUSTER = os.environ.get("KUBELAB_CLUSTER") or "kind"
"""The cluster that is meant when none is named; inside `invoke shell` it is the shell's."""


def common(name: str) -> dict[str, Any]:
    """Returns what inventory/group_vars/all/NAME.yml says: what holds for all clusters, such as `versions`."""
    import yaml

    return dict(yaml.safe_load((INVENTORY / f"group_vars/all/{name}.yml").read_text()))


def state_dir(cluster: str) -> Path:
    """Folder of everything that belongs to one cluster; exists from `up` to `down`."""
    return STATE / cluster


def cache_dir() -> Path:
    """Folder of what all clusters share and what may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubelab"


def wheels_dir() -> Path:
    """Folder of the wheels of requirements.txt, where a bundle has brought them."""
    return cache_dir() / "wheels" / requirements_key()


def requirements_key() -> str:
    """What tells one requirements.txt from another."""
    return hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()[:16]


def kubeconfig(cluster: str) -> Path:
    return state_dir(cluster) / "kubeconfig"


def node_inventory(cluster: str) -> Path:
    """The generated Ansible inventory of the cluster's nodes."""
    return state_dir(cluster) / "inventory.yml"


def bin_dir(cluster: str) -> Path:
    """Folder with the kubectl of the cluster's version."""
    return state_dir(cluster) / "bin"


def reports_dir(cluster: str) -> Path:
    """Folder of what runs and proofs of labs have found, as JSON and as text."""
    return state_dir(cluster) / "reports"
