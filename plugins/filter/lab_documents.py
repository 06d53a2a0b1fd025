"""Ansible filters that read the manifests of a lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

LABEL = "kubelab.dev/lab"
NOT_MANIFESTS = {"fault.yml", "tasks.yml", "after.yml", "undo.yml"}

Document = dict[str, Any]


def lab_documents(folder: str, overlay: str = "", fault: str = "") -> list[Document]:
    """Return the objects of a lab as one list, ready for one call.

    `overlay` is `solution` for what a learner would add, or `nothing` for an empty ground; `fault` names a wrong
    state. An object that is given again, by kind and name, replaces the earlier one.
    """
    root = Path(folder)
    folders = [] if overlay == "nothing" else [root / "manifests"]
    if overlay and overlay != "nothing":
        folders.append(root / overlay)
    if fault:
        folders.append(root / "faults" / fault)
    return _merge(folders)


def lab_objects(folder: str) -> list[Document]:
    """Return every object that a lab may have made: given, solution and faults."""
    root = Path(folder)
    return _merge([root / "manifests", root / "solution", *sorted((root / "faults").glob("*/"))])


def lab_cluster_objects(folder: str) -> list[Document]:
    """Return the objects of a lab that lie in no namespace: they carry the label kubelab.dev/lab themselves."""
    return [document for document in lab_objects(folder) if LABEL in document["metadata"].get("labels", {})]


def lab_fault_objects(folder: str, faults: list[str]) -> list[Document]:
    """Return the objects that the named faults add or replace; an empty name is no fault."""
    return _merge([Path(folder) / "faults" / name for name in faults if name])


def lab_undo_files(folder: str, fault: str | None = None) -> list[str]:
    """Return the task files that undo what was done to nodes: of one fault, or all that there are."""
    root = Path(folder)
    if fault is not None:
        return [str(path) for path in root.glob(f"faults/{fault}/undo.yml") if fault]
    return [str(path) for path in (*root.glob("undo.yml"), *sorted(root.glob("faults/*/undo.yml")))]


def lab_list(documents: list[Document], namespace: str = "") -> str:
    """Return objects as one JSON text for kubectl; each that does not say where it lies goes into `namespace`.

    Those with the label kubelab.dev/lab lie in no namespace, or say themselves in which.
    """
    items = [document if _placed(document) or not namespace else _put(document, namespace) for document in documents]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def lab_pods_that_end(documents: list[Document]) -> list[str]:
    """Return the names of the Pods that nobody starts again when they have ended."""
    pods = [document for document in documents if document["kind"] == "Pod"]
    return [pod["metadata"]["name"] for pod in pods if pod["spec"].get("restartPolicy") == "Never"]


def _placed(document: Document) -> bool:
    metadata = document["metadata"]
    return "namespace" in metadata or LABEL in metadata.get("labels", {})


def _put(document: Document, namespace: str) -> Document:
    return {**document, "metadata": {**document["metadata"], "namespace": namespace}}


def _merge(folders: list[Path]) -> list[Document]:
    found: dict[tuple[str, str, str], Document] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.yml"))):
        if path.name in NOT_MANIFESTS:
            continue
        for document in yaml.safe_load_all(path.read_text()):
            if document:
                metadata = document["metadata"]
                key = (document["kind"], metadata.get("namespace", ""), metadata["name"])
                found[key] = document
    return list(found.values())


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "lab_documents": lab_documents,
            "lab_objects": lab_objects,
            "lab_cluster_objects": lab_cluster_objects,
            "lab_list": lab_list,
            "lab_pods_that_end": lab_pods_that_end,
            "lab_fault_objects": lab_fault_objects,
            "lab_undo_files": lab_undo_files,
        }
