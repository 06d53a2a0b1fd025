"""The filters of the role lab: which objects of a folder are applied, and which are taken back."""

from __future__ import annotations

from pathlib import Path

import yaml

from plugins.filter.lab_documents import (
    NOT_MANIFESTS,
    lab_documents,
    lab_fault_objects,
    lab_objects,
    lab_obstacle,
    lab_undo_files,
)


def test_a_later_object_replaces_an_earlier_one(tmp_path: Path) -> None:
    for folder, image in (("manifests", "one"), ("solution", "two"), ("faults/bad", "three")):
        (tmp_path / folder).mkdir(parents=True)
        document = {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"image": image}}
        (tmp_path / folder / "pod.yml").write_text(yaml.safe_dump(document))
    for name in NOT_MANIFESTS:
        (tmp_path / "faults/bad" / name).write_text("title: not an object")
    assert [one["spec"]["image"] for one in lab_documents(str(tmp_path))] == ["one"]
    assert [one["spec"]["image"] for one in lab_documents(str(tmp_path), "solution")] == ["two"]
    assert [one["spec"]["image"] for one in lab_documents(str(tmp_path), "solution", "bad")] == ["three"]
    assert lab_documents(str(tmp_path), "nothing") == []
    assert len(lab_objects(str(tmp_path))) == 1


def test_what_faults_did_is_taken_back_by_name_or_altogether(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "faults" / name).mkdir(parents=True)
        (tmp_path / "faults" / name / "undo.yml").touch()
        document = {"kind": "Pod", "metadata": {"name": name}}
        (tmp_path / "faults" / name / "pod.yml").write_text(yaml.safe_dump(document))
    (tmp_path / "undo.yml").touch()
    folder = str(tmp_path)
    assert lab_undo_files(folder, "one") == [f"{folder}/faults/one/undo.yml"]
    assert lab_undo_files(folder, "") == lab_undo_files(folder, "none") == []
    assert len(lab_undo_files(folder)) == 3
    assert [one["metadata"]["name"] for one in lab_fault_objects(folder, ["", "two"])] == ["two"]


def test_of_an_error_the_learner_reads_what_the_api_server_said() -> None:
    raw = 'Failed to apply object: {"kind":"Status","message":"Pod \\"x\\" is invalid: spec\\n@@ -1 +1 @@","code":422}'
    assert lab_obstacle(raw) == 'Pod "x" is invalid: spec'
    assert lab_obstacle("no JSON at all") == "no JSON at all"
