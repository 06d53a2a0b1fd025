"""The catalogue reads lab.yml strictly, and every lab in the repository has the bones of one."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubelab import catalogue
from kubelab.errors import Refusal
from kubelab.lesson import Lesson, code_blocks
from kubelab.paths import ROOT
from kubelab.waiting import NEVER_READY
from plugins.filter.lab_documents import LABEL, lab_cluster_objects, lab_documents, lab_objects

LABS = catalogue.names()
CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "IPAddressPool",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "StorageClass",
}
IMAGES = {"gcr.io/google-samples/hello-app:2.0", "gcr.io/google-samples/hello-app:1.0", "curlimages/curl:7.68.0"}
ON_DEMAND = yaml.safe_load((ROOT / "roles/artifacts/vars/on_demand.yml").read_text())["__artifacts_on_demand_images"]

GOOD = {
    "title": {"en": "A title", "ja": "題"},
    "topic": "pods",
    "order": 1,
    "minutes": 5,
    "images": [],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "first").mkdir()
    return tmp_path


def write(folder: Path, content: dict[str, object]) -> None:
    (folder / "first" / "lab.yml").write_text(yaml.safe_dump(content))


def test_a_folder_with_lab_yml_is_a_lab(folder: Path) -> None:
    write(folder, GOOD)
    (folder / "drafts").mkdir()
    assert catalogue.names(folder) == ["first"]
    entry = catalogue.load("first", folder)
    assert entry.ground.namespace == "lab-first"
    assert entry.lab.title.in_language("ja") == "題"


def test_an_unknown_lab_is_refused_with_the_closest_name(folder: Path) -> None:
    write(folder, GOOD)
    with pytest.raises(Refusal) as refused:
        catalogue.load("frist", folder)
    assert 'did you mean "first"?' in refused.value.found
    assert "first" in refused.value.needed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"minuts": 5}, 'minuts: unknown key; did you mean "minutes"?'),
        ({"minutes": "five"}, "minutes:"),
        ({"topic": "cooking"}, "topic:"),
        ({"needs": {"wrokers": 2}}, "needs.wrokers: unknown key"),
        ({"title": {"en": "only"}}, "title.ja:"),
    ],
)
def test_a_wrong_lab_yml_is_refused_naming_the_key(folder: Path, change: dict[str, object], said: str) -> None:
    write(folder, {**GOOD, **change})
    with pytest.raises(Refusal) as refused:
        catalogue.load("first", folder)
    assert said in refused.value.found
    assert "lab.yml" in refused.value.change


def test_the_answer_of_a_prediction_must_be_a_choice(folder: Path) -> None:
    text = {"en": "x", "ja": "x"}
    prediction = {
        "question": text,
        "choices": {"a": text, "b": text},
        "answer": "c",
        "why": text,
        "proved_by": "test_x",
    }
    write(folder, {**GOOD, "predictions": {"one": prediction}})
    with pytest.raises(Refusal, match='answer "c" is none of the choices: a, b'):
        catalogue.load("first", folder)


def test_a_statement_without_a_language_is_refused_naming_it(tmp_path: Path) -> None:
    (tmp_path / "notes.yml").write_text("pod: {en: A Pod has an address.}\n")
    with pytest.raises(Refusal, match=r"notes.yml: pod: ja: Field required"):
        catalogue.notes(tmp_path)


@pytest.mark.parametrize("name", LABS)
def test_every_lab_has_its_bones(name: str) -> None:
    entry = catalogue.load(name)
    folder = entry.ground.folder
    assert entry.lesson("en").is_file()
    assert entry.lesson("ja").is_file()
    assert (folder / "tests" / f"test_{name.replace('-', '_')}.py").is_file()
    assert list(folder.glob("manifests/*.yml"))
    assert len(entry.ground.faults) >= 2, "two faults at least"


@pytest.mark.parametrize("name", LABS)
def test_the_lesson_is_one_in_both_languages(name: str) -> None:
    entry = catalogue.load(name)
    english, japanese = (code_blocks(entry.lesson(language).read_text()) for language in ("en", "ja"))
    assert english == japanese
    assert Lesson.read(entry.lesson()).steps, "a lesson has commands to type"


@pytest.mark.parametrize("name", LABS)
def test_every_check_is_a_statement(name: str) -> None:
    for check in checks_of(name):
        assert ast.get_docstring(check), f"{check.name} has no docstring: its first line is what the learner reads"
        first, _, hint = (ast.get_docstring(check) or "").partition("\n")
        assert first.endswith((".", ".)")), f"{check.name}: the first line must be a whole sentence"
        assert hint.strip(), f"{check.name} has no hint after its first line"


@pytest.mark.parametrize("name", LABS)
def test_faults_and_predictions_name_checks_that_exist(name: str) -> None:
    entry = catalogue.load(name)
    checks = {check.name for check in checks_of(name)}
    for fault in entry.ground.faults:
        content = catalogue.load_fault(entry.ground, fault)
        assert {*content.fails, *content.also} <= checks
    assert {prediction.proved_by for prediction in entry.lab.predictions.values()} <= checks
    assert set(entry.lab.proves) <= set(catalogue.notes()), "labs/notes.yml names the statements"
    assert {check for listed in entry.lab.proves.values() for check in listed} <= checks


@pytest.mark.parametrize("name", LABS)
def test_the_lesson_asks_every_prediction_before_its_step(name: str) -> None:
    """A line `<!-- predict: name -->` says where; a sentence for the reader follows it."""
    entry = catalogue.load(name)
    for language in ("en", "ja"):
        asked = re.findall(r"^<!-- predict: (\S+) -->\n\*\*", entry.lesson(language).read_text(), re.MULTILINE)
        assert asked == list(entry.lab.predictions), f"{language}: the order is that of lab.yml"


@pytest.mark.parametrize("name", LABS)
def test_a_lab_asks_for_something_exactly_when_it_has_a_solution(name: str) -> None:
    tasks = [check for check in checks_of(name) if any("task" in ast.unparse(one) for one in check.decorator_list)]
    assert bool(tasks) == bool(catalogue.load(name).ground.solution)


@pytest.mark.parametrize("name", LABS)
def test_manifests_use_only_the_images_of_the_lab(name: str) -> None:
    """What never becomes ready may name an image that nobody has: that can be the lesson."""
    entry = catalogue.load(name)
    folder = str(entry.ground.folder)
    brought = {image["name"] for part in entry.lab.parts for image in ON_DEMAND[part]}
    assert images_of(lab_objects(folder)) <= IMAGES | brought
    assert images_of(lab_documents(folder)) <= set(entry.lab.images)


def test_a_part_on_demand_belongs_to_one_lab() -> None:
    """Its images go with the lab: another one that needs them would find them gone."""
    named = [part for name in LABS for part in catalogue.load(name).lab.parts]
    assert sorted(named) == sorted(set(named) & set(ON_DEMAND)), "roles/artifacts/vars/on_demand.yml names the parts"


@pytest.mark.parametrize("name", LABS)
def test_what_lies_in_no_namespace_carries_the_label(name: str) -> None:
    folder = str(catalogue.load(name).ground.folder)
    labelled = [document["metadata"]["name"] for document in lab_cluster_objects(folder)]
    scoped = [document for document in lab_objects(folder) if document["kind"] in CLUSTER_SCOPED]
    assert [document["metadata"]["name"] for document in scoped] == labelled
    assert all(document["metadata"]["labels"][LABEL] == name for document in scoped)


@pytest.mark.parametrize("name", LABS)
def test_a_volume_that_waits_for_a_claim_is_open_to_no_other_lab(name: str) -> None:
    """Labs run side by side, and any claim of a volume's class may take it if it is kept for none."""
    ground = catalogue.load(name).ground
    volumes = [one["spec"] for one in lab_objects(str(ground.folder)) if one["kind"] == "PersistentVolume"]
    shared = [one for one in volumes if one["storageClassName"] == "standard"]
    assert all(one.get("claimRef", {}).get("namespace") == ground.namespace for one in shared)


def test_the_engine_knows_no_lab_by_name() -> None:
    """Adding a lab is adding a folder: no file of the engine may contain the name of one as a word of its own."""
    words = {"pod", "kubeconfig", "pvc"}  # what the engine calls so is the thing, not the lab
    quoted = {f"{quote}{name}{quote}" for name in LABS if name not in words for quote in "\"'"}
    # The suite makes a lab of its own for a while, whose name is its own affair.
    engine = [path for path in (ROOT / "kubelab").glob("*.py") if not path.name.startswith("suite")]
    engine += [ROOT / "kubelab/tasks/lab.py"]
    engine += list((ROOT / "roles" / "lab").rglob("*.yml"))
    for path in engine:
        found = [name for name in quoted if name in path.read_text()]
        assert not found, f"{path}: {found}"


def test_the_cluster_checks_are_a_ground_like_a_lab() -> None:
    ground = catalogue.CLUSTER_GROUND
    found = [node for path in ground.folder.glob("test_*.py") for node in functions(path)]
    checks = {node.name for node in found if node.name.startswith("test_")}
    broken: set[str] = set()
    for name in ground.faults:
        fault = catalogue.load_fault(ground, name)
        assert {*fault.fails, *fault.also} <= checks
        broken |= set(fault.fails)
        assert (ground.folder / "faults" / name / "undo.yml").is_file()
    assert broken == checks, "every check is broken once"


def checks_of(name: str) -> list[ast.FunctionDef]:
    folder = catalogue.load(name).ground.tests
    found = [node for path in sorted(folder.glob("test_*.py")) for node in functions(path)]
    return [node for node in found if node.name.startswith("test_")]


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]


def images_of(documents: list[dict[str, Any]]) -> set[str]:
    living = [one for one in documents if NEVER_READY not in one["metadata"].get("annotations", {})]
    return {image for document in living for image in images_in(document)}


def images_in(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["image"]] if isinstance(value.get("image"), str) else []
        return own + [image for inner in value.values() for image in images_in(inner)]
    if isinstance(value, list):
        return [image for inner in value for image in images_in(inner)]
    return []
