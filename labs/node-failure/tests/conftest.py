"""What the checks of lab node-failure look at: a node that is drained, then stopped, once for all of them."""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

LABEL = "kubelab.dev/node-failure=stops"
START = 60
"""Seconds for a Pod to end, be made anew and start, on a busy machine too."""
NOTICE = 120
"""Seconds until a node counts as lost: 50 by default, then the next look at it."""
PATIENCE = 30
"""Longest time that a Pod may wait on a lost node, in seconds, if a check is to wait for its end."""


@dataclass(frozen=True)
class Pod:
    """What is asked of a Pod; `patience` is how long it waits on a lost node, in seconds."""

    uid: str
    name: str
    node: str
    ready: bool
    going: bool
    patience: float

    def __str__(self):
        return f"{self.name} on {self.node}"


def to_pod(item):
    metadata, spec = item["metadata"], item["spec"]
    waits = [one for one in spec.get("tolerations", []) if one.get("key") == "node.kubernetes.io/unreachable"]
    return Pod(
        metadata["uid"],
        metadata["name"],
        spec.get("nodeName", "no node"),
        ready_of(item) == "True",
        "deletionTimestamp" in metadata,
        min((one.get("tolerationSeconds", float("inf")) for one in waits), default=0),
    )


def ready_of(item):
    """True, False or Unknown: what the control plane takes for the condition Ready of a node or a Pod."""
    conditions = item["status"].get("conditions", [])
    return next((one["status"] for one in conditions if one["type"] == "Ready"), "False")


@pytest.fixture(scope="module")
def pods_of(kubectl):
    """The Pods of an app; those that are being deleted too if they are asked for."""

    def look(app, going=False):
        found = [to_pod(item) for item in kubectl.json(f"get pods --selector app={app}")]
        return [pod for pod in found if going or not pod.going]

    return look


@pytest.fixture(scope="module")
def where():
    """Pods and their nodes, for a message."""
    return lambda pods: f"there is {', '.join(map(str, pods)) or 'nobody'}"


@pytest.fixture(scope="module")
def victim(kubectl):
    """Name of the node that will stop."""
    found = kubectl(f"get nodes --selector {LABEL} -o name").split()
    assert len(found) == 1, f"{len(found)} nodes have the label {LABEL}; it says which node will stop"
    return found[0].removeprefix("node/")


@pytest.fixture(scope="module")
def place(kubectl, victim, pods_of, where, eventually):
    """Brings the only Pod of an app to the node that will stop, and returns it."""

    def bring(app):
        found = pods_of(app)
        assert len(found) == 1, f"{app} shall have one Pod when the checks begin: {where(found)}"
        if found[0].node != victim:
            kubectl(f"delete pods --selector app={app}")
        there = eventually(lambda: pods_of(app), lambda seen: len(seen) == 1 and seen[0].ready, seconds=START)
        assert [pod.node for pod in there] == [victim], f"{app} shall run on {victim}: {where(there)}"
        assert there[0].ready, f"{there[0]} is not ready"
        return there[0]

    return bring


@pytest.fixture(scope="module")
def url(kubectl, reachable):
    """Leads from outside to a Service, through a node that goes on: the control plane."""

    def of(service):
        port = kubectl.json(f"get service {service}")["spec"]["ports"][0]["nodePort"]
        return f"http://{reachable.api_address}:{port}"

    return of


@pytest.fixture(scope="module")
def drained(kubectl, victim, place, pods_of, prober, outside, url, eventually):
    """What was seen when the node was cordoned and drained: with one Pod of web, then with two."""
    seen, drain = SimpleNamespace(went=None), f"drain {victim} --pod-selector app=web --timeout"
    before = place("web")
    eventually(lambda: outside.get(url("web")).status)
    try:
        with prober.during("its node is drained", url("web")) as seen.watch:
            kubectl(f"cordon {victim}")
            seen.waited = kubectl.run(f"{drain} 3s")
            seen.stayed = before.uid in [pod.uid for pod in pods_of("web")]
            kubectl("scale deployment web --replicas 2")
            pods = eventually(lambda: pods_of("web"), lambda now: sum(pod.ready for pod in now) == 2, seconds=START)
            seen.second = [pod for pod in pods if pod.uid != before.uid]
            if seen.stayed and any(pod.ready for pod in seen.second):
                seen.went = kubectl.run(f"{drain} {START}s")
    finally:
        kubectl(f"uncordon {victim}")
        kubectl("scale deployment web --replicas 1")
    eventually(lambda: pods_of("web"), lambda now: len(now) == 1, seconds=START)
    return seen


@pytest.fixture(scope="module")
def twin(kubectl):
    """A StatefulSet like keeper that may be treated badly: it is made, and deleted, by the checks."""
    item = kubectl.json("get statefulset keeper")
    spec = json.loads(json.dumps(item["spec"]).replace('"app": "keeper"', '"app": "twin"'))
    kubectl("delete statefulset twin --ignore-not-found")
    kubectl.create({**item, "metadata": {"name": "twin"}, "spec": spec, "status": None})
    yield
    kubectl("delete statefulset twin")


@pytest.fixture(scope="module")
def on_and_off(kubectl, victim, happen, eventually):
    """Stops the node, and sees to it that it is back at the end, whatever happens in between."""

    def state():
        return ready_of(kubectl.json(f"get node {victim}"))

    def start():
        happen("node-starts")
        return eventually(state, lambda now: now == "True", seconds=NOTICE)

    yield SimpleNamespace(stop=lambda: happen("node-stops"), start=start, state=state)
    start()


@pytest.fixture(scope="module")
def stopped(kubectl, victim, place, pods_of, drained, twin, on_and_off, prober, url, outside, eventually):
    """What was seen while the node was off, and after it had come back."""
    assert drained.went, "no node was stopped, since not even the drain went well"
    seen = SimpleNamespace(web=place("web"), keeper=place("keeper"), twin=place("twin"))
    longest = max(seen.web.patience, seen.keeper.patience)
    assert longest <= PATIENCE, f"no node was stopped: Pods would wait there for {longest} s, too long for a check"
    pair = pods_of("pair")

    def elsewhere(pods):
        return any(pod.ready and pod.node != victim for pod in pods)

    with ExitStack() as stack:
        seen.watch = stack.enter_context(prober.during("the node of its only Pod stops", url("web")))
        seen.pair = stack.enter_context(prober.during("the node of one of two stops", url("pair"))) if pair else None
        on_and_off.stop()
        began = time.monotonic()
        seen.silent = outside.get(url("web")).status is None
        seen.shown = on_and_off.state(), [pod.ready for pod in pods_of("web")]
        seen.state = eventually(on_and_off.state, lambda now: now != "True", seconds=NOTICE)
        seen.noticed = time.monotonic() - began
        seen.moved = eventually(lambda: pods_of("web"), elsewhere, seconds=PATIENCE + START)
        eventually(lambda: outside.get(url("web")).status, seconds=START)
        seen.waiting = pods_of("keeper", going=True)
        kubectl("delete pod twin-0 --force --grace-period 0")
        seen.forced = eventually(lambda: pods_of("twin"), elsewhere, seconds=START)
    seen.back = on_and_off.start()
    seen.again = eventually(lambda: pods_of("keeper"), lambda now: any(pod.ready for pod in now), seconds=START)
    seen.left = eventually(lambda: pods_of("web", going=True), lambda now: len(now) == 1, seconds=START)
    return seen
