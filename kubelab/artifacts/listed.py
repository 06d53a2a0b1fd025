"""A small archive in place of a big one: what `artifacts.list` and the cluster's checks read of it, and nothing else.

It goes with a node image into a registry. The role artifacts types: python -m kubelab.artifacts.listed ARCHIVE FOLDER
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

from kubelab.artifacts.debian import COPYRIGHT, STATUS
from kubelab.artifacts.images import blob

INDEX = "index.json"


def write(archive: Path, folder: Path) -> None:
    """Writes into the folder an archive of the same name."""
    with tarfile.open(archive) as whole, tarfile.open(folder / archive.name, "w") as small:
        manifests = _manifests(whole)
        for member in whole:
            known = member.name in manifests or STATUS.fullmatch(member.name) or COPYRIGHT.fullmatch(member.name)
            if member.isfile() and known:
                small.addfile(member, whole.extractfile(member))


def _manifests(whole: tarfile.TarFile) -> set[str]:
    """The list of an archive of images and what it names; a file system has none."""
    try:
        index = whole.extractfile(INDEX)
    except KeyError:
        return set()
    entries = json.load(index)["manifests"] if index else []
    return {INDEX, *(blob(entry["digest"]) for entry in entries)}


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
