"""A shape is refused before anything is started, and the refusal names the file and the key."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kubelab import topology
from kubelab.errors import Refusal
from kubelab.paths import INVENTORY, ROOT
from kubelab.playbook import environment

INVALID = Path(__file__).parent / "data/invalid"
VALID = "all: {vars: {cluster_provider: kind, cluster_control_planes: 1, cluster_workers: 2}}\n"


@pytest.mark.parametrize("path", sorted(INVALID.glob("*.yml")), ids=lambda path: path.stem)
def test_a_wrong_shape_is_refused_with_its_reason(path: Path, tmp_path: Path) -> None:
    first = path.read_text().splitlines()[0]
    shutil.copy(path, tmp_path / "mine.yml")
    with pytest.raises(Refusal) as refusal:
        topology.load("mine", folder=tmp_path)
    assert first.removeprefix("# expect: ") in refusal.value.found
    assert "inventory/mine.yml" in refusal.value.text
    assert refusal.value.code == 2


@pytest.mark.parametrize("cluster", topology.names())
def test_every_shape_of_the_project_is_good(cluster: str) -> None:
    shape = topology.load(cluster)
    assert shape.control_planes >= 1


def test_ranges_come_from_the_project_unless_the_shape_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(VALID.replace("}}", ", network_pods: 10.10.0.0/16}}"))
    shape = topology.load("mine", folder=tmp_path)
    assert str(shape.network_pods) == "10.10.0.0/16"
    assert shape.network_services == topology.load("kind").network_services


def test_what_was_typed_is_checked_with_the_file_and_not_blamed_on_it() -> None:
    assert topology.load("kind", {"cluster_workers": 3}).workers == 3
    with pytest.raises(Refusal, match="the command line: cluster_workers: must be 9 or less"):
        topology.load("kind", {"cluster_workers": 12})


def test_ansible_takes_the_ranges_of_a_shape_too(tmp_path: Path) -> None:
    """By itself it prefers group_vars/all to the file that the cluster is described in."""
    shutil.copytree(INVENTORY / "group_vars", tmp_path / "group_vars")
    (tmp_path / "mine.yml").write_text(VALID.replace("}}", ", network_pods: 10.10.0.0/16}}"))
    said = subprocess.run(
        ["ansible", "-i", tmp_path / "mine.yml", "localhost", "-m", "debug", "-a", "var=network_pods"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "10.10.0.0/16" in said.stdout


def test_an_unknown_cluster_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(Refusal, match='no cluster "knid"; did you mean "kind"'):
        topology.load("knid")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(VALID)
    (tmp_path / "mine.yaml").write_text(VALID)
    with pytest.raises(Refusal, match="two shapes named mine"):
        topology.load("mine", folder=tmp_path)


@pytest.mark.parametrize("name", ["Mine", "my_cluster", "-mine", "mine-", "a" * 31])
def test_names_unfit_for_hosts_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.yml").write_text(VALID)
    with pytest.raises(Refusal, match="lower-case letters, digits and dashes"):
        topology.load(name, folder=tmp_path)


def test_examples_are_no_clusters(tmp_path: Path) -> None:
    (tmp_path / "hosts.example.yml").write_text(VALID)
    assert topology.names(tmp_path) == []
    assert {"kind", "test"} <= set(topology.names(INVENTORY))
