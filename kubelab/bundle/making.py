"""Writes a bundle."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import zstandard

from kubelab.bundle.archive import MANIFEST, SEAL, File, Manifest, Tell, digest
from kubelab.paths import ROOT

LEVEL = 6
"""From here on zstd takes twice as long for each percent."""


class _Hashed:
    """A file being written, and the digest of what was written so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        return self.file.write(content)

    def tell(self) -> int:
        return self.file.tell()


def files(folders: Iterable[Path], cache: Path) -> list[File]:
    """Returns all files of these folders of the cache, in an order that is always the same."""
    found = (path for folder in folders for path in ([folder] if folder.is_file() else folder.rglob("*")))
    return [
        File(
            str(path.relative_to(cache)),
            path.stat().st_size,
            digest(path),
            0o755 if os.access(path, os.X_OK) else 0o644,
        )
        for path in sorted(found)
        if path.is_file()
    ]


def commit() -> str:
    """Returns what git calls this copy of kubelab, or ''."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def write(target: Path, manifest: Manifest, cache: Path, tell: Tell = lambda *_: None) -> str:
    """Writes the bundle as a whole or not at all. Returns its seal. The same files give the same bytes."""
    new = target.with_name(f"{target.name}.partial")
    done, total = 0, sum(file.size for file in manifest.files)
    with new.open("wb") as raw:
        hashed = _Hashed(raw)
        with tarfile.open(fileobj=hashed, mode="w", format=tarfile.GNU_FORMAT) as tar:  # type: ignore[call-overload]
            _add(tar, MANIFEST, io.BytesIO(manifest.encode()))
            for file in manifest.files:
                with (cache / file.path).open("rb") as content, tempfile.TemporaryFile(dir=target.parent) as packed:
                    _add(
                        tar, file.member, content if file.member == file.path else _compress(content, packed, file.size)
                    )
                done += file.size
                tell(done, total)
            seal = hashed.sha256.hexdigest()
            _add(tar, SEAL, io.BytesIO(seal.encode()))
        raw.flush()
        os.fsync(raw.fileno())
    new.replace(target)
    return seal


def _compress(content: IO[bytes], packed: IO[bytes], size: int) -> IO[bytes]:
    zstandard.ZstdCompressor(level=LEVEL, threads=-1).copy_stream(content, packed, size=size)
    packed.seek(0)
    return packed


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    """Adds a file of nobody, dated 1970."""
    info = tarfile.TarInfo(name)
    info.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    tar.addfile(info, content)
