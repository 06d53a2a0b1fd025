"""The filters of the role lab: which objects of a folder are applied, and which are taken back."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from plugins.filter.lab_documents import (
    LABEL,
    NOT_MANIFESTS,
    lab_documents,
    lab_fault_objects,
    lab_list,
    lab_objects,
    lab_pods_that_end,
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


def test_objects_go_into_the_namespace_of_the_lab_unless_they_say_where_they_lie() -> None:
    documents = [
        {"kind": "Pod", "metadata": {"name": "here"}},
        {"kind": "Pod", "metadata": {"name": "there", "namespace": "other"}},
        {"kind": "StorageClass", "metadata": {"name": "nowhere", "labels": {LABEL: "x"}}},
    ]
    items = json.loads(lab_list(documents, "lab-x"))["items"]
    assert [item["metadata"].get("namespace") for item in items] == ["lab-x", "other", None]
    assert json.loads(lab_list(documents))["items"] == documents


def test_a_pod_that_nobody_starts_again_is_known() -> None:
    documents = [
        {"kind": kind, "metadata": {"name": name}, "spec": spec}
        for kind, name, spec in (
            ("Pod", "once", {"restartPolicy": "Never"}),
            ("Pod", "on", {}),
            ("Job", "job", {"template": {"spec": {"restartPolicy": "Never"}}}),
        )
    ]
    assert lab_pods_that_end(documents) == ["once"]
