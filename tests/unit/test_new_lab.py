"""A new lab is whole from its first moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelab import catalogue, new_lab
from kubelab.errors import Refusal
from kubelab.lesson import Lesson


def test_it_is_a_lab_of_its_own_name(tmp_path: Path) -> None:
    new_lab.create("my-lab", tmp_path)
    entry = catalogue.load("my-lab", tmp_path)
    assert len(entry.ground.faults) >= 2
    assert (tmp_path / "my-lab/tests/test_my_lab.py").is_file()
    assert Lesson.read(entry.lesson()).steps
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and new_lab.WORD in path.read_text()]


def test_every_part_that_is_to_be_filled_is_there(tmp_path: Path) -> None:
    made = new_lab.create("my-lab", tmp_path)
    named = {name.strip("/") for names in new_lab.TO_FILL for name in names.split(", ")} - {"solution"}
    assert {path.name for path in made.iterdir()} == named


@pytest.mark.parametrize("name", ["My-Lab", "my_lab", "1st", "a" * 41, "../lab", "", "a--b-"])
def test_a_name_that_kubernetes_would_not_take_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refusal, match="it becomes the namespace"):
        new_lab.create(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_lab_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "my-lab").mkdir()
    with pytest.raises(Refusal, match="is there already"):
        new_lab.create("my-lab", tmp_path)
