"""What is true of any kubelab cluster, whatever made its machines."""

import json
import secrets
import time

import pytest

from kubelab.paths import common
from kubelab.reach import everywhere

PODS_SECONDS = 90
METRICS_SECONDS = 60
ADDRESS_SECONDS = 30
CLOCK_SECONDS = 2.0
LOOK = "systemctl is-active kubelet containerd; date +%s.%N"


@pytest.fixture(scope="module")
def versions():
    return common("versions")["versions"]


@pytest.fixture(scope="module")
def node_facts(nodes):
    """For every node: whether kubelet and containerd are active, and how far its clock is off, at least."""

    def look(node):
        before = time.time()
        kubelet, containerd, clock = node.run(LOOK).stdout.split()
        # Read at some moment between the two of ours: an emulated machine takes seconds to answer.
        off = min(float(clock) - before, 0) + max(float(clock) - time.time(), 0)
        return node.name, {"kubelet": kubelet, "containerd": containerd}, off

    return everywhere(look, nodes)


@pytest.fixture(scope="module")
def pods(kubectl, inside, nodes, eventually):
    """For every node, the probe Pod on it as a viewpoint, with the Pod's address."""

    def look():
        found = [item for item in kubectl.pods("app=everywhere") if _is_ready(item)]
        return {item["spec"]["nodeName"]: item for item in found}

    found = eventually(look, lambda seen: len(seen) == len(nodes), seconds=PODS_SECONDS)
    missing = sorted({node.name for node in nodes} - set(found))
    assert not missing, f"no Pod became ready on {', '.join(missing)}"
    return {
        node: (inside(item["metadata"]["name"], "asks"), item["status"]["podIP"], item["metadata"]["name"])
        for node, item in found.items()
    }


@pytest.fixture(scope="module")
def tokens(pods):
    return [f"Hostname: {name}" for _, _, name in pods.values()]


def _is_ready(item):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in item["status"].get("conditions", []))


@pytest.mark.quick
def test_every_node_is_ready_and_of_the_expected_version(kubectl, nodes, versions):
    """Every node is Ready and runs the versions that versions.yml names.

    `kubectl describe node` says under Conditions what a node misses.
    """
    expected = {
        "kubeletVersion": f"v{versions['kubernetes']['version']}",
        "containerRuntimeVersion": f"containerd://{versions['containerd']['version']}",
    }
    found = {item["metadata"]["name"]: item["status"] for item in kubectl.json("get nodes --selector !kubelab.dev/lab")}
    assert sorted(found) == sorted(node.name for node in nodes), f"the cluster knows: {', '.join(sorted(found))}"
    for name, status in found.items():
        ready = next(one for one in status["conditions"] if one["type"] == "Ready")
        assert ready["status"] == "True", f"{name} is not Ready: {ready['message']}"
        for key, version in expected.items():
            seen = status["nodeInfo"][key]
            assert seen.removesuffix("-0") == version, f"{name}: {key} is {seen}, expected {version}"


@pytest.mark.quick
def test_kubelet_and_containerd_are_active_on_every_node(node_facts):
    """kubelet and containerd are active on every node.

    On the node: `systemctl status kubelet containerd`, `journalctl -u kubelet`.
    """
    wrong = [f"{name}: {unit} is {state}" for name, units, _ in node_facts for unit, state in units.items()]
    wrong = [text for text in wrong if not text.endswith(" is active")]
    assert not wrong, "; ".join(wrong)


@pytest.mark.quick
def test_the_clocks_agree(node_facts):
    """The clocks of all nodes agree within two seconds.

    Certificates and leases are judged by these clocks.
    """
    wrong = [f"{name} is off by {off:+.0f} s" for name, _, off in node_facts if abs(off) > CLOCK_SECONDS]
    assert not wrong, "; ".join(wrong)


@pytest.mark.quick
def test_every_node_has_metrics(kubectl, nodes, eventually):
    """Every node reports its use of processor and memory.

    `kubectl top nodes`; the cause stands in `kubectl logs -n kube-system deployment/metrics-server`.
    """
    reporting = eventually(lambda: _reporting(kubectl), lambda seen: len(seen) == len(nodes), METRICS_SECONDS)
    missing = sorted({node.name for node in nodes} - reporting)
    assert not missing, f"no metrics of {', '.join(missing)}"


def _reporting(kubectl):
    """Names of the nodes whose use of memory is known."""
    answer = kubectl.run("get --raw /apis/metrics.k8s.io/v1beta1/nodes")
    items = json.loads(answer.stdout)["items"] if answer.returncode == 0 else []
    return {item["metadata"]["name"] for item in items if not item["usage"]["memory"].startswith("0")}


def test_names_resolve_in_a_pod_on_every_node(kubectl, pods):
    """A Pod on every node can resolve the name of a Service.

    `kubectl get pods -n kube-system -l k8s-app=kube-dns -o wide`: is CoreDNS ready?
    """
    address = kubectl.json("get service kubernetes --namespace default")["spec"]["clusterIP"]
    question = "timeout 5 nslookup kubernetes.default.svc.cluster.local"
    said = everywhere(lambda one: (one[0], address in one[1][0].run(question).stdout), pods.items())
    wrong = [node for node, resolved in said if not resolved]
    assert not wrong, f"names are not resolved in the Pod on {', '.join(wrong)}"


def test_pods_reach_each_other_across_nodes(pods):
    """A Pod on every node reaches the Pods on all other nodes.

    `ip route` on the nodes: there is one route for the Pod range of every other node.
    """
    addresses = {node: (address, name) for node, (_, address, name) in pods.items()}

    def missed(node):
        asking = pods[node][0]
        others = {other: value for other, value in addresses.items() if other != node}
        answers = {other: asking.get(f"http://{address}:8080") for other, (address, _) in others.items()}
        return [f"{node} to {other}" for other in others if not answers[other].by([f"Hostname: {others[other][1]}"])]

    wrong = [text for texts in everywhere(missed, list(pods)) for text in texts]
    assert not wrong, f"no answer from Pod to Pod: {', '.join(wrong)}"


def test_a_service_answers_every_node(reach, kubectl, nodes, tokens):
    """The address of a Service answers every node.

    kube-proxy writes the rules: `nft list table ip kube-proxy` on the node.
    """
    address = kubectl.json("get service everywhere")["spec"]["clusterIP"]
    reach.answers("ClusterIP", f"http://{address}:8080", nodes, by=tokens)


def test_an_external_address_answers_outside(reach, kubectl, outside, tokens, eventually):
    """A Service of type LoadBalancer gets an address of its own, which answers a machine outside.

    `kubectl describe service front -n kubelab-verify`; the address comes from MetalLB in metallb-system.
    """

    def ingress():
        return kubectl.json("get service front")["status"]["loadBalancer"].get("ingress")

    given = eventually(ingress, seconds=ADDRESS_SECONDS)
    assert given, "the Service got no external address"
    reach.settle()
    reach.answers("external address", f"http://{given[0]['ip']}:8080", outside, by=tokens)


def test_a_claim_is_bound_and_written(kubectl, inside, eventually):
    """A claim for storage gets a volume, and what is written to it can be read.

    `kubectl describe pvc paper -n kubelab-verify` tells what it waits for.
    """
    claim = eventually(
        lambda: kubectl.json("get pvc paper")["status"]["phase"], lambda phase: phase == "Bound", PODS_SECONDS
    )
    assert claim == "Bound", f"the claim is {claim}"
    eventually(kubectl.pods, lambda found: any(_writes(item) for item in found), seconds=PODS_SECONDS)
    word = secrets.token_hex(8)
    seen = inside("writer").output(f"echo {word} > /paper/word && grep -c ' /paper ' /proc/mounts && cat /paper/word")
    assert seen.split() == ["1", word], f"wrote {word} to a mounted volume, read {seen}"


def _writes(item):
    return item["metadata"]["name"] == "writer" and _is_ready(item)
