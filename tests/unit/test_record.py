"""What may be removed is what the record says; what was verified is what is still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelab import paths, record, verification
from kubelab.errors import Refusal


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of this test's own, inside a repository of its own."""
    for module in (paths, record):
        monkeypatch.setattr(module, "STATE", tmp_path / ".state")
    for module in (verification, paths):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "INVENTORY", tmp_path / "inventory")
    for folder in (".state/mine", "inventory", "tests/cluster"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "inventory/mine.yml").touch()
    return tmp_path / ".state/mine"


def test_a_cluster_that_was_never_begun_has_none() -> None:
    assert record.load("mine") is None
    assert record.names() == []


def test_a_record_is_read_as_it_was_written(state: Path) -> None:
    (state / "record.yml").write_text("cluster: mine\ncontainers: [a, b]\n")
    assert record.load("mine") == {"cluster": "mine", "containers": ["a", "b"]}
    assert record.names() == ["mine"]


@pytest.mark.parametrize("text", ["", "[]", "cluster: other\n", "cluster: [", "\x00"])
def test_a_damaged_record_is_refused(state: Path, text: str) -> None:
    (state / "record.yml").write_text(text)
    with pytest.raises(Refusal, match=r"damaged record \.state/mine/record\.yml"):
        record.load("mine")


def test_a_verification_holds_until_something_it_was_for_changes(state: Path) -> None:
    (state / "record.yml").write_text("cluster: mine\n")
    assert not verification.holds("mine")
    verification.keep("mine")
    assert verification.holds("mine")
    (paths.ROOT / "tests/cluster/test_new.py").touch()
    assert not verification.holds("mine")


def test_a_verification_can_be_forgotten_twice(state: Path) -> None:
    (state / "record.yml").write_text("cluster: mine\n")
    verification.keep("mine")
    verification.forget("mine")
    verification.forget("mine")
    assert not verification.holds("mine")


def test_only_emulated_machines_are_given_more_time(state: Path) -> None:
    for word, pace in (("accelerator: tcg", record.EMULATED), ("accelerator: kvm", 1.0), ("provider: kind", 1.0)):
        (state / "record.yml").write_text(f"cluster: mine\n{word}\n")
        assert record.pace("mine") == pace
    assert record.pace("never-begun") == 1.0
