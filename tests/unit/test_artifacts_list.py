"""The list of all that a cluster is made of: read from what is there, and silent about what is not."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kubelab.artifacts import debian, licences, listing, made
from kubelab.artifacts.images import images_in
from kubelab.paths import INVENTORY
from plugins.modules.oci_archive import Archive

VERSIONS = yaml.safe_load((INVENTORY / "group_vars/all/versions.yml").read_text())["versions"]

BSD = "Redistributions of source code must retain the above copyright notice.\n"
MIT = "Permission is hereby granted, free of charge, to any person\n obtaining a copy of this software"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("  Apache License\n  Version 2.0, January 2004", {"Apache-2.0"}),
        (MIT, {"MIT"}),
        ("Permission to use, copy, modify, and distribute this software for any\npurpose with or without fee", {"ISC"}),
        ("Mozilla Public License, version 2.0", {"MPL-2.0"}),
        (BSD, {"BSD-2-Clause"}),
        (BSD + "Neither the name of X may be used to endorse or promote products", {"BSD-3-Clause"}),
        (MIT + "\nThe other files:\n" + BSD, {"MIT", "BSD-2-Clause"}),
        ("All rights reserved.", set()),
    ],
)
def test_a_licence_is_known_by_its_words(text: str, found: set[str]) -> None:
    assert licences.recognise(text) == found


def test_a_module_has_the_licences_that_lie_beside_its_source(tmp_path: Path) -> None:
    folder = licences.module_folder(tmp_path, "github.com/BurntSushi/toml", "v1.4.0")
    assert folder == tmp_path / "github.com/!burnt!sushi/toml@v1.4.0"
    assert licences.of_folder(folder) == ""
    folder.mkdir(parents=True)
    for name, text in {"LICENSE": MIT, "COPYING.bsd": BSD, "main.go": "Mozilla Public License, version 2.0"}.items():
        (folder / name).write_text(text)
    assert licences.of_folder(folder) == "BSD-2-Clause AND MIT"


def file_system(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system of four packages, one of which dpkg does not know of."""
    stanza = (
        "Package: {}\nInstalled-Size: 2\nArchitecture: amd64\nSource: {}\nVersion: {}\nDescription: it\n is: good\n"
    )
    status = "\n".join(
        [
            stanza.format("two", "two (7)", "2-1"),
            stanza.format("two-data", "two", "2-1"),
            stanza.format("old", "o", "1"),
        ]
    )
    files = {
        "./var/lib/dpkg/status": status,
        "./var/lib/dpkg/status.d/one": stanza.format("one", "one", "1:1.0+b1"),
        "./usr/share/doc/one/copyright": "License: no\n\nFiles: debian/*\nLicense: no\n\nFiles: *\nLicense: GPL-2+\n",
        "./usr/share/doc/two/copyright": "Files: *\nCopyright: somebody\nLicense: Expat\n permission",
        "./usr/share/doc/old/copyright": "see `/usr/share/common-licenses/LGPL-2.1', /usr/share/common-licenses/GPL-2.",
    }
    return file_system(tmp_path / "root.tar", files)


def test_packages_are_what_dpkg_or_the_hook_wrote_down(root: Path) -> None:
    found = debian.packages(root)
    assert [(one.name, one.version, one.size) for one in found] == [
        ("old", "1", 2048), ("one", "1:1.0+b1", 2048), ("two", "2-1", 2048), ("two-data", "2-1", 2048),
    ]  # fmt: skip
    assert [one.licence for one in found] == ["refers to GPL-2, LGPL-2.1", "GPL-2+", "Expat", "Expat"]


def archive(path: Path, names: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        written = Archive(tar)
        for name in names:
            written.image({"name": name, "files": {"/bin/program": __file__}})
        written.finish()
    return path


def test_images_are_what_the_archive_holds(tmp_path: Path) -> None:
    one, two = images_in(archive(tmp_path / "images.tar", ["one:1", "two:2"]))
    assert (one.name, two.name) == ("one:1", "two:2")
    assert one.digest == two.digest != one.config
    assert one.size > 100


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> made.Made:
    """What this tree makes, on a machine that has built nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return made.of_this_tree()


def test_on_a_new_machine_all_versions_are_known_and_nothing_else_is_claimed(nothing: made.Made) -> None:
    found = {(item.kind, item.name, item.version): item for item in listing.items(nothing)}
    assert all(item.size is None for item in found.values())
    assert not [item for item in found.values() if item.kind == "image" and item.digest]
    for part, entry in VERSIONS.items():
        if "module" in entry:
            item = found["part", part, entry["version"]]
            assert (item.source, item.digest[:3], item.licence) == (entry["module"], "h1:", "")
    assert {("part", "hello_app", "2.0.0"), ("part", "hello_app_old", "1.0.0")} <= found.keys()
    for _, rows in listing.tables(list(found.values())):
        assert all(row[-1] == "not built yet" for row in rows)


def test_what_was_built_is_read_from_what_is_there(nothing: made.Made, root: Path, tmp_path: Path) -> None:
    names = [image["name"].replace("?", "said") for image in nothing.images]
    archive(tmp_path / "images.tar", names)
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind/kind").write_bytes(b"x" * 7)
    licence = licences.module_folder(tmp_path, "sigs.k8s.io/kind", f"v{VERSIONS['kind']['version']}")
    licence.mkdir(parents=True)
    (licence / "LICENSE").write_text(MIT)
    built = replace(
        nothing, folder=tmp_path, modules=tmp_path, tools=root, parts={**nothing.parts, "kind": tmp_path / "kind"}
    )
    found = json.loads(listing.as_json(listing.items(built)))
    images = [f"{item['name']}:{item['version']}" for item in found if item["kind"] == "image"]
    assert images == [*names, built.node_image]
    kind = next(item for item in found if item["name"] == "kind")
    assert (kind["licence"], kind["size"]) == ("MIT", 7)
    assert [item["name"] for item in found if item["kind"] == "image package"] == ["old", "one", "two", "two-data"]
