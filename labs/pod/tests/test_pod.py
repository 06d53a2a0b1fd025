"""Lab pod: what is true of one bare Pod."""

import ipaddress
import secrets
from datetime import UTC, datetime, timedelta

import pytest

EVENTS_ARE_KEPT = timedelta(minutes=55)
REQUESTS = 3


def get_pod(kubectl, name):
    """The Pod as the API server describes it, or a failure that names it."""
    found = [item for item in kubectl.pods() if item["metadata"]["name"] == name]
    assert found, f"there is no Pod {name} in namespace {kubectl.namespace}"
    assert found[0]["status"].get("podIP"), f"Pod {name} has no address yet: it is {found[0]['status']['phase']}"
    return found[0]


@pytest.fixture(scope="module")
def helloworld(kubectl):
    return get_pod(kubectl, "helloworld")


@pytest.fixture(scope="module")
def url(helloworld):
    return f"http://{helloworld['status']['podIP']}:8080"


def test_a_pod_reaches_it(reach, pod, url):
    """Another Pod reaches the Pod by its address.

    Compare the address in `kubectl get pod helloworld -o wide` with the one you ask.
    """
    reach.answers("Pod helloworld", url, pod, by=["Hostname: helloworld"])


def test_it_says_three_lines(pod, url):
    """It says three lines: a greeting, version 2.0.0, and the name of the Pod as its host name.

    The tag behind the image's name chooses the version: `kubectl describe pod helloworld` shows it.
    """
    said = pod.get(url).body.splitlines()
    assert said == ["Hello, world!", "Version: 2.0.0", "Hostname: helloworld"], f"it said: {', '.join(said)}"


def test_its_address_is_in_the_pod_range(kubectl, helloworld):
    """Its address comes from the range of Pod addresses that its node hands out.

    Every node has a part of the Pod range: `kubectl get node NAME -o yaml` says podCIDR.
    """
    node = kubectl.json(f"get node {helloworld['spec']['nodeName']}")
    address, share = helloworld["status"]["podIP"], node["spec"]["podCIDR"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network(share), f"{address} is not in the Pod range {share}"


def test_every_node_reaches_it(reach, nodes, url):
    """Every node reaches it, wherever it runs: the Pod network spans all of them.

    A node that does not has lost its route: look at `ip route` there.
    """
    reach.answers("Pod helloworld", url, nodes, by=["Hostname: helloworld"])


def test_outside_does_not_reach_it(reach, outside, url):
    """A machine outside the cluster does not reach it: Pod addresses mean nothing there.

    If it does, the Pod does not have a network of its own: look for `hostNetwork` in `kubectl get pod -o yaml`.
    """
    reach.silent("Pod helloworld", url, outside)


def test_commands_run_inside_it(helloworld, inside):
    """A command sent with `kubectl exec` runs inside the Pod, which has a host name of its own.

    Try `kubectl exec helloworld -- hostname`.
    """
    name = inside("helloworld").output("hostname").strip()
    assert name == "helloworld", f"hostname says {name}"


def test_every_request_is_one_log_line(kubectl, pod, url, eventually):
    """Every request it serves is one line in its log.

    Send a request and read `kubectl logs helloworld` again.
    """
    path = f"/check-{secrets.token_hex(4)}"
    pod.get_many(url + path, REQUESTS)

    def count():
        return sum(line.endswith(f"Serving request: {path}") for line in kubectl("logs helloworld").splitlines())

    lines = eventually(count, lambda seen: seen >= REQUESTS, seconds=3)
    assert lines == REQUESTS, f"{REQUESTS} requests for {path} left {lines} lines in the log"


def test_events_tell_its_story(kubectl, helloworld):
    """Its events tell how it came to be, in order: Scheduled, Pulled, Created, Started.

    `kubectl describe pod helloworld` shows them last.
    """
    born = datetime.fromisoformat(helloworld["metadata"]["creationTimestamp"])
    if datetime.now(UTC) - born > EVENTS_ARE_KEPT:
        pytest.skip("the cluster forgets events after an hour, and this Pod is older")
    selector = f"involvedObject.uid={helloworld['metadata']['uid']},type=Normal"
    events = sorted(
        kubectl.json(f"get events --field-selector {selector}"), key=lambda one: int(one["metadata"]["resourceVersion"])
    )
    reasons = [event["reason"] for event in events if event["reason"] in ("Scheduled", "Pulled", "Created", "Started")]
    assert reasons == ["Scheduled", "Pulled", "Created", "Started"], f"its events are: {', '.join(reasons)}"


def test_deleted_it_stays_gone(kubectl, helloworld, eventually):
    """A bare Pod that is deleted stays gone. (Shown with a twin that has the same label, so that yours lives on.)

    If one comes back, something counts the Pods with this label: `kubectl get pod helloworld -o yaml`, ownerReferences.
    """
    label = f"run={helloworld['metadata']['labels'].get('run', '')}"
    before = {item["metadata"]["uid"] for item in kubectl.pods(label)}
    kubectl(f"run helloworld-twin --image gcr.io/google-samples/hello-app:2.0 --restart Never --labels {label}")
    try:
        twin = eventually(lambda: _twins(kubectl, label), lambda seen: not seen or _runs(seen[0]), seconds=20)
        assert twin, "the twin was deleted, but not by us: a controller looks after Pods with this label"
    finally:
        kubectl("delete pod helloworld-twin --ignore-not-found --grace-period 1")
    new = eventually(lambda: {item["metadata"]["uid"] for item in kubectl.pods(label)} - before, seconds=1.5)
    assert not new, "a new Pod took its place: a controller looks after Pods with this label"


def _twins(kubectl, label):
    return [item for item in kubectl.pods(label) if item["metadata"]["name"] == "helloworld-twin"]


def _runs(item):
    return item["status"].get("phase") == "Running"


@pytest.mark.task
def test_greeter_listens_on_port_9090(reach, kubectl, pod):
    """Your Pod greeter, of the same image, listens on port 9090 and no longer on 8080.

    The program reads the port from its environment: the variable PORT.
    """
    address = get_pod(kubectl, "greeter")["status"]["podIP"]
    reach.answers("your Pod greeter", f"http://{address}:9090", pod, by=["Hostname: greeter"])
    reach.silent("greeter's old port", f"http://{address}:8080", pod)


@pytest.mark.task
def test_greeter_knows_test_env(kubectl, inside):
    """Inside greeter, the variable TEST_ENV says hello_world.

    `kubectl exec greeter -- env` lists what it knows; `--env` can be given more than once.
    """
    get_pod(kubectl, "greeter")
    said = inside("greeter").output('echo "$TEST_ENV"').strip()
    assert said == "hello_world", f"TEST_ENV is {said or 'not set'}"
