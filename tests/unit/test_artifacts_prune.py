"""What tidying the cache removes, and above all what not."""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from invoke.exceptions import Exit

from kubelab import paths, record
from kubelab.artifacts import prune
from kubelab.artifacts.made import Made
from plugins.callback.shared import CallbackModule

OLD = time.time() - 40 * prune.DAY

DOCKER = """#!/bin/sh
case "$1 $2" in
  "image ls") printf 'kubelab/node:%s\\n' tree mine theirs old young run ;;
  "image inspect") case $5 in *:young) when=2199 ;; *) when=2020 ;; esac
    printf 'sha256:0\\n%s-01-01T00:00:00.123456789Z\\n7\\n' $when ;;
  "ps --all") case $5 in *:run) echo container ;; esac ;;
  *) echo "$*" >>"$0.log" ;;
esac
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, a clone with one cluster, and an engine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for module in (paths, record):
        monkeypatch.setattr(module, "STATE", tmp_path / ".state")
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / ".state/mine").mkdir(parents=True)
    disk = tmp_path / "kubelab/disks/mine"
    (tmp_path / ".state/mine/record.yml").write_text(f"cluster: mine\nnode_image: kubelab/node:mine\ndisk: {disk}\n")
    return tmp_path / "kubelab"


@pytest.fixture
def made(nothing: Made, cache: Path) -> Made:
    parts, nodes = cache / "parts", cache / "nodes"
    return replace(
        nothing, key="tree", folder=nodes / "tree", go=cache / "go/go-2", parts={"kind": parts / "kind-tree"},
        node=parts / "node-tree.tar", tools=parts / "tools-tree.tar", disk=cache / "disks/tree",
        built=[parts / "kind_files-tree"], archives={parts / "lab-tree.tar": []},
    )  # fmt: skip


@pytest.fixture
def put(cache: Path) -> Callable[..., None]:
    """Puts things into the cache that were made long ago: a folder, or where the name has a suffix, a file."""

    def make(*names: str, when: float = OLD) -> None:
        for path in (cache / name for name in names):
            file = path if path.suffix in (".tar", ".txt", ".json", ".yaml") else path / "file"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x" * 5000)
            os.utime(path, (when, when))

    return make


def gone(made: Made, cache: Path, days: int = 30) -> list[str]:
    """Tidies up; returns what is no longer there, and checks that this is what was said."""

    def there() -> set[str]:
        found = {str(path.relative_to(cache)) for path in cache.rglob("*")}
        return {name for name in found if name != "shared.lock"}

    before = there()
    foretold = [one.name for one in prune.prune(made, days, True, print)]
    assert there() == before
    assert [one.name for one in prune.prune(made, days, False, print)] == foretold
    missing = before - there()
    top = sorted(name for name in missing if str(Path(name).parent) not in missing)
    assert top == sorted(name for name in foretold if not name.startswith("image "))
    return top


def test_what_this_tree_and_its_clusters_are_made_of_stays(made: Made, cache: Path, put: Callable[..., None]) -> None:
    put("parts/kind-tree", "parts/node-tree.tar", "parts/tools-tree.tar", "nodes/tree", "disks/tree", "go/go-2")
    put(
        "parts/kind_files-tree",
        "parts/lab-tree.tar",
        "nodes/mine",
        "disks/mine",
        "durations.json",
        "go/mod",
        "go/build",
        "go/go-1.txt",
    )
    put("parts/kind-old", "parts/node-old.tar", "nodes/old", "disks/old", "go/go-1")
    assert gone(made, cache) == ["disks/old", "go/go-1", "nodes/old", "parts/kind-old", "parts/node-old.tar"]


def test_what_another_clone_has_used_lately_stays_with_all_that_it_was_made_from(
    made: Made, cache: Path, put: Callable[..., None]
) -> None:
    put("nodes/theirs", "parts/kind-theirs", "parts/kind-old")
    (cache / "nodes/theirs/complete").write_text(f"{cache}/parts/kind-theirs\n")
    put("parts/kind-young", when=time.time())
    assert gone(made, cache) == ["parts/kind-old"]
    assert gone(made, cache, days=0) == ["nodes/theirs", "parts/kind-theirs", "parts/kind-young"]


def test_a_cluster_that_is_used_marks_what_it_is_made_of(cache: Path, put: Callable[..., None]) -> None:
    put("nodes/mine", "disks/mine")
    (cache / "nodes/mine/bin").mkdir()
    complete = cache / "nodes/mine/complete"
    complete.touch()
    os.utime(complete, (OLD, OLD))
    (paths.state_dir("mine") / "bin").symlink_to(cache / "nodes/mine/bin")
    record.note_use("mine")
    record.note_use("unknown")
    assert min(complete.stat().st_mtime, (cache / "disks/mine").stat().st_mtime) > time.time() - 60


def test_what_an_interruption_left_goes_at_once(made: Made, cache: Path, put: Callable[..., None]) -> None:
    put("nodes/tree", "parts/kind-tree", "go/go-2")
    left = [
        "disks/tree.partial", "go/go-2.partial", "nodes/tree/context", "nodes/tree/images.tar.7.partial",
        "parts/kind-tree.partial", "parts/node-tree.tar.partial.tar", "parts/old.removed", "parts/old.unbundled",
    ]  # fmt: skip
    put(*left, when=time.time())
    assert gone(made, cache) == left


def test_nothing_outside_of_the_cache_is_touched(made: Made, cache: Path, put: Callable[..., None]) -> None:
    put("../elsewhere/kind-old", "nodes/old")
    (cache / "parts").symlink_to(cache / "../elsewhere")
    (cache / "disks").mkdir()
    (cache / "disks/old").symlink_to(cache / "../elsewhere/kind-old")
    (cache / "nodes/old/link").symlink_to(cache / "../elsewhere/kind-old")
    os.utime(cache / "nodes/old", (OLD, OLD))
    assert gone(made, cache) == ["nodes/old"]
    assert (cache / "../elsewhere/kind-old/file").is_file()


def test_what_a_process_has_open_stays(made: Made, cache: Path, put: Callable[..., None]) -> None:
    put("disks/theirs")
    with (cache / "disks/theirs/file").open():
        assert gone(made, cache) == []
    assert gone(made, cache) == ["disks/theirs"]


def test_an_interruption_leaves_nothing_under_its_own_name(
    made: Made, cache: Path, put: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("parts/kind-old")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda path: (path / "file" / "below").unlink())
        with pytest.raises(Exit, match="parts/kind-old could not be removed"):
            prune.prune(made, 30, False, print)
    assert gone(made, cache) == ["parts/kind-old.removed"]


def test_images_of_nodes_go_when_nothing_needs_them(made: Made, cache: Path, put: Callable[..., None]) -> None:
    put("nodes/tree", "nodes/mine")
    put("nodes/theirs", when=time.time())
    gone(made, cache)
    assert (cache.parent / "docker.log").read_text() == "image rm kubelab/node:old\n"


def test_it_waits_for_who_builds(made: Made, cache: Path, put: Callable[..., None]) -> None:
    put("parts/kind-tree.partial")
    builder, said = CallbackModule(), queue.Queue[str]()
    builder.lock = builder._locked()
    thread = threading.Thread(target=prune.prune, args=(made, 30, False, said.put))
    thread.start()
    assert "waiting" in said.get(timeout=10)
    assert (cache / "parts/kind-tree.partial").is_dir()
    builder.v2_playbook_on_task_start(SimpleNamespace(get_path=lambda: "other.yml"), False)
    thread.join(timeout=10)
    assert not (cache / "parts/kind-tree.partial").exists()
