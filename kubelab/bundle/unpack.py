"""Puts what a bundle holds into the cache. Standard library only, but for what is compressed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kubelab.bundle import archive
from kubelab.bundle.archive import File, Manifest, Tell, Unusable
from kubelab.turn import take_turn

ROOM = 500 << 20
"""Bytes that shall stay free."""


def unit(file: File) -> str:
    """What comes into the cache at once: a folder, whose being there says that it is whole, or a file by itself."""
    folder, name, *_ = file.path.split("/")
    return file.path if folder == "nodes" else f"{folder}/{name}"


def missing(said: Manifest, cache: Path) -> list[File]:
    """Returns what of the bundle the cache lacks. Packages have no key in their name: they are compared."""
    compared = [file for file in said.files if file.path.startswith("packages/")]
    lacking = {unit(file) for file in said.files if not (cache / unit(file)).exists()}
    lacking |= {unit(file) for file in compared if not archive.has(cache / file.path, file)}
    return [file for file in said.files if unit(file) in lacking]


@contextmanager
def alone(cache: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock of plugins/callback/shared.py: nobody else writes into the cache meanwhile."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "shared.lock").open("w") as lock:
        take_turn(lock, say, "somebody else is writing into the cache; waiting for the end of that")
        yield


def place(path: Path, said: Manifest, wanted: Collection[File], cache: Path, tell: Tell = lambda *_: None) -> None:
    """Puts these files of a checked bundle into the cache. Interrupted, the next call goes on from there."""
    done, total = 0, sum(file.size for file in wanted)
    cache.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(cache).free) < total + ROOM:
        raise Unusable(
            f"{free >> 20} MiB free where {cache} lies",
            f"{total + ROOM >> 20} MiB",
            "free some space, or set XDG_CACHE_HOME to a folder on another disk",
        )
    staged = {}
    for file, content in archive.members(path, said):
        if file not in wanted:
            continue
        whole = cache / unit(file)
        stage = whole if file.path == unit(file) else whole.with_name(f"{whole.name}.unbundled")
        target = stage / Path(file.path).relative_to(unit(file))
        if not archive.has(target, file):
            archive.put(file, _plain(file, content), target)
        staged[stage] = whole
        done += file.size
        tell(done, total)
    for stage, whole in staged.items():
        if stage != whole:
            shutil.rmtree(whole, ignore_errors=True)
            stage.rename(whole)


def _plain(file: File, content: IO[bytes]) -> IO[bytes]:
    if file.member == file.path:
        return content
    import zstandard

    return zstandard.ZstdDecompressor().stream_reader(content)
