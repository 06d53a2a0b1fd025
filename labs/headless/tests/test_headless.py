"""Lab headless: a name that leads straight to the Pods behind it."""

import re

import pytest

from kubelab.twins import is_ready

HEADLESS = "helloworld-headless"
ORDINARY = "helloworld"
LABEL = "app=helloworld"
FOLLOW = 30
"""Seconds for a probe to ask, for the endpoints and the name service to follow, on a busy machine too."""
SETTLE = 12
"""Seconds for the name service alone: it keeps nothing of the cluster's own names."""


def ready_addresses(kubectl):
    """The address of every ready Pod that both Services select, by the Pod's name."""
    return {item["metadata"]["name"]: item["status"]["podIP"] for item in kubectl.pods(LABEL) if is_ready(item)}


def deployed(kubectl):
    """The names of the Pods that the Deployment has made."""
    owners = {item["metadata"]["name"]: item["metadata"].get("ownerReferences", []) for item in kubectl.pods(LABEL)}
    return sorted(name for name, listed in owners.items() if any(one["kind"] == "ReplicaSet" for one in listed))


def look_up(place, name):
    """All IPv4 addresses that the name service gives for a name; none when it does not know the name."""
    said = place.run(f"nslookup -type=a {name}").stdout
    return sorted(re.findall(r"^Address(?: \d+)?:\s+([\d.]+)$", said.partition("Name:")[2], re.MULTILINE))


def get_service(kubectl, name):
    found = [item for item in kubectl.json("get services") if item["metadata"]["name"] == name]
    assert found, f"there is no Service {name} in namespace {kubectl.namespace}"
    return found[0]["spec"]


def lines_of(names):
    """What only these Pods can say: each knows its own name."""
    return [f"Hostname: {name}" for name in names]


@pytest.fixture(scope="module")
def full_name(namespace):
    return f"{HEADLESS}.{namespace}.svc.cluster.local"


@pytest.fixture(scope="module")
def ready(kubectl):
    get_service(kubectl, HEADLESS)
    found = ready_addresses(kubectl)
    assert found, f"no Pod with the label {LABEL} is ready"
    return found


@pytest.fixture(scope="module")
def records(pod, full_name, ready, eventually):
    """The addresses of the headless Service's name, after a moment in which they may become those of the Pods."""
    return eventually(lambda: look_up(pod, full_name), lambda found: found == sorted(ready.values()), seconds=SETTLE)


def test_its_name_has_one_address_a_ready_pod(records, ready):
    """Its name has as many addresses as it has ready Pods, and they are the Pods' own.

    `nslookup` in a Pod lists them; `kubectl get pods -o wide` shows the Pods' addresses.
    """
    pods = ", ".join(sorted(ready.values()))
    said = f"the name has {', '.join(records)}" if records else "the name has no address"
    assert records == sorted(ready.values()), f"{said}, the ready Pods have {pods}"


def test_an_ordinary_service_has_one_address_for_all(reach, kubectl, pod, namespace, ready):
    """An ordinary Service of the same Pods has one address, which belongs to none of them, and translates the port.

    `kubectl get services`: one has a CLUSTER-IP, the other one says None.
    """
    address = get_service(kubectl, ORDINARY)["clusterIP"]
    found = look_up(pod, f"{ORDINARY}.{namespace}.svc.cluster.local")
    assert not {*found} & {*ready.values()}, f"its name has the addresses of Pods, and not one of its own: {found}"
    assert found == [address], f"its name has {', '.join(found) or 'no address'}, its ClusterIP is {address}"
    reach.answers("ordinary Service", f"http://{ORDINARY}", pod, by=lines_of(ready))


def test_its_name_answers_a_pod(reach, pod, full_name, ready):
    """Inside the cluster a Pod gets an answer under its name and under its full name, on the port of the program.

    Has the name any address? `nslookup` in a Pod says so. The port is the one on which the program listens.
    """
    reach.answers("name", f"http://{HEADLESS}:8080", pod, by=lines_of(ready))
    reach.answers("full name", f"http://{full_name}:8080", pod, by=lines_of(ready))


def test_its_name_leads_straight_to_a_pod(reach, kubectl, pod, ready):
    """A connection by its name goes to a Pod's address, and nobody translates the port: on port 80 it is refused.

    `curl -w '%{remote_ip}'` says to which address it went. Port and target port count for an ordinary Service only.
    """
    get_service(kubectl, ORDINARY)
    reach.answers("ordinary Service", f"http://{ORDINARY}", pod, by=lines_of(ready))
    went = pod.run(f"curl -s -m 2 -o /dev/null -w '%{{remote_ip}}' http://{HEADLESS}:8080").stdout.strip()
    assert went in ready.values(), f"the name leads to {went or 'nobody: no such name'}, which is no ready Pod"
    reach.silent("port 80 of the headless Service", f"http://{HEADLESS}", pod)
    reason = pod.get(f"http://{HEADLESS}").reason
    assert reason == "refused", f"expected a refused connection on port 80, saw: {reason}"


def test_nodes_reach_the_pods_but_do_not_know_the_name(reach, pod, nodes, full_name, ready):
    """From the nodes every Pod answers under its address, but the name leads nowhere: nodes ask another name server.

    Compare /etc/resolv.conf in a Pod with the one of a node.
    """
    for name, address in ready.items():
        reach.answers("Pod", f"http://{address}:8080", [pod, *nodes], by=lines_of([name]))
    reach.silent("full name", f"http://{full_name}:8080", nodes)


def test_outside_finds_neither(reach, outside, full_name, ready):
    """From outside neither the Pods' addresses nor the name lead anywhere.

    A Pod that answers outside uses its node's network: compare the addresses in `kubectl get pods,nodes -o wide`.
    """
    for address in ready.values():
        reach.silent("Pod", f"http://{address}:8080", outside)
    reach.silent("full name", f"http://{full_name}:8080", outside)


def test_an_unready_pod_is_left_out(reach, kubectl, pod, inside, full_name, ready, records, eventually):
    """When a Pod is not ready, its address is missing in the name, though it still answers; ready again, it is back.

    `kubectl exec NAME -- touch /tmp/busy` makes a Pod unready: `kubectl get pods` shows READY 0/1.
    """
    name = next((one for one in deployed(kubectl) if one in ready), "of the Deployment")
    assert ready.get(name) in records, f"the address of Pod {name} was never among the addresses of the name"
    spec = kubectl.json(f"get pod {name}")["spec"]
    assert "readinessProbe" in spec["containers"][0], f"Pod {name} has no readiness probe: nobody asks it"
    address, others = ready[name], sorted({*records} - {ready[name]})
    inside(name).output("touch /tmp/busy")
    try:
        left = eventually(lambda: ready_addresses(kubectl), lambda found: name not in found, seconds=FOLLOW)
        assert name not in left, f"Pod {name} has a file /tmp/busy and stays ready"
        seen = eventually(lambda: look_up(pod, full_name), lambda found: found == others, seconds=SETTLE)
        assert address not in seen, f"the address of Pod {name}, which is not ready, is still among them"
        assert seen == others, f"without Pod {name} the name has {', '.join(seen) or 'no address'}"
        reach.answers("unready Pod", f"http://{address}:8080", pod, by=lines_of([name]))
    finally:
        inside(name).output("rm -f /tmp/busy")
    back = eventually(lambda: look_up(pod, full_name), lambda found: address in found, seconds=FOLLOW)
    assert address in back, f"Pod {name} is no longer busy, and still missing"


def test_pods_of_a_deployment_have_no_names(pod, full_name, ready, records):
    """The Pods of a Deployment have no names of their own: only the Service's name is known.

    A Pod has a name when it says hostname and subdomain: `kubectl get pod NAME -o yaml`.
    """
    named = [name for name in ready if name != "alice" and look_up(pod, f"{name}.{full_name}")]
    assert not named, f"this Pod has a name of its own: {', '.join(named)}"
    assert records, "the Service's own name has no address, so this proves nothing"


@pytest.mark.task
def test_your_pod_alice_has_a_name(reach, kubectl, pod, full_name):
    """Your Pod alice answers under a name of its own, and it is one of those behind the Service's name.

    It needs a hostname, a subdomain, and the label that the Service looks for.
    """
    found = [item for item in kubectl.pods() if item["metadata"]["name"] == "alice"]
    assert found, f"there is no Pod alice in namespace {kubectl.namespace}"
    reach.answers("your Pod alice", f"http://alice.{HEADLESS}:8080", pod, by=lines_of(["alice"]))
    address, known = found[0]["status"].get("podIP"), look_up(pod, full_name)
    assert address in known, f"alice has {address}, the name of the Service has {', '.join(known) or 'no address'}"
