"""A small world of things that were made, for tests of what is said about them."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from kubelab.artifacts import licences
from kubelab.artifacts.made import Made, of_this_tree
from plugins.modules import oci_archive

MIT = "Permission is hereby granted, free of charge, to any person\n obtaining a copy of this software"
STANZA = "Package: {}\nInstalled-Size: 2\nArchitecture: amd64\nSource: {}\nVersion: {}\nDescription: it\n is: good\n"
PACKAGES = [
    STANZA.format(*words) for words in [("two", "two (7)", "2-1"), ("two-data", "two", "2-1"), ("old", "o", "1")]
]
FILES = {
    "./var/lib/dpkg/status": "\n".join(PACKAGES),
    "./var/lib/dpkg/status.d/one": STANZA.format("one", "one", "1:1.0+b1"),
    "./usr/share/doc/one/copyright": "License: no\n\nFiles: debian/*\nLicense: no\n\nFiles: *\nLicense: GPL-2+\n",
    "./usr/share/doc/two/copyright": "Files: *\nCopyright: somebody\nLicense: Expat\n permission",
    "./usr/share/doc/old/copyright": "see `/usr/share/common-licenses/LGPL-2.1', /usr/share/common-licenses/GPL-2.",
}
PROGRAM = {
    "GoVersion": "go1.2.3",
    "Deps": [
        {"Path": "example.org/One", "Version": "v1.0.0", "Sum": "h1:" + "A" * 43 + "="},
        {"Path": "example.org/two", "Version": "v1", "Replace": {"Path": "example.org/fork", "Version": "v2.0.0"}},
    ],
}


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What this tree makes, on a machine that has built nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return of_this_tree()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system of four packages: three that dpkg knows of, one that was only unpacked."""
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        for name, text in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return tmp_path / "root.tar"


@pytest.fixture
def built(nothing: Made, root: Path, tmp_path: Path) -> Made:
    """The same as if it were built: kind and etcd of the parts, everything else."""
    parts = {name: tmp_path / name for name in nothing.parts}
    for name in ("kind", "etcd"):
        parts[name].mkdir()
        (parts[name] / name).write_bytes(b"x" * 7)
    go = tmp_path / "go/go/bin/go"
    go.parent.mkdir(parents=True)
    go.write_text(f"#!/bin/sh\nfor program in $4/*; do [ ! -e $program ] || echo '{json.dumps(PROGRAM)}'; done\n")
    go.chmod(0o755)
    made = replace(nothing, folder=tmp_path, modules=tmp_path, go=tmp_path / "go", parts=parts, node=root, tools=root)
    source = licences.module_folder(tmp_path, made.versions["kind"]["module"], f"v{made.versions['kind']['version']}")
    source.mkdir(parents=True)
    (source / "LICENSE").write_text(MIT)
    made.complete.touch()
    recipes = next(iter(made.archives.values()))
    names = [recipe["name"].replace("?", "said") for recipe in recipes]
    oci_archive.write(f"{tmp_path}/images.tar", [{"name": name, "files": {"/bin/program": __file__}} for name in names])
    return replace(made, archives={tmp_path / "images.tar": recipes})
