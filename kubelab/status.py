"""What a cluster looks like right now: read with one question to the API server, changed by nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kubelab.kubectl import Kubectl

QUESTION = "get nodes,namespaces,deployments,daemonsets,pods --all-namespaces --output json --request-timeout 5s"
WARNINGS = "get events --all-namespaces --field-selector type=Warning --sort-by .lastTimestamp --output json"
LAB_LABEL = "kubelab.dev/lab"
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
MOST_CAUSES = 5
SOON = ("ContainerCreating", "PodInitializing")


@dataclass
class View:
    """The parts of a cluster as rows of words, and what is wrong in sentences."""

    nodes: list[tuple[str, ...]] = field(default_factory=list)
    addons: list[tuple[str, ...]] = field(default_factory=list)
    labs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    """Where something is wrong: what the cluster itself warned of last."""


NODE_HEADINGS = ("node", "role", "address", "version", "state")
ADDON_HEADINGS = ("add-on", "namespace", "ready", "version")


def look(cluster: str, containers: list[str]) -> View:
    """Asks the cluster. `containers` are those of the record: one that is no node any more is a problem."""
    answer = Kubectl(cluster).run(QUESTION, seconds=15)
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()
        return View(problems=[f"the API server does not answer: {reason[-1] if reason else 'kubectl failed'}"])
    view = read(json.loads(answer.stdout)["items"], containers)
    if view.problems:
        events = Kubectl(cluster).run(WARNINGS, seconds=15)
        view.causes = causes(json.loads(events.stdout)["items"]) if not events.returncode else []
    return view


def read(items: list[dict[str, Any]], containers: list[str]) -> View:
    """Returns the view of a list of objects as `kubectl get -o json` gives them.

    Nothing of a lab is wrong, in its namespace or beside it: lessons show what fails, and their own checks judge it.
    """
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        by_kind.setdefault(item["kind"], []).append(item)
    namespaces = by_kind.get("Namespace", [])
    labs = {name(item): labels(item).get(LAB_LABEL, "") for item in namespaces}
    shown = sorted(lab for namespace, lab in labs.items() if lab and namespace == f"lab-{lab}")
    nodes = by_kind.get("Node", [])
    workloads = [
        item
        for kind in ("DaemonSet", "Deployment")
        for item in by_kind.get(kind, [])
        if not labs.get(item["metadata"]["namespace"])
    ]
    missing = sorted(set(containers) - {name(node) for node in nodes})
    return View(
        nodes=[_node_row(node) for node in nodes],
        addons=[_addon_row(item) for item in workloads],
        labs=shown,
        problems=[
            *(
                f"machine {machine} is no node of the cluster"
                for machine in missing
                if not machine.endswith("-outside")
            ),
            *(text for node in nodes if LAB_LABEL not in labels(node) for text in _node_problems(node)),
            *(text for item in workloads for text in _workload_problems(item)),
            *(
                text
                for pod in by_kind.get("Pod", [])
                if not labs.get(pod["metadata"]["namespace"])
                for text in _pod_problems(pod)
            ),
        ],
    )


def causes(events: list[dict[str, Any]]) -> list[str]:
    """Returns the latest warnings, the last one first, one for each reason and kind of object."""
    latest: dict[tuple[str, str], str] = {}
    for event in reversed(events):
        about = event["involvedObject"]
        where = f"{about['kind']} {about.get('namespace', '')}/{about['name']}".replace(" /", " ")
        latest.setdefault(
            (event.get("reason", ""), about["kind"]), f"{where}: {event.get('message', '').strip()[-300:]}"
        )
    return list(latest.values())[:MOST_CAUSES]


def name(item: dict[str, Any]) -> str:
    return str(item["metadata"]["name"])


def labels(item: dict[str, Any]) -> dict[str, str]:
    return dict(item["metadata"].get("labels", {}))


def _condition(node: dict[str, Any], wanted: str) -> dict[str, str]:
    return next((each for each in node["status"].get("conditions", []) if each["type"] == wanted), {})


def _node_row(node: dict[str, Any]) -> tuple[str, ...]:
    role = "control plane" if CONTROL_PLANE_LABEL in labels(node) else "worker"
    addresses = node["status"].get("addresses", [])
    address = next((each["address"] for each in addresses if each["type"] == "InternalIP"), "")
    state = "Ready" if _condition(node, "Ready").get("status") == "True" else "NotReady"
    if node.get("spec", {}).get("unschedulable"):
        state += ", cordoned"
    return name(node), role, address, node["status"]["nodeInfo"]["kubeletVersion"], state


def _node_problems(node: dict[str, Any]) -> Iterator[str]:
    ready = _condition(node, "Ready")
    if ready.get("status") != "True":
        yield f"node {name(node)} is not ready: {ready.get('message', 'it never reported')}"
    for pressure in ("MemoryPressure", "DiskPressure", "PIDPressure"):
        if (condition := _condition(node, pressure)).get("status") == "True":
            yield f"node {name(node)}: {condition['message']}"


def _ready_of(item: dict[str, Any]) -> tuple[int, int]:
    status = item["status"]
    if item["kind"] == "DaemonSet":
        return status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    return status.get("readyReplicas", 0), item["spec"].get("replicas", 1)


def _addon_row(item: dict[str, Any]) -> tuple[str, ...]:
    ready, wanted = _ready_of(item)
    image = item["spec"]["template"]["spec"]["containers"][0]["image"]
    return name(item), item["metadata"]["namespace"], f"{ready}/{wanted}", image.rpartition(":")[2]


def _workload_problems(item: dict[str, Any]) -> Iterator[str]:
    ready, wanted = _ready_of(item)
    if ready < wanted or not wanted:
        yield f"{item['kind']} {item['metadata']['namespace']}/{name(item)}: {ready} of {wanted} ready"


def _pod_problems(pod: dict[str, Any]) -> Iterator[str]:
    """A Pod that waits for something that will not come by itself."""
    where = f"Pod {pod['metadata']['namespace']}/{name(pod)}"
    status = pod["status"]
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = container["state"].get("waiting", {})
        if waiting and waiting.get("reason") not in SOON:
            yield f"{where}: {container['name']} waits, {waiting.get('reason')}: {waiting.get('message', '')}".rstrip(
                ": "
            )
    for condition in status.get("conditions", []):
        if condition.get("reason") == "Unschedulable":
            yield f"{where} has no node: {condition['message']}"
