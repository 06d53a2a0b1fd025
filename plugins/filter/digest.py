"""Ansible filters that name things by their content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def tree_digest(folder: str) -> str:
    """Return the SHA-256 of a folder, or of one file: names, run bits and contents of all files below it.

    Two folders with the same files have the same digest, wherever they lie.
    """
    digest = hashlib.sha256()
    root = Path(folder)
    found = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    for path in (p for p in found if "__pycache__" not in p.parts):
        executable = bool(path.stat().st_mode & 0o100)
        digest.update(f"{path.relative_to(root)}\0{executable}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def content_key(value: Any, length: int = 16) -> str:
    """Return a short key (hexadecimal digits) that changes whenever the value does."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"tree_digest": tree_digest, "content_key": content_key}
