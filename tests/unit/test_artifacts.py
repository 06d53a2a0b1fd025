"""Filters of the role artifacts: what parts and images are named after, and what an image is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins.filter import artifacts, digest


def test_a_tree_digest_sees_names_contents_and_run_bits(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one")
    seen = {digest.tree_digest(str(tmp_path))}
    (tmp_path / "file").write_text("two")
    seen.add(digest.tree_digest(str(tmp_path)))
    (tmp_path / "file").chmod(0o755)
    seen.add(digest.tree_digest(str(tmp_path)))
    (tmp_path / "file").rename(tmp_path / "other")
    seen.add(digest.tree_digest(str(tmp_path)))
    assert len(seen) == 4
    one = digest.tree_digest(str(tmp_path / "other"))
    (tmp_path / "other").write_text("three")
    assert digest.tree_digest(str(tmp_path / "other")) != one, "one file has a digest too"


def test_a_tree_digest_does_not_depend_on_where_the_tree_lies(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("same")
    assert digest.tree_digest(str(tmp_path / "here")) == digest.tree_digest(str(tmp_path / "there"))


def test_changing_one_part_leaves_the_folders_of_the_others(tmp_path: Path) -> None:
    for part in ("go/one", "go/two", "pause"):
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "file").write_text("x")
    parts = {"one": {"packages": ["a"]}, "two": {"packages": ["b"]}}
    before = artifacts.part_dirs(parts, str(tmp_path), {"go": {"version": "1"}}, "/cache")
    (tmp_path / "go/two/file").write_text("y")
    after = artifacts.part_dirs(parts, str(tmp_path), {"go": {"version": "1"}}, "/cache")
    assert before["two"] != after["two"]
    assert {key: before[key] for key in ("one", "pause")} == {key: after[key] for key in ("one", "pause")}


def test_images_name_their_files_layer_and_labels() -> None:
    images = [
        {
            "name": "x:1",
            "bin": ["part/server"],
            "as": "etcd",
            "scripts": ["run"],
            "tools": True,
            "config": {"User": "1"},
        }
    ]
    made = artifacts.oci_images(images, {"part": "/cache/part-1"}, "/scripts", "/tools.tar", {"vendor": "kubelab"})
    assert made == [
        {
            "name": "x:1",
            "files": {"/usr/local/bin/etcd": "/cache/part-1/server", "/usr/local/bin/run": "/scripts/run"},
            "config": {"Labels": {"vendor": "kubelab"}, "User": "1"},
            "base": "/tools.tar",
        }
    ]


def test_an_archive_on_demand_is_named_after_its_images() -> None:
    images = {"sink": [{"name": "sink:v1", "bin": ["sink/server"]}], "other": []}
    dirs = {"sink": "/cache/sink-1", "other": "/cache/other-1"}

    def archive(dirs: dict[str, str]) -> dict[str, Any]:
        (made,) = artifacts.on_demand_archives(["sink"], images, dirs, "/cache", {"vendor": "kubelab"})
        return made

    made = archive(dirs)
    assert made["path"] == f"/cache/sink-{made['key']}.tar"
    assert made["images"][0]["files"] == {"/usr/local/bin/server": "/cache/sink-1/server"}
    assert archive({**dirs, "other": "/cache/other-2"}) == made
    assert archive({**dirs, "sink": "/elsewhere/sink-1"})["key"] == made["key"]
    assert archive({**dirs, "sink": "/cache/sink-2"})["key"] != made["key"]
