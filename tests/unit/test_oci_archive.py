"""The images we write: the layout of the OCI specification, the same bytes for the same inputs."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import zstandard

from plugins.modules import oci_archive


def write(path: Path, images: list[dict[str, Any]]) -> bytes:
    oci_archive.write(str(path), images)
    return path.read_bytes()


def images_in(tmp_path: Path) -> list[dict[str, Any]]:
    program, base = tmp_path / "program", tmp_path / "base.tar"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with tarfile.open(base, "w") as tar:
        tar.addfile(tarfile.TarInfo("etc"), None)
    files = {"/usr/local/bin/program": str(program)}
    return [
        {"name": "one:1", "files": files, "base": str(base), "config": {"Cmd": ["program"]}},
        {"name": "two:1", "files": {}, "base": str(base)},
    ]


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    images = images_in(tmp_path)
    assert write(tmp_path / "a.tar", images) == write(tmp_path / "b.tar", images)


def test_every_blob_is_named_by_its_content_and_a_shared_layer_is_there_once(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", images_in(tmp_path))
    with tarfile.open(tmp_path / "a.tar") as tar:
        blobs = {name: tar.extractfile(name).read() for name in tar.getnames() if name.startswith("blobs/")}  # type: ignore[union-attr]
        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
    assert all(hashlib.sha256(content).hexdigest() == name.split("/")[-1] for name, content in blobs.items())
    manifests = [json.loads(blobs[f"blobs/sha256/{m['digest'][7:]}"]) for m in index["manifests"]]
    assert [m["annotations"]["io.containerd.image.name"] for m in index["manifests"]] == ["one:1", "two:1"]
    assert manifests[0]["layers"][0] == manifests[1]["layers"][0]
    config = json.loads(blobs[f"blobs/sha256/{manifests[0]['config']['digest'][7:]}"])
    layer = zstandard.decompress(blobs[f"blobs/sha256/{manifests[0]['layers'][1]['digest'][7:]}"])
    assert config["rootfs"]["diff_ids"][1] == f"sha256:{hashlib.sha256(layer).hexdigest()}"
    assert config["config"]["Cmd"] == ["program"]


def test_files_belong_to_root_and_keep_their_run_bit(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", images_in(tmp_path)[:1])
    with tarfile.open(tmp_path / "a.tar") as tar:
        packed = [tar.extractfile(name).read() for name in tar.getnames() if name.startswith("blobs/")]  # type: ignore[union-attr]
    layers = [zstandard.decompress(blob) for blob in packed if blob.startswith(b"\x28\xb5\x2f\xfd")]
    with tarfile.open(fileobj=io.BytesIO(layers[1])) as layer:
        member = layer.getmember("usr/local/bin/program")
    assert (member.uid, member.gid, member.mtime, member.mode) == (0, 0, 0, 0o755)
