"""What the Docker Engine says of the images of nodes. One that is not there has none."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import datetime

OURS = ["--filter", "label=dev.kubelab.role=node", "--filter", "reference=kubelab/node"]


@dataclass(frozen=True)
class NodeImage:
    """One image that bears our name and our label."""

    name: str
    digest: str
    created: float
    size: int
    in_use: bool
    """Whether a container is made from it, running or not."""


def node_images() -> list[NodeImage]:
    found = []
    for name in _ask(["image", "ls", *OURS, "--format", "{{.Repository}}:{{.Tag}}"]):
        digest, created, size = _ask(["image", "inspect", "--format", "{{.Id}}\n{{.Created}}\n{{.Size}}", name])
        in_use = bool(_ask(["ps", "--all", "--quiet", "--filter", f"ancestor={name}"]))
        found.append(NodeImage(name, digest, datetime.fromisoformat(created).timestamp(), int(size), in_use))
    return found


def remove(name: str) -> None:
    """Without force: the engine itself refuses to remove what a container uses."""
    subprocess.run(["docker", "image", "rm", name], capture_output=True, check=True)


def _ask(words: list[str]) -> list[str]:
    try:
        return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.split()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []
