"""Removes from the cache, and from the engine, what nothing of this clone needs and nobody has used for long."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import CalledProcessError

from invoke.exceptions import Exit

from kubelab import record
from kubelab.artifacts import engine
from kubelab.artifacts.made import Made
from kubelab.paths import cache_dir
from kubelab.turn import take_turn

BUILT = ("parts/*", "nodes/*", "disks/*", "go/go-*")
"""Made to stay. Go's own caches are not among them: `go` looks after one, and the other is what was fetched."""
LEFT = (
    *("parts/*.partial*", "nodes/*.partial", "nodes/*/*.partial", "nodes/*/context", "disks/*.partial", "go/*.partial"),
    *("*/*.removed", "*/*.unbundled"),
)
DAY = 86400.0


@dataclass(frozen=True)
class Unused:
    """Something that may go, and how many bytes that frees."""

    name: str
    why: str
    size: int
    remove: Callable[[], None]


def prune(made: Made, days: int, dry: bool, say: Callable[[str], None]) -> list[Unused]:
    """Removes what is not used, or only finds it. Holds the lock of those who build, so nothing is being made."""
    if not cache_dir().is_dir():
        return []
    with (cache_dir() / "shared.lock").open("w") as lock:
        take_turn(lock, say, "parts are being made on this machine; waiting for their end")
        now = time.time()
        found = [*_leftovers(), *_unused(made, now, now - days * DAY)]
        for thing in [] if dry else found:
            try:
                thing.remove()
            except (OSError, CalledProcessError) as error:
                raise Exit(f"{thing.name} could not be removed: {error}", 1) from error
        return found


def _leftovers() -> Iterator[Unused]:
    for path in _inside(LEFT):
        yield Unused(_name(path), "left by an interruption", _size(path), partial(_remove, path))


def _unused(made: Made, now: float, since: float) -> Iterator[Unused]:
    """Yields what neither this tree nor a cluster of this clone needs, nor a node that was used since then."""
    cache = cache_dir()
    records = [record.load(cluster) or {} for cluster in record.names()]
    images = {made.node_image, *(str(one["node_image"]) for one in records if "node_image" in one)}
    images |= {f"kubelab/node:{node.name}" for node in cache.glob("nodes/*") if _used(node) >= since}
    nodes = [cache / "nodes" / image.rpartition(":")[2] for image in images]
    kept = {*nodes, made.go, made.node, made.tools, made.disk, *made.built, *made.parts.values(), *made.archives}
    kept |= {Path(one["disk"]) for one in records if "disk" in one}
    kept |= {Path(line) for node in nodes for line in _needs(node)}
    opened = _opened()
    for path in sorted({*_inside(BUILT)} - kept - {*_inside(LEFT)}):
        if _used(path) < since and not any(name.startswith(f"{path}/") for name in opened):
            yield Unused(_name(path), _for_days(now - _used(path)), _size(path), partial(_remove, path))
    for image in engine.node_images():
        if image.name not in images and not image.in_use and image.created < since:
            remove = partial(engine.remove, image.name)
            yield Unused(f"image {image.name}", _for_days(now - image.created), image.size, remove)


def _inside(patterns: tuple[str, ...]) -> list[Path]:
    """Returns what lies in the cache under such names, and not behind a link that leads out of it."""
    cache = cache_dir()
    found = {path for pattern in patterns for path in cache.glob(pattern) if path.suffix != ".txt"}
    return sorted(path for path in found if path.resolve() == cache.resolve() / path.relative_to(cache))


def _used(path: Path) -> float:
    """When it was made, or, of a node, used last."""
    complete = path / "complete"
    return (complete if complete.is_file() else path).stat().st_mtime


def _needs(node: Path) -> list[str]:
    """What a node was made from; the role artifacts writes it down at the end."""
    complete = node / "complete"
    return complete.read_text().splitlines() if complete.is_file() else []


def _opened() -> set[str]:
    """Files that some process has open, as a virtual machine has the disk that it started from."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # it ended meanwhile, or is somebody else's
            found.add(str(link.readlink()))
    return found


def _size(path: Path) -> int:
    """What its end frees: files that have another name elsewhere stay."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return sum(one.st_blocks * 512 for one in (file.stat() for file in files) if one.st_nlink == 1)


def _remove(path: Path) -> None:
    """Under its own name it is whole or gone: an interruption leaves it under one that is never used."""
    gone = path if path.suffix == ".removed" else path.with_name(f"{path.name}.removed")
    path.rename(gone)
    if gone.is_dir():
        shutil.rmtree(gone)
    else:
        gone.unlink()


def _name(path: Path) -> str:
    return str(path.relative_to(cache_dir()))


def _for_days(seconds: float) -> str:
    return f"not used for {seconds / DAY:.0f} days"
