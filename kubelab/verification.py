"""Remembers which state of which cluster passed tests/cluster, so that an unchanged one is looked at only briefly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from kubelab.paths import INVENTORY, ROOT, state_dir


def verified_file(cluster: str) -> Path:
    return state_dir(cluster) / "verified"


def digest(cluster: str) -> str:
    """Returns a hash of what a verification holds for: the cluster's record, its shape, versions and the checks."""
    total = hashlib.sha256()
    for path in sorted(_inputs(cluster)):
        total.update(f"{path.relative_to(ROOT)}\n".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _inputs(cluster: str) -> Iterator[Path]:
    yield state_dir(cluster) / "record.yml"
    yield INVENTORY / f"{cluster}.yml"
    yield from (INVENTORY / "group_vars/all").glob("*.yml")
    yield from (path for path in (ROOT / "tests/cluster").rglob("*") if path.suffix in (".py", ".yml"))


def holds(cluster: str) -> bool:
    path = verified_file(cluster)
    return path.is_file() and path.read_text().strip() == digest(cluster)


def keep(cluster: str) -> None:
    verified_file(cluster).write_text(f"{digest(cluster)}\n")


def forget(cluster: str) -> None:
    verified_file(cluster).unlink(missing_ok=True)
