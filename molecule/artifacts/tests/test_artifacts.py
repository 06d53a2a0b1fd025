"""The role artifacts: a part is built once, in a folder named after all that goes into it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from kubelab.paths import ROOT, state_dir

CACHE = state_dir("molecule-artifacts") / "cache"
PARTS = CACHE / "parts"


@pytest.fixture
def role(tmp_path):
    """A copy of the role, and a way to converge with it."""
    folder = shutil.copytree(ROOT / "roles/artifacts", tmp_path / "artifacts")
    return folder, {"ANSIBLE_ROLES_PATH": str(tmp_path)}


def built():
    return {path.name: path.stat().st_ino for path in PARTS.glob("*")}


def test_one_part_is_built_and_nothing_is_left_half_done():
    """Its name is `<part>-<key>`; what is being built is called `.partial`."""
    names = [path.name for path in PARTS.iterdir()] if PARTS.is_dir() else []
    assert [name.partition("-")[0] for name in names] == ["runtime"], names
    assert not [name for name in names if name.endswith(".partial")]


def test_the_program_does_its_work(tmp_path):
    """It takes capabilities that this machine has not out of a container's request, then becomes runc."""
    (program,) = PARTS.glob("runtime-*/runtime")
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "runc was asked: $*"\n')
    runc.chmod(0o755)
    bounding = ["CAP_CHOWN", "CAP_OF_ANOTHER_MACHINE"]
    (tmp_path / "config.json").write_text(json.dumps({"process": {"capabilities": {"bounding": bounding}}}))
    words = [program, "create", "--bundle", tmp_path, "box"]
    said = subprocess.run(words, env={"PATH": f"{tmp_path}:/bin"}, capture_output=True, text=True, check=True).stdout
    assert said == f"runc was asked: create --bundle {tmp_path} box\n"
    assert json.loads((tmp_path / "config.json").read_text())["process"]["capabilities"]["bounding"] == ["CAP_CHOWN"]


@pytest.mark.again
def test_the_same_role_elsewhere_builds_nothing_anew(converge, role):
    """The key is made of what goes in, not of where it lies."""
    before = built()
    done = converge(environment=role[1])
    assert done.returncode == 0, done.stdout
    assert built() == before


@pytest.mark.again
def test_a_change_of_an_input_builds_that_part_beside_the_former(converge, role):
    """Somebody may still use the former one."""
    before = built()
    with (role[0] / "files/go/runtime/main.go").open("a") as source:
        source.write("// another input\n")
    done = converge(environment=role[1])
    assert done.returncode == 0, done.stdout
    added = built().items() - before.items()
    assert built().items() >= before.items()
    assert [name.partition("-")[0] for name, _ in added] == ["runtime"]
    shutil.rmtree(PARTS / added.pop()[0])


@pytest.mark.again
def test_a_mirror_that_does_not_answer_is_refused_by_name(refused, tmp_path):
    """With no module in the cache, nothing can be built; the refusal says which setting to look at."""
    (go,) = [path for path in (CACHE / "go").glob("go-*") if path.is_dir()]
    (tmp_path / "kubelab/go").mkdir(parents=True)
    (tmp_path / "kubelab/go" / go.name).symlink_to(go.resolve())
    nobody = {"GOPROXY": "http://127.0.0.1:9"}
    said = refused("everything.yml", environment=nobody, cache_dir=tmp_path / "kubelab")
    assert "127.0.0.1:9" in said
    assert "GOPROXY" in said
    assert not list(Path(tmp_path).glob("kubelab/nodes/*/complete"))
