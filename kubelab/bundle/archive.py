"""The file that a bundle is: read and judged here. Standard library only, since the launcher reads it without .venv.

It is a tar: first the manifest, then the files that it names, in its order, each compressed by itself with zstd unless
it is compressed already (wheels, Debian packages); then the seal: the SHA-256 of every byte before it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST, SEAL = "kubelab-bundle.json", "sha256"
FOLDERS = ("packages", "parts", "nodes", "wheels")
"""The folders of the cache that a bundle may write to."""
STORED = (".whl", ".deb")
"""What is compressed already."""
CHUNK = 1 << 20

Tell = Callable[[int, int], None]
"""Hears how many bytes of how many are done."""


class Unusable(Exception):
    """A file that cannot be used as a bundle here. Its words: what was found, what is needed, what to change."""

    def __init__(self, found: str, needed: str, change: str) -> None:
        super().__init__(f"found:  {found}\nneeded: {needed}\nchange: {change}")
        self.found, self.needed, self.change = found, needed, change


@dataclass(frozen=True)
class File:
    """One file of the cache: its path there, and what it is."""

    path: str
    size: int
    sha256: str
    mode: int

    @property
    def member(self) -> str:
        """Its name in the bundle."""
        return self.path if self.path.endswith(STORED) else f"{self.path}.zst"


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds, and the names by which a copy of kubelab knows whether it is the right one."""

    key: str
    requirements: str
    commit: str
    versions: dict[str, str]
    files: list[File]

    def encode(self) -> bytes:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def decode(cls, content: bytes) -> Manifest:
        data: dict[str, Any] = json.loads(content)
        number = data.pop("format")
        if number != FORMAT:
            raise Unusable(
                f"a bundle of format {number}",
                f"format {FORMAT}",
                "a bundle made by this copy of kubelab, or another copy",
            )
        files = [File(**file) for file in data.pop("files")]
        return cls(**data, files=files)


def cut_or_damaged(path: Path, what: str) -> Unusable:
    return Unusable(f"{path}, a bundle that {what}", "the whole file, as it was made", "copy it here once more")


def foreign(path: Path, why: str) -> Unusable:
    return Unusable(f"{path}, {why}", "a file that `invoke artifacts.bundle` has made", "the file's name")


def other_copy(path: Path, said: Manifest, difference: str) -> Unusable:
    """A whole bundle that another version of kubelab has made, and would need."""
    known = re.fullmatch(r"[0-9a-f]+", said.commit)
    return Unusable(
        f"{path}, made by another version of kubelab ({said.commit or 'unknown'}): {difference}",
        "a bundle and a copy of kubelab of the same version",
        f"git checkout {said.commit}" if known else "make the bundle again, with this version: invoke artifacts.bundle",
    )


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The file as a tar."""
    begun = False
    try:
        with tarfile.open(path, "r:") as tar:
            begun = True
            yield tar
    except OSError as error:
        raise foreign(path, f"which cannot be read ({error.strerror})") from None
    except tarfile.TarError:
        raise (cut_or_damaged(path, "was cut or damaged") if begun else foreign(path, "which is no bundle")) from None


def _manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    content = tar.extractfile(first) if first and first.name == MANIFEST else None
    if content is None:
        raise foreign(path, "which is no bundle")
    try:
        return Manifest.decode(content.read())
    except (ValueError, TypeError, KeyError, AttributeError):
        raise cut_or_damaged(path, "was cut or damaged") from None


def check(path: Path, tell: Tell = lambda *_: None) -> Manifest:
    """Returns the manifest of a bundle that is whole and names nothing outside of the cache. Refuses any other."""
    with opened(path) as tar:
        said = _manifest(path, tar)
        members = [member for member in tar if member.name != MANIFEST]
        if not members or members[-1].name != SEAL:
            raise cut_or_damaged(path, "was cut or damaged: its end is missing")
        *members, seal = members
        wanted = tar.extractfile(seal)
        if wanted is None or wanted.read().decode(errors="replace") != digest(path, seal.offset, tell):
            raise cut_or_damaged(path, "is damaged: its bytes are not those that were written")
        plain = all(member.isfile() for member in members)
        if not plain or [member.name for member in members] != [file.member for file in said.files]:
            raise foreign(path, "whose files are not those that it names")
    if outside := [file.path for file in said.files if not _in_cache(file.path)]:
        raise foreign(path, f"which would write to {outside[0]}")
    return said


def seal(path: Path) -> str:
    """Returns the digest over a bundle that was checked: what tells it from every other."""
    with opened(path) as tar:
        content = tar.extractfile(SEAL)
        return content.read().decode() if content else ""


def _in_cache(path: str) -> bool:
    words = path.split("/")
    return words[0] in FOLDERS and len(words) > 1 and all(re.fullmatch(r"(?!\.)[\w.+~@-]+", word) for word in words)


def digest(path: Path, size: int = -1, tell: Tell = lambda *_: None) -> str:
    """Returns the SHA-256 of a file, or of its first bytes."""
    found, done = hashlib.sha256(), 0
    size = size if size >= 0 else path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(min(CHUNK, size - done)):
            found.update(chunk)
            done += len(chunk)
            tell(done, size)
    return found.hexdigest()


def members(path: Path, said: Manifest) -> Iterator[tuple[File, IO[bytes]]]:
    """Yields the files of a bundle with what is stored of them. Wants one that was checked."""
    files = {file.member: file for file in said.files}
    with opened(path) as tar:
        for member in tar:
            if member.name in files and (content := tar.extractfile(member)):
                yield files[member.name], content


def put(file: File, content: IO[bytes], target: Path) -> None:
    """Writes one file as a whole or not at all; what it holds must be what the manifest says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    found = hashlib.sha256()
    try:
        with new.open("wb") as written:
            while chunk := content.read(CHUNK):
                found.update(chunk)
                written.write(chunk)
        if found.hexdigest() != file.sha256:
            raise Unusable(
                f"{file.path} in the bundle, which changed while it was read",
                "the file as it was made",
                "copy it here once more",
            )
        new.chmod(file.mode)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def has(target: Path, file: File) -> bool:
    """Whether the very file lies there already: what an interruption left is not written twice."""
    return target.is_file() and target.stat().st_size == file.size and digest(target) == file.sha256
