"""What this tree makes, as the role artifacts says it: that is where it is written."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invoke.exceptions import Exit

from kubelab.paths import DEFAULT_CLUSTER, ROOT
from kubelab.playbook import build_args, environment


@dataclass(frozen=True)
class Made:
    """Names of what is made, and where it lies once it is there."""

    versions: dict[str, dict[str, Any]]
    key: str
    folder: Path
    """Of the node: images, manifests."""
    go: Path
    modules: Path
    """Go's folder of sources."""
    recipes: dict[str, dict[str, Any]]
    parts: dict[str, Path]
    built: list[Path]
    """All that takes a compiler or a mirror to make, for a node."""
    node: Path
    tools: Path
    archives: dict[Path, list[dict[str, Any]]]
    """What images are made of, by the file that they are written to; the first one is brought to every node."""
    disk: Path

    @property
    def complete(self) -> Path:
        """Is there once everything is built."""
        return self.folder / "complete"

    @property
    def node_image(self) -> str:
        return f"kubelab/node:{self.key}"

    def listed(self, archive: Path) -> Path:
        """An archive, or where a registry has brought the node image, a small one that tells what is in it."""
        return archive if archive.is_file() else self.folder / "listed" / archive.name

    def source(self, part: str) -> str:
        """The name under which versions and sources know a part."""
        return str(self.recipes.get(part, {}).get("source", part))


def read(text: str) -> Made:
    """Returns what the playbook has written."""
    content: dict[str, Any] = json.loads(text)
    for name in ("folder", "go", "modules", "node", "tools", "disk"):
        content[name] = Path(content[name])
    content["parts"] = {name: Path(path) for name, path in content["parts"].items()}
    content["built"] = [Path(path) for path in content["built"]]
    images = content.pop("labs_images")
    labs = [{"path": one["path"], "images": images[one["part"]]} for one in content.pop("labs_archives")]
    content["archives"] = {Path(one["path"]): one["images"] for one in [*content["archives"], *labs]}
    return Made(**content)


def of_this_tree() -> Made:
    """Asks Ansible, which takes two seconds and makes nothing."""
    with tempfile.TemporaryDirectory(prefix="kubelab-") as folder:
        file = Path(folder) / "made.json"
        args = build_args("made", DEFAULT_CLUSTER, {"made_file": str(file)})
        done = subprocess.run(args, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Exit(done.stdout + done.stderr, done.returncode)
        return read(file.read_text())
