"""Lab scale-out: a thousand nodes and thousands of Pods come, are measured, and go again."""

import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from kubelab.paths import kubeconfig

LAB = Path(__file__).parents[1]
GIVEN, NODES = 3, 1000
NAMESPACE = "lab-scale-out-crowd"
SECONDS = 240
"""The longest wait; the controllers need about a minute for their part, however fast the machine is."""
SILENCE = 5
COMMON = " .metadata.creationTimestamp {Ready}.status {Ready}.lastTransitionTime "
COLUMNS = {
    "node": ".metadata.name" + COMMON + ".spec.taints[*].key",
    "pod": ".spec.nodeName" + COMMON + "{PodScheduled}.lastTransitionTime",
}
WORDS = ("node", "made", "ready", "since", "more")


def rows(kubectl, kind, selector):
    """Name of the node, time of creation, whether Ready and since when, and one thing more, for each node or Pod."""
    paths = COLUMNS[kind].replace("{", '.status.conditions[?(@.type=="').replace("}", '")]').split()
    columns = ",".join(f"{number}:{path}" for number, path in enumerate(paths))
    printed = kubectl(f"get {kind} --selector {selector} --no-headers -o custom-columns='{columns}'", seconds=SECONDS)
    return [SimpleNamespace(**dict(zip(WORDS, line.split(), strict=True))) for line in printed.splitlines()]


def is_open(node):
    """Ready, and without the taint that a new node bears until the controllers have seen it Ready."""
    return node.ready == "True" and "not-ready" not in node.more


def spread(made, reached):
    """Seconds from the first of these moments to the last of those, by the clocks of the cluster."""
    return (datetime.fromisoformat(max(reached)) - datetime.fromisoformat(min(made))).total_seconds()


def write_files(folder, tolerated):
    """Writes what kubectl makes: the nodes, and Pods that tolerate what those of fleet do. Returns how many Pods."""
    node = (LAB / "node.yml").read_text()
    (folder / "nodes.yml").write_text("".join(node.replace("NUMBER", f"{n:04}") for n in range(GIVEN + 1, NODES + 1)))
    objects = list(yaml.safe_load_all((LAB / "crowd.yml").read_text()))
    specs = [one["spec"] for one in objects if "spec" in one]
    for spec in specs:
        spec["template"]["spec"]["tolerations"] = tolerated
    (folder / "pods.yml").write_text(yaml.safe_dump_all(objects))
    return sum(spec["replicas"] for spec in specs)


def memory(node):
    """What API server and etcd hold in memory, in MiB."""
    return [int(node.output(f"ps -C {name} -o rss=").split()[0]) // 1024 for name in ("kube-apiserver", "etcd")]


def remove(run, kubectl):
    """Removes the crowd; returns how many seconds it took."""
    started = time.monotonic()
    kubectl(f"delete namespace {NAMESPACE} --ignore-not-found", seconds=SECONDS)
    subprocess.run(
        [sys.executable, LAB / "remove.py", kubeconfig(run.cluster), "part=crowd"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - started


@pytest.fixture(scope="module")
def crowd(run, kubectl, eventually, apart, web, fleet, prober, nodes, tmp_path_factory):
    """What was seen when the nodes became a thousand, with thousands of Pods, and went again."""
    folder, there = tmp_path_factory.mktemp("crowd"), replace(kubectl, namespace=NAMESPACE)
    wanted = write_files(folder, fleet)
    seen = SimpleNamespace(wanted=wanted, memory=[memory(nodes[0])], open_after=0.0)

    def look():
        if not seen.open_after and sum(map(is_open, rows(kubectl, "node", "part=crowd"))) == NODES - GIVEN:
            seen.open_after = time.monotonic() - started
        owners = there.json("get deployments,statefulsets")
        return bool(seen.open_after) and sum(one["status"].get("readyReplicas", 0) for one in owners) == wanted

    with prober.during(f"{NODES} nodes and {wanted} Pods come and go", web) as seen.watch:
        try:
            started = time.monotonic()
            kubectl(f"create --validate=ignore --filename {folder}/nodes.yml", seconds=SECONDS)
            there(f"apply --filename {folder}/pods.yml", seconds=SECONDS)
            eventually(look, seconds=SECONDS)
            seen.nodes, seen.pods = rows(kubectl, "node", "type=simulated"), rows(there, "pod", "crowd")
            seen.memory.append(memory(nodes[0]))
        finally:
            seen.gone_after = remove(run, kubectl)
    seen.left = [node.node for node in rows(kubectl, "node", "type=simulated")]
    seen.memory.append(memory(nodes[0]))
    return seen


@pytest.mark.task
def test_a_thousand_nodes_are_ready(crowd, measured):
    """A thousand nodes are Ready and open to Pods.

    `kubectl get nodes` while it lasts. A new node bears a taint until the controllers have seen it Ready.
    """
    ready = [node for node in crowd.nodes if is_open(node)]
    assert len(ready) == NODES, f"of {NODES} nodes {len(ready)} are Ready and open to Pods"
    new = sorted(ready, key=lambda node: node.node)[GIVEN:]
    took = spread([node.made for node in new], [node.since for node in new])
    measured(f"{NODES} simulated nodes: the last is Ready after", f"{took:.0f} s")
    measured("... and open to Pods after", f"{crowd.open_after:.0f} s")


@pytest.mark.task
def test_the_scheduler_places_thousands_of_pods(crowd, measured):
    """The scheduler places every Pod of the crowd on a simulated node, and there they are Running.

    `kubectl --namespace lab-scale-out-crowd get deployment,statefulset` while it lasts.
    """
    placed = [pod for pod in crowd.pods if pod.node.startswith("sim-") and pod.more != "<none>"]
    assert len(placed) == crowd.wanted, f"of {crowd.wanted} Pods {len(placed)} were placed on simulated nodes"
    waiting = sum(pod.ready != "True" for pod in placed)
    assert not waiting, f"{waiting} were placed and are not Ready"
    made = [pod.made for pod in placed]
    took, ran = spread(made, [pod.more for pod in placed]), spread(made, [pod.since for pod in placed])
    measured(f"{crowd.wanted} Pods: the last is placed after", f"{took:.0f} s, {crowd.wanted / took:.0f} a second")
    measured("... and Running after", f"{ran:.0f} s, on {len({pod.node for pod in placed})} nodes")


@pytest.mark.task
def test_it_costs_the_control_plane_memory(crowd, measured):
    """API server and etcd together need more memory with the crowd than before it.

    On the control plane, `ps -C kube-apiserver,etcd -o rss,comm` tells it in KiB. One of them may still hold what it
    needed for something else before.
    """
    for name, *figures in zip(("kube-apiserver", "etcd"), *crowd.memory, strict=True):
        measured(f"memory of {name} before, with the crowd, after", f"{', '.join(map(str, figures))} MiB")
    before, during, _ = map(sum, crowd.memory)
    assert during > before, f"they had {before} MiB before and {during} MiB with the crowd"


@pytest.mark.task
def test_the_real_pods_go_on_answering(crowd):
    """While the crowd comes and goes, the real Pods go on answering: no silence outside is longer than five seconds.

    The table of requests says how many were sent. The machine has much to do meanwhile, so an answer may be late.
    """
    assert crowd.watch.sent, "nothing was asked"
    assert crowd.watch.gap <= SILENCE, f"nobody answered for {crowd.watch.gap:.1f} s"


@pytest.mark.task
def test_all_of_it_goes_again(crowd, measured):
    """The crowd goes again, and only the given nodes are left.

    `kubectl get nodes`; `invoke lab.reset scale-out` removes those too.
    """
    measured("all of it is removed after", f"{crowd.gone_after:.0f} s")
    assert len(crowd.left) == GIVEN, f"{len(crowd.left)} simulated nodes are left"
