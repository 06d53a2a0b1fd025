"""A cluster is described from the objects that the API server lists."""

from __future__ import annotations

from typing import Any

from kubelab import status


def node(name: str, ready: str = "True", **labels: str) -> dict[str, Any]:
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "172.30.0.2"}],
            "conditions": [{"type": "Ready", "status": ready, "message": "kubelet stopped posting"}],
            "nodeInfo": {"kubeletVersion": "v1"},
        },
    }


def deployment(name: str, ready: int, wanted: int, namespace: str = "kube-system") -> dict[str, Any]:
    containers = [{"image": f"some.where/{name}:v2"}]
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": wanted, "template": {"spec": {"containers": containers}}},
        "status": {"readyReplicas": ready},
    }


def pod(reason: str) -> dict[str, Any]:
    waiting = {"waiting": {"reason": reason, "message": "no such image"}}
    return {
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "lab-pod"},
        "status": {"containerStatuses": [{"name": "web", "state": waiting}]},
    }


def test_a_sound_cluster_has_nothing_wrong() -> None:
    control_plane = node("cp", **{status.CONTROL_PLANE_LABEL: ""})
    view = status.read([control_plane, node("w"), deployment("dns", 2, 2)], ["cp", "w", "x-outside"])
    assert view.nodes[0] == ("cp", "control plane", "172.30.0.2", "v1", "Ready")
    assert view.nodes[1][1] == "worker"
    assert view.addons == [("dns", "kube-system", "2/2", "v2")]
    assert view.problems == []


def test_what_is_wrong_is_said_in_sentences() -> None:
    view = status.read([node("w", ready="Unknown"), deployment("dns", 1, 2), pod("ErrImagePull")], ["w", "gone"])
    assert view.problems == [
        "machine gone is no node of the cluster",
        "node w is not ready: kubelet stopped posting",
        "Deployment kube-system/dns: 1 of 2 ready",
        "Pod lab-pod/web: web waits, ErrImagePull: no such image",
    ]


def test_what_only_takes_its_time_is_not_wrong() -> None:
    assert status.read([pod("ContainerCreating")], []).problems == []


def test_the_latest_warning_of_each_kind_is_the_likely_cause() -> None:
    about = {"kind": "Pod", "namespace": "lab-pod", "name": "web"}
    events = [{"involvedObject": about, "reason": "Failed", "message": text} for text in ("old", "new")]
    events.append({"involvedObject": {"kind": "Node", "name": "w"}, "reason": "NotReady", "message": "gone"})
    assert status.causes(events) == ["Node w: gone", "Pod lab-pod/web: new"]


def test_labs_are_their_namespaces_and_their_workloads_are_no_add_ons() -> None:
    labels = {status.LAB_LABEL: "pod"}
    namespace = {"kind": "Namespace", "metadata": {"name": "lab-pod", "labels": labels}}
    view = status.read([namespace, deployment("web", 0, 1, "lab-pod"), pod("ErrImagePull")], [])
    assert view.problems == [], "lessons show Pods that fail; their checks judge them"
    assert view.labs == ["pod"]
    assert view.addons == []


def test_a_node_that_a_lab_simulates_is_shown_and_nothing_is_wrong_about_it() -> None:
    view = status.read([node("w"), node("sim-1", ready="Unknown", **{status.LAB_LABEL: "scale-out"})], ["w"])
    assert [row[0] for row in view.nodes] == ["w", "sim-1"]
    assert view.problems == []
