"""Ansible module: write container images into one OCI archive, without a container engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from typing import Any

import zstandard
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: oci_archive
short_description: Write container images into one OCI archive
description:
  - Builds images from files and an optional base layer and writes them into one archive in
    the layout of the OCI image specification 1.1, ready for C(ctr images import).
  - Needs no container engine. The same inputs give the same digests, since no clock is read.
options:
  dest:
    description: The archive to write; a file that exists is left as it is.
    type: path
    required: true
  images:
    description: >-
      A list of dictionaries with C(name) (full image name), C(files) (path in the image to file
      on this machine), C(base) (a tar file that becomes the lowest layer, optional) and
      C(config) (the config section of the image: Entrypoint, Cmd, User, Env, Labels).
    type: list
    elements: dict
    required: true
"""

MEDIA = "application/vnd.oci.image"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Archive:
    """An OCI archive being written: a tar file of blobs named by their digest, and an index."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar = tar
        self.manifests: list[dict[str, Any]] = []
        self.layers: dict[str, tuple[dict[str, Any], str]] = {}
        self.written: set[str] = set()

    def add_file(self, name: str, content: bytes) -> None:
        """Add one file to the archive."""
        info = tarfile.TarInfo(name)
        info.size = len(content)
        self.tar.addfile(info, io.BytesIO(content))

    def blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Add a blob once and return its descriptor (media type, digest, size in bytes)."""
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self.written:
            self.written.add(digest)
            self.add_file(f"blobs/sha256/{digest}", content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def layer(self, key: str, tar: bytes) -> tuple[dict[str, Any], str]:
        """Add a layer once per key; return its descriptor and the digest of the unpacked tar."""
        if key not in self.layers:
            packed = zstandard.ZstdCompressor(level=6, threads=os.cpu_count() or 1).compress(tar)
            descriptor = self.blob(packed, f"{MEDIA}.layer.v1.tar+zstd")
            self.layers[key] = (descriptor, f"sha256:{hashlib.sha256(tar).hexdigest()}")
        return self.layers[key]

    def image(self, image: dict[str, Any]) -> None:
        """Add one image: its layers, its configuration, its manifest."""
        layers = []
        if image.get("base"):
            with open(image["base"], "rb") as base:
                layers.append(self.layer(image["base"], base.read()))
        if image.get("files"):
            layers.append(self.layer(json.dumps(image["files"], sort_keys=True), pack(image["files"])))
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": [PATH], **image.get("config", {})},
            "rootfs": {"type": "layers", "diff_ids": [unpacked for _, unpacked in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.manifest.v1+json",
            "config": self.blob(encode(config), f"{MEDIA}.config.v1+json"),
            "layers": [descriptor for descriptor, _ in layers],
        }
        descriptor = self.blob(encode(manifest), f"{MEDIA}.manifest.v1+json")
        descriptor["annotations"] = {"io.containerd.image.name": image["name"]}
        self.manifests.append(descriptor)

    def finish(self) -> None:
        """Write the index and the layout's version."""
        index = {"schemaVersion": 2, "mediaType": f"{MEDIA}.index.v1+json", "manifests": self.manifests}
        self.add_file("index.json", encode(index))
        self.add_file("oci-layout", encode({"imageLayoutVersion": "1.0.0"}))


def encode(value: dict[str, Any]) -> bytes:
    """Return JSON that is the same bytes for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def pack(files: dict[str, str]) -> bytes:
    """Return a tar of files (path in the image to path here): root's, dated 1970."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for target, source in sorted(files.items()):
            info = tarfile.TarInfo(target.lstrip("/"))
            info.size = os.path.getsize(source)
            info.mode = 0o755 if os.access(source, os.X_OK) else 0o644
            with open(source, "rb") as content:
                tar.addfile(info, content)
    return buffer.getvalue()


def write(path: str, images: list[dict[str, Any]]) -> None:
    """Write an archive; it is on the disk when this returns."""
    with open(path, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            archive = Archive(tar)
            for image in images:
                archive.image(image)
            archive.finish()
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    """Run the module."""
    spec = {
        "dest": {"type": "path", "required": True},
        "images": {"type": "list", "elements": "dict", "required": True},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    dest: str = module.params["dest"]
    changed = not os.path.exists(dest)
    if changed and not module.check_mode:
        partial = f"{dest}.{os.getpid()}.partial"
        try:
            write(partial, module.params["images"])
            os.replace(partial, dest)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)
    module.exit_json(changed=changed, dest=dest)


if __name__ == "__main__":
    main()
