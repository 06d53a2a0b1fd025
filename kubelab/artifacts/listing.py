"""The list of all that a cluster is made of: version, source, what proves it, licence, size."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from kubelab.artifacts import debian, engine, licences
from kubelab.artifacts.images import Image, images_in
from kubelab.artifacts.made import Made
from kubelab.paths import ROOT
from plugins.filter.digest import tree_digest

ROLE = ROOT / "roles" / "artifacts"

OF_PARTS = "of its parts"
NODES_SYSTEM = "file system of nodes"
IMAGES_LAYER = "layer with a shell"
HEADINGS = ("name", "version", "source", "digest", "licence", "size")
DIGEST = 19
"""So much of a digest is shown: enough to tell two apart."""

Kind = Literal["part", "image", "node package", "image package"]


@dataclass(frozen=True)
class Item:
    """One thing that a cluster is made of. What is known only once it is built on this machine is empty until then."""

    kind: Kind
    name: str
    version: str
    source: str
    digest: str
    """Of the source; of an image, its own."""
    licence: str
    size: int | None
    """In bytes; None: not built here yet."""


def items(made: Made) -> list[Item]:
    """Returns everything, parts first."""
    return [*_parts(made), *_file_systems(made), *_images(made), *_packages(made)]


def as_json(found: list[Item]) -> str:
    return json.dumps([asdict(item) for item in found], indent=2, ensure_ascii=False)


def tables(found: list[Item]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Yields a title and rows for each kind of things."""
    for kind in get_args(Kind):
        if rows := [_row(item) for item in found if item.kind == kind]:
            yield f"{kind}s", rows


def _row(item: Item) -> tuple[str, ...]:
    digest = item.digest[:DIGEST] + ("…" if len(item.digest) > DIGEST else "")
    size = "not built yet" if item.size is None else f"{item.size / 1e6:.1f} MB"
    return tuple(cell or "-" for cell in (item.name, item.version, item.source, digest, item.licence, size))


def _parts(made: Made) -> Iterator[Item]:
    go = made.versions["go"]
    yield Item("part", "go", go["version"], go["source"], f"sha256:{go['sha256']}", _toolchain(made), _size(made.go))
    for part, folder in made.parts.items():
        entry = made.versions.get(made.source(part), {})
        version = _stamped(made.recipes.get(part, {})) or str(entry.get("version", ""))
        if module := entry.get("module"):
            licence = licences.of_folder(licences.module_folder(made.modules, module, f"v{version}"))
            yield Item("part", part, version, module, _go_sum(part, module, version), licence, _size(folder))
        else:
            source = entry.get("source") or f"roles/artifacts/files/{part}"
            digest = f"sha256:{tree_digest(str(ROOT / source))}"
            yield Item("part", part, version, source, digest, _ours(), _size(folder))


def _file_systems(made: Made) -> Iterator[Item]:
    entry = made.versions["debian"]
    for name, tar in {NODES_SYSTEM: made.node, IMAGES_LAYER: made.tools}.items():
        yield Item("part", name, entry["version"], entry["source"], _sha256(tar), OF_PARTS, _size(tar))


def _images(made: Made) -> Iterator[Item]:
    for archive, recipes in made.archives.items():
        there = made.listed(archive)
        built: list[Image] | list[None] = images_in(there) if there.is_file() else [None] * len(recipes)
        for recipe, image in zip(recipes, built, strict=True):
            name, _, version = (image.name if image else recipe["name"]).rpartition(":")
            digest, size = (image.digest, image.size) if image else ("", None)
            yield Item("image", name, version, ", ".join(parts_of(recipe)), digest, OF_PARTS, size)
    name, _, version = made.node_image.rpartition(":")
    node = next((image for image in engine.node_images() if image.name == made.node_image), None)
    digest, size = (node.digest, node.size) if node else ("", None)
    yield Item("image", name, version, "parts, images, Debian packages", digest, OF_PARTS, size)


def parts_of(image: dict[str, Any]) -> list[str]:
    """Returns the names of the parts that an image is made of."""
    parts = sorted({program.partition("/")[0] for program in image.get("bin", [])})
    return [*parts, *([IMAGES_LAYER] if image.get("tools") else [])]


def _packages(made: Made) -> Iterator[Item]:
    source = f"Debian {made.versions['debian']['version']}"
    tars: dict[Kind, Path] = {"node package": made.listed(made.node), "image package": made.listed(made.tools)}
    for kind, tar in tars.items():
        for package in debian.packages(tar) if tar.is_file() else []:
            yield Item(kind, package.name, package.version, source, "", package.licence, package.size)


def _stamped(recipe: dict[str, Any]) -> str:
    """The version that a program of ours is told when it is built."""
    found = re.search(r"main\.version=(\S+)", recipe.get("stamp", ""))
    return found[1] if found else ""


def _go_sum(part: str, module: str, version: str) -> str:
    lock = (ROLE / "files" / "go" / part / "go.sum").read_text()
    found = re.search(rf"^{re.escape(module)} v{re.escape(version)} (\S+)$", lock, re.MULTILINE)
    return found[1] if found else ""


def _ours() -> str:
    return str(yaml.safe_load((ROLE / "meta" / "main.yml").read_text())["galaxy_info"]["license"])


def _toolchain(made: Made) -> str:
    """What the wheel says of itself; Go's own text is not in it."""
    for metadata in made.go.glob("*.dist-info/METADATA"):
        return f"{HeaderParser().parsestr(metadata.read_text())['License-Expression']} (the wheel)"
    return ""


def _size(path: Path) -> int | None:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else None


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
