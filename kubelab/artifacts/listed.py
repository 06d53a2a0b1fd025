"""A small archive in place of a big one: what `artifacts.list` and the cluster's checks read of it, and nothing else.

It goes with a node image into a registry. The role artifacts types: python -m kubelab.artifacts.listed ARCHIVE FOLDER
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from pathlib import Path

FACTS = re.compile(r"index\.json|\./var/lib/dpkg/(status|status\.d/[^/]+)|\./usr/share/doc/[^/]+/copyright")
"""The list of an archive of images; of a file system the packages, and what they say of their licences."""


def write(archive: Path, folder: Path) -> None:
    """Writes into the folder an archive of the same name."""
    with tarfile.open(archive) as whole, tarfile.open(folder / archive.name, "w") as small:
        manifests = _manifests(whole)
        for member in whole:
            if member.isfile() and (FACTS.fullmatch(member.name) or member.name in manifests):
                small.addfile(member, whole.extractfile(member))


def _manifests(whole: tarfile.TarFile) -> set[str]:
    try:
        index = whole.extractfile("index.json")
    except KeyError:
        return set()
    entries = json.load(index)["manifests"] if index else []
    return {f"blobs/{entry['digest'].replace(':', '/')}" for entry in entries}


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
