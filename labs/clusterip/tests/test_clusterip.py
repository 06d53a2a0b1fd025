"""Lab clusterip: what is true of one address in front of several Pods."""

import pytest

from kubelab.twins import is_ready

SERVICE = "helloworld-clusterip"
REQUESTS = 30
SEVERAL = 2


def own_pods(kubectl):
    """Names of the Pods that the Deployment helloworld has made: a label alone would not tell."""
    found = kubectl.json("get replicasets,pods")
    sets = {f"ReplicaSet/{item['metadata']['name']}" for item in found if _owner(item) == "Deployment/helloworld"}
    return sorted(item["metadata"]["name"] for item in found if _owner(item) in sets and is_ready(item))


def _owner(item):
    owners = item["metadata"].get("ownerReferences", [])
    return f"{owners[0]['kind']}/{owners[0]['name']}" if owners else ""


def lines_of(names):
    """What only these Pods can say: each knows its own name."""
    return [f"Hostname: {name}" for name in names]


@pytest.fixture(scope="module")
def service(kubectl):
    return get_service(kubectl, SERVICE)


def get_service(kubectl, name):
    found = [item for item in kubectl.json("get services") if item["metadata"]["name"] == name]
    assert found, f"there is no Service {name} in namespace {kubectl.namespace}"
    return found[0]["spec"]


@pytest.fixture(scope="module")
def ours(kubectl):
    names = own_pods(kubectl)
    assert names, "the Deployment helloworld has no ready Pods"
    return lines_of(names)


@pytest.fixture(scope="module")
def hostnames(kubectl, pod):
    """The host names in the answers to many requests, one after the other."""
    get_service(kubectl, SERVICE)
    bodies = pod.get_many(f"http://{SERVICE}:8080", REQUESTS)
    return [line for body in bodies for line in body.splitlines() if line.startswith("Hostname: ")]


def test_its_name_answers_a_pod(reach, pod, service, ours):
    """Inside the namespace its name is enough: a Pod gets an answer from one of the Pods behind it.

    Does the Service have endpoints? `kubectl get endpointslices` lists the addresses it sends requests to.
    """
    reach.answers("name", f"http://{SERVICE}:8080", pod, by=ours)


def test_its_full_name_answers_a_pod(reach, pod, service, ours, namespace):
    """Its full name, with the namespace in it, answers a Pod too.

    `cat /etc/resolv.conf` in a Pod shows what is appended to short names.
    """
    reach.answers("full name", f"http://{SERVICE}.{namespace}.svc.cluster.local:8080", pod, by=ours)


def test_its_address_answers_pods_and_nodes(reach, pod, nodes, service, ours):
    """Its address answers Pods, and every node.

    Endpoints, and still refused? Compare the port that they name with the one on which the program listens.
    """
    reach.answers("ClusterIP", f"http://{service['clusterIP']}:8080", [pod, *nodes], by=ours)


def test_outside_does_not_reach_it(reach, outside, service, ours):
    """A machine outside the cluster does not reach its address: it exists only in the rules of the nodes.

    `invoke lab` shows this as an empty path in the table.
    """
    reach.silent("ClusterIP", f"http://{service['clusterIP']}:8080", outside)


def test_no_node_lets_anyone_in(reach, reachable, outside, service, ours):
    """No node has a port that leads to it from outside.

    `kubectl get service helloworld-clusterip`: the type says ClusterIP, and PORT(S) holds one number.
    """
    ports = [port.get("nodePort", port["port"]) for port in service["ports"]]
    for node in reachable.nodes():
        for port in ports:
            reach.silent("port of a node", f"http://{reachable.address(node.name)}:{port}", outside, by=ours)


def test_several_pods_share_the_requests(hostnames, ours):
    """Several Pods share the requests: of 30 in a row, at least two different Pods answer some.

    `kubectl get pods` should show three of them ready.
    """
    answered = sorted(set(hostnames) & set(ours))
    assert hostnames, "nobody answered"
    assert len(answered) >= SEVERAL, f"only {', '.join(answered) or 'strangers'} answered"


def test_nobody_else_answers(hostnames, ours):
    """Only Pods of the Deployment answer, nobody who merely wears the same label.

    `kubectl get pods --show-labels`: does the Service's selector fit a Pod that it should not?
    """
    strangers = sorted(set(hostnames) - set(ours))
    assert hostnames, "nobody answered"
    assert not strangers, f"somebody else answered: {', '.join(strangers)}"


def test_a_service_that_selects_nobody_refuses(reach, kubectl, pod):
    """A Service whose selector fits no Pod has a name and an address, but refuses every connection.

    Compare SELECTOR in `kubectl get services -o wide` with `kubectl get pods --show-labels`.
    """
    get_service(kubectl, "helloworld-nobody")
    slices = kubectl.json("get endpointslices --selector kubernetes.io/service-name=helloworld-nobody")
    addresses = [address for one in slices for end in one["endpoints"] or [] for address in end["addresses"]]
    assert not addresses, f"it does have endpoints: {', '.join(addresses)}"
    reach.silent("Service without Pods", "http://helloworld-nobody:8080", pod)
    reason = pod.get("http://helloworld-nobody:8080").reason
    assert reason == "refused", f"expected a refused connection, saw: {reason}"


def test_its_address_outlives_its_pods(reach, kubectl, pod, service, ours, eventually):
    """Its address stays the same when all its Pods are replaced, and the new ones answer.

    Delete the Pods and watch `kubectl get pods` and `kubectl get service helloworld-clusterip`.
    """
    old = set(own_pods(kubectl))
    kubectl(f"delete pods --grace-period 1 --wait=false {' '.join(old)}")
    new = eventually(
        lambda: [name for name in own_pods(kubectl) if name not in old],
        lambda names: len(names) >= len(old),
        seconds=30,
    )
    assert len(new) >= len(old), f"of {len(old)} Pods only {len(new)} came back"
    address = get_service(kubectl, SERVICE)["clusterIP"]
    assert address == service["clusterIP"], f"the address was {service['clusterIP']} and is {address}"
    reach.settle()
    reach.answers("ClusterIP, new Pods", f"http://{address}:8080", pod, by=lines_of(new))


@pytest.mark.task
def test_your_service_web_answers_on_port_80(reach, kubectl, pod):
    """Your Service web leads to the same Pods, on port 80 instead of 8080.

    A Service has a port of its own and a target port, the one on which the program listens.
    """
    get_service(kubectl, "web")
    reach.answers("your Service web", "http://web", pod, by=lines_of(own_pods(kubectl)))
    reach.silent("web, old port", "http://web:8080", pod)
