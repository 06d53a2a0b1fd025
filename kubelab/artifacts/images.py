"""The images in the archive that the module oci_archive writes."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Image:
    """One image as it lies in the archive: containerd knows it by its digest, Pods report its configuration's."""

    name: str
    digest: str
    config: str
    size: int


def blob(digest: str) -> str:
    """Returns the name under which an archive holds what has this digest."""
    return f"blobs/{digest.replace(':', '/')}"


def images_in(archive: Path) -> list[Image]:
    """Returns the images of an archive in its order."""
    with tarfile.open(archive) as tar:

        def read(name: str) -> Any:
            content = tar.extractfile(name)
            assert content is not None
            return json.load(content)

        found = []
        for entry in read("index.json")["manifests"]:
            manifest = read(blob(entry["digest"]))
            size = sum(blob["size"] for blob in [manifest["config"], *manifest["layers"]])
            name = entry["annotations"]["io.containerd.image.name"]
            found.append(Image(name, entry["digest"], manifest["config"]["digest"], size))
        return found
