"""Whatever ends a build at whatever moment: what bears the name of a part is whole, and the next build makes it so."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jinja2
import pytest
import yaml

from kubelab.artifacts.images import images_in
from kubelab.paths import ROOT

PROGRAMS = ["one", "two", "three"]
WHOLE = "begin\n" + "more\n" * 8
ROUNDS = 12
SEED = 7

# As Go does, it takes a program that lies there and begins right for whole.
GO = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
out=$2
shift 2
mkdir -p "$out"
for program; do
  [ "$(head -n 1 "$out$program" 2>/dev/null)" != begin ] || continue
  echo begin >"$out$program"
  for piece in 1 2 3 4 5 6 7 8; do sleep 0.003; echo more >>"$out$program"; done
done
"""
MMDEBSTRAP = """#!/bin/sh
for word; do case $word in *.tar) out=$word ;; esac; done
echo begin >"$out"
for piece in 1 2 3 4 5 6 7 8; do sleep 0.01; echo more >>"$out"; done
"""


def command(task: str, name: str, **values: object) -> str:
    """The shell command of a task, as Ansible would fill it in."""
    tasks = yaml.safe_load((ROOT / f"roles/artifacts/tasks/{task}.yml").read_text())
    (text,) = [one["ansible.builtin.shell"]["cmd"] for one in tasks if name in one["name"]]
    return jinja2.Environment(undefined=jinja2.ChainableUndefined).from_string(text).render(values)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow small programs in place of those that take minutes."""
    for name, text in {"go": GO, "mmdebstrap": MMDEBSTRAP}.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")


def part(folder: Path) -> str:
    return command(
        "part", "Build", __artifacts_part_dir=folder / "part", __artifacts_item={"value": {"packages": PROGRAMS}}
    )


def part_of(folder: Path) -> list[str] | None:
    """What lies under the part's name; None: nothing."""
    return [(folder / "part" / name).read_text() for name in PROGRAMS] if (folder / "part").exists() else None


def file_system(folder: Path) -> str:
    return command("rootfs", "node's", __artifacts_node_tar=folder / "node.tar", __artifacts_node_packages=["a"])


def file_system_of(folder: Path) -> list[str] | None:
    return [(folder / "node.tar").read_text()] if (folder / "node.tar").exists() else None


Look = Callable[[Path], list[str] | None]


def killed_after(words: Sequence[str], seconds: float, given: str = "") -> bool:
    """Runs a command and kills all of it after a while; returns whether it was faster."""
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == 0


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(("build", "look", "pieces"), [(part, part_of, 3), (file_system, file_system_of, 1)])
def test_a_build_that_is_killed_leaves_a_whole_part_or_none(
    build: Callable[[Path], str], look: Look, pieces: int, tmp_path: Path
) -> None:
    moments = random.Random(SEED)
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        for _ in range(2):
            killed_after(["sh", "-c", build(folder)], moments.uniform(0, 0.25))
            assert look(folder) in (None, [WHOLE] * pieces)
        if look(folder) is None:
            subprocess.run(["sh", "-c", build(folder)], check=True)
        assert look(folder) == [WHOLE] * pieces


@pytest.mark.usefixtures("tools")
def test_what_an_interrupted_build_left_is_not_taken_for_a_program(tmp_path: Path) -> None:
    (tmp_path / "part.partial").mkdir()
    (tmp_path / "part.partial/two").write_text("begin\n")
    subprocess.run(["sh", "-c", part(tmp_path)], check=True)
    assert part_of(tmp_path) == [WHOLE] * len(PROGRAMS)


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(("build", "look"), [(part, part_of), (file_system, file_system_of)])
def test_where_the_disk_is_full_nothing_bears_the_name(
    build: Callable[[Path], str], look: Look, tmp_path: Path
) -> None:
    for name in ("go", "mmdebstrap"):
        program = tmp_path / "bin" / name
        program.write_text(program.read_text().replace("do sleep", "do [ $piece != 5 ] || exit 1; sleep"))
    assert subprocess.run(["sh", "-c", build(tmp_path)], check=False).returncode != 0
    assert look(tmp_path) is None


def archive_module(folder: Path) -> tuple[list[str], str]:
    """The command that writes an archive of images, and what it is told."""
    images = [{"name": f"image:{number}", "files": {"/bin/it": __file__}} for number in range(5)]
    told = {
        "ANSIBLE_MODULE_ARGS": {"dest": str(folder / "images.tar"), "images": images, "_ansible_remote_tmp": "/tmp"}
    }
    return [sys.executable, str(ROOT / "plugins/modules/oci_archive.py")], json.dumps(told)


def test_an_archive_of_images_is_whole_or_not_there(tmp_path: Path) -> None:
    words, told = archive_module(tmp_path)
    moments = random.Random(SEED)
    for _ in range(ROUNDS // 2):
        killed_after(words, moments.uniform(0.1, 0.8), told)
        assert not (tmp_path / "images.tar").exists() or len(images_in(tmp_path / "images.tar")) == 5
    subprocess.run(words, input=told, text=True, check=True, capture_output=True)
    assert len(images_in(tmp_path / "images.tar")) == 5


def test_an_archive_that_the_disk_has_no_room_for_is_not_there(tmp_path: Path) -> None:
    words, told = archive_module(tmp_path)

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    done = subprocess.run(words, input=told, text=True, capture_output=True, preexec_fn=no_room, check=False)
    assert done.returncode != 0
    assert "too large" in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())
