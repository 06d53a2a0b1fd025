"""Ansible filters of the role artifacts: where parts lie in the cache, what an image is made of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))
from digest import content_key, tree_digest


def part_dirs(parts: dict[str, Any], files: str, versions: dict[str, Any], cache: str) -> dict[str, str]:
    """Return each part's folder in the cache, named after the part and all its inputs.

    The inputs of a part: how it is built, its Go module's files, the Go version. Changing one
    part leaves the folders of all others as they are.
    """
    dirs = {"pause": f"{cache}/pause-{content_key(tree_digest(f'{files}/pause'))}"}
    for name, part in parts.items():
        source = tree_digest(f"{files}/go/{part.get('source', name)}")
        dirs[name] = f"{cache}/{name}-{content_key([part, source, versions['go']['version']])}"
    return dirs


def oci_images(
    images: list[dict[str, Any]], dirs: dict[str, str], scripts: str, tools: str, labels: dict[str, str]
) -> list[dict[str, Any]]:
    """Return the images as module oci_archive wants them.

    An entry of `images` names programs as part/file (`bin`, installed in /usr/local/bin, as `as`
    where given), `scripts`, and whether the layer with a shell lies below (`tools`).
    """
    result = []
    for image in images:
        files = {}
        for program in image.get("bin", []):
            part, name = program.split("/")
            files[f"/usr/local/bin/{image.get('as', name)}"] = f"{dirs[part]}/{name}"
        for script in image.get("scripts", []):
            files[f"/usr/local/bin/{script}"] = f"{scripts}/{script}"
        entry: dict[str, Any] = {"name": image["name"], "files": files}
        entry["config"] = {"Labels": labels, **image.get("config", {})}
        if image.get("tools"):
            entry["base"] = tools
        result.append(entry)
    return result


def on_demand_archives(
    names: list[str],
    images: dict[str, list[dict[str, Any]]],
    dirs: dict[str, str],
    cache: str,
    labels: dict[str, str],
) -> list[dict[str, Any]]:
    """Return for each of these parts the archive of its images: `part`, `key`, `path`, and `images` for oci_archive.

    The key changes whenever an image does.
    """
    result = []
    for name in names:
        key = content_key([images[name], Path(dirs[name]).name, labels])
        made = oci_images(images[name], dirs, "", "", labels)
        result.append({"part": name, "key": key, "path": f"{cache}/{name}-{key}.tar", "images": made})
    return result


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"part_dirs": part_dirs, "oci_images": oci_images, "on_demand_archives": on_demand_archives}
