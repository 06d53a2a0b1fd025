"""Lab scale-out: the simulated nodes that are given, Pods for them, and the real Pods beside them."""

import json
from types import SimpleNamespace

import pytest

GIVEN = ["sim-0001", "sim-0002", "sim-0003"]
KEY = "kwok.x-k8s.io/node"
TWIN = "run {} --image gcr.io/google-samples/hello-app:2.0 --restart Never --overrides '{}'"
CARRIED_OUT = 30
"""Seconds for the scheduler and KWOK to do their part, on a busy machine too."""


def name_of(item):
    return item["metadata"]["name"]


def node_of(item):
    return item["spec"].get("nodeName", "")


def condition(item, kind):
    """One condition of a Pod or node; empty when nobody has said anything about it."""
    return next((one for one in item["status"].get("conditions", []) if one["type"] == kind), {})


def is_ready(item):
    return condition(item, "Ready").get("status") == "True"


def is_open(node):
    """Ready, and without the taint that a new node bears until the controllers have seen it Ready."""
    return is_ready(node) and all("not-ready" not in one["key"] for one in node["spec"].get("taints", []))


def tolerations(item):
    """What a Pod says about the taint of the simulated nodes by name; to tolerate just anything does not count."""
    return [one for one in item["spec"].get("tolerations", []) if one.get("key") == KEY]


@pytest.fixture(scope="session")
def given(kubectl, eventually):
    """The three nodes of the lab by name, once they are Ready."""

    def look():
        return {name_of(node): node for node in kubectl.json("get nodes --selector part=given")}

    found = eventually(look, lambda seen: seen and all(map(is_open, seen.values())), seconds=CARRIED_OUT)
    assert sorted(found) == GIVEN, f"the simulated nodes are {', '.join(found) or 'missing'}"
    late = [name for name, node in found.items() if not is_open(node)]
    assert not late, f"not Ready: {', '.join(late)}; does KWOK look after them?"
    return found


@pytest.fixture(scope="session")
def twins(kubectl, given, eventually):
    """Two Pods that ask for simulated nodes: `guest` tolerates their taint, `stranger` does not."""
    spec = {"nodeSelector": {"type": "simulated"}, "terminationGracePeriodSeconds": 0}
    specs = {"guest": {**spec, "tolerations": [{"key": KEY, "operator": "Exists"}]}, "stranger": spec}

    def look():
        guest, stranger = kubectl.json("get pods guest stranger")
        said = condition(stranger, "PodScheduled").get("message", "")
        return SimpleNamespace(ready=is_ready(guest), on=node_of(guest), strangers_on=node_of(stranger), said=said)

    kubectl("delete pods guest stranger --ignore-not-found")
    try:
        for name, own in specs.items():
            kubectl(TWIN.format(name, json.dumps({"spec": own})))
        yield eventually(look, lambda seen: seen.ready and (seen.strangers_on or seen.said), seconds=CARRIED_OUT)
    finally:
        kubectl("delete pods guest stranger --ignore-not-found --wait=false")


@pytest.fixture(scope="session")
def intruders(kubectl, given):
    """Pods of the cluster's own namespaces on simulated nodes: what runs on every node would be here."""
    found = kubectl.json("get pods --all-namespaces --field-selector metadata.namespace!=" + kubectl.namespace)
    return sorted(name_of(pod) for pod in found if node_of(pod).startswith("sim-") and not tolerations(pod))


@pytest.fixture(scope="session")
def ranges(given):
    """The Pod ranges of the given nodes."""
    return sorted({node["spec"].get("podCIDR", "none") for node in given.values()})


@pytest.fixture(scope="session")
def web(kubectl, nodes, outside, reach):
    """Where the real Pods answer who asks from outside."""
    port = kubectl.json("get service web")["spec"]["ports"][0]["nodePort"]
    url = f"http://{outside.cluster.address(nodes[-1].name)}:{port}/"
    reach.answers("web", url, outside, by=[f"Hostname: {name_of(pod)}" for pod in kubectl.pods("app=web")])
    return url


@pytest.fixture(scope="session")
def fleet(kubectl, given, eventually):
    """What the learner's Pods tolerate, once the scheduler has placed them on simulated nodes."""
    by_hand = [name_of(pod) for pod in kubectl.pods("app=fleet") if node_of(pod) and not condition(pod, "PodScheduled")]
    assert not by_hand, f"the node was written into {', '.join(by_hand)}: the scheduler had no say"
    tolerated = tolerations(kubectl.json("get deployment fleet")["spec"]["template"])
    assert tolerated, f"the Pods of fleet do not tolerate the taint {KEY}"
    pods = eventually(lambda: kubectl.pods("app=fleet"), lambda seen: all(map(is_ready, seen)), seconds=CARRIED_OUT)
    ready = [name_of(pod) for pod in pods if is_ready(pod) and node_of(pod).startswith("sim-")]
    assert len(ready) >= len(pods) > 0, f"of {len(pods)} Pods of fleet {len(ready)} run on simulated nodes"
    return tolerated


@pytest.fixture(scope="session")
def apart(twins, intruders, ranges):
    """Simulated and real nodes are kept apart: only then may there be a thousand of them."""
    assert not twins.strangers_on, f"a Pod without the toleration is on {twins.strangers_on}"
    assert not intruders, f"Pods of the cluster are on simulated nodes: {intruders[0]}"
    assert len(ranges) == 1, f"they use up the Pod network: {', '.join(ranges)}"
