"""What is done to nodes says what it changed, is done once, and is taken back: on a folder that stands for a node."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kubelab.paths import ROOT

SCRIPTS = ROOT / "roles/node_faults/files"
# systemd and processes, as far as the scripts ask: a file for each unit and for each process that is alive.
STAND_INS = {
    "systemctl": """
cd "$NODE/active"; what=$1; shift
case $what in
  is-active) test -e "$2" ;;
  stop) rm -f "$@" ;;
  start | restart) touch "$@" ;;
esac
""",
    "pgrep": 'cd "$NODE/shims"; ls',
    "pkill": 'cd "$NODE/containers"; rm -f *',
    "kill": 'cd "$NODE/shims"; shift; rm -f "$@"',
}


class Node:
    """A folder with the files of a node, and programs that work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("active", "shims", "containers", "bin", "etc/kubernetes/manifests"):
            (folder / part).mkdir(parents=True)
        for path in ("active/kubelet", "active/containerd", "shims/12", "shims/34", "containers/13", "containers/35"):
            (folder / path).touch()
        (folder / "etc/kubernetes/manifests/kube-apiserver.yaml").write_text("a Pod\n")
        for name, text in STAND_INS.items():
            (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}")
            (folder / "bin" / name).chmod(0o755)

    def run(self, script: str) -> str:
        """What a script prints; paths of the node lead into the folder."""
        text = (SCRIPTS / script).read_text().replace("/etc/", f"{self.folder}/etc/")
        env = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "NODE": str(self.folder)}
        done = subprocess.run(["sh", "-c", text], env=env, capture_output=True, text=True, check=True)
        return done.stdout

    @property
    def files(self) -> list[str]:
        """Everything that is there, beside the programs."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        return sorted(str(path) for path in found if path.parts[0] != "bin")

    @property
    def alive(self) -> list[str]:
        return [path for path in self.files if path.startswith(("active/", "shims/", "containers/"))]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_without_power_nothing_of_kubernetes_is_left_alive(node: Node) -> None:
    assert node.run("power_off") == "changed\n"
    assert node.alive == []
    assert node.run("power_off") == ""


def test_power_that_came_back_for_a_moment_is_cut_again(node: Node) -> None:
    """As after a boot: then everything has started by itself."""
    node.run("power_off")
    (node.folder / "active/kubelet").touch()
    assert node.run("power_off") == "changed\n"
    assert node.alive == []


def test_a_control_plane_loses_the_manifest_of_its_api_server_and_nothing_else(node: Node) -> None:
    before = node.alive
    assert node.run("no_api_server") == "changed: API server\n"
    assert not (node.folder / "etc/kubernetes/manifests/kube-apiserver.yaml").exists()
    assert node.alive == before
    assert node.run("no_api_server") == ""


@pytest.mark.parametrize("faults", [["power_off"], ["no_api_server"], ["no_api_server", "power_off"]])
def test_all_is_taken_back_once(node: Node, faults: list[str]) -> None:
    before = [path for path in node.files if not path.startswith(("shims/", "containers/"))]
    for fault in faults:
        node.run(fault)
    assert "changed" in node.run("none")
    assert [path for path in node.files if not path.startswith(("shims/", "containers/"))] == before
    assert (node.folder / "etc/kubernetes/manifests/kube-apiserver.yaml").read_text() == "a Pod\n"
    assert node.run("none") == ""


def test_a_node_to_which_nothing_was_done_stays_as_it_is(node: Node) -> None:
    """Also one that somebody else has stopped."""
    (node.folder / "active/kubelet").unlink()
    before = node.files
    assert node.run("none") == ""
    assert node.files == before
