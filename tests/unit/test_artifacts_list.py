"""The list of all that a cluster is made of: read from what is there, and silent about what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubelab.artifacts import debian, engine, licences, listed, listing, sbom
from kubelab.artifacts.images import images_in
from kubelab.artifacts.made import Made
from kubelab.errors import Refusal

BSD = "Redistributions of source code must retain the above copyright notice.\n"
MIT = "Permission is hereby granted, free of charge, to any person\n obtaining a copy of this software"


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of who runs these tests may have the very image that this tree makes."""
    monkeypatch.setattr(engine, "node_images", list)


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


def test_packages_are_what_dpkg_or_the_hook_wrote_down(root: Path) -> None:
    found = debian.packages(root)
    assert [(one.name, one.version, one.size) for one in found] == [
        ("old", "1", 2048), ("one", "1:1.0+b1", 2048), ("two", "2-1", 2048), ("two-data", "2-1", 2048),
    ]  # fmt: skip
    assert [one.licence for one in found] == ["refers to GPL-2, LGPL-2.1", "GPL-2+", "Expat", "Expat"]


def test_on_a_new_machine_all_versions_are_known_and_nothing_else_is_claimed(nothing: Made) -> None:
    found = {(item.kind, item.name, item.version): item for item in listing.items(nothing)}
    assert all(item.size is None for item in found.values())
    assert not [item for item in found.values() if item.kind == "image" and item.digest]
    for part, entry in nothing.versions.items():
        if "module" in entry:
            item = found["part", part, entry["version"]]
            assert (item.source, item.digest[:3], item.licence) == (entry["module"], "h1:", "")
    assert {("part", "hello_app", "2.0.0"), ("part", "hello_app_old", "1.0.0")} <= found.keys()
    for _, rows in listing.tables(list(found.values())):
        assert all(row[-1] == "not built yet" for row in rows)


def test_what_was_built_is_read_from_what_is_there(built: Made) -> None:
    found = json.loads(listing.as_json(listing.items(built)))
    images = {f"{item['name']}:{item['version']}": item["digest"] for item in found if item["kind"] == "image"}
    (archive,) = built.archives
    digests = {image.name: image.digest for image in images_in(archive)}
    assert images == {**digests, built.node_image: ""}
    assert "said/etcd:said" in images
    kind = next(item for item in found if item["name"] == "kind")
    assert (kind["licence"], kind["size"]) == ("MIT", 7)
    assert [item["name"] for item in found if item["kind"] == "image package"] == ["old", "one", "two", "two-data"]


def test_who_pulled_a_node_image_sees_images_and_packages_as_who_built_it(built: Made) -> None:
    """It carries small archives that say what is in the big ones."""

    def seen() -> set[listing.Item]:
        return {item for item in listing.items(built) if item.kind != "part"}

    before = seen()
    assert {item.kind for item in before} == {"image", "node package", "image package"}
    (built.folder / "listed").mkdir()
    for archive in (next(iter(built.archives)), built.node):
        whole = archive.stat().st_size
        listed.write(archive, built.folder / "listed")
        assert (built.folder / "listed" / archive.name).stat().st_size <= whole
        archive.unlink()
    assert seen() == before
    with pytest.raises(Refusal, match="where they were built"):
        sbom.as_json(built)
