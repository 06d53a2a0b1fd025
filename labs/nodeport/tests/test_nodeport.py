"""Lab nodeport: what is true of a port that every node opens for a Service."""

import ipaddress

import pytest

SERVICE = "helloworld-nodeport"
RANGE = range(30000, 32768)
MIRROR = "Hostname: mirror"
REFUSED = "provided port is not in the valid range"
YOURS = "80"


def get_service(kubectl, name):
    found = [item for item in kubectl.json("get services") if item["metadata"]["name"] == name]
    assert found, f"there is no Service {name} in namespace {kubectl.namespace}"
    return found[0]["spec"]


def port_of(service):
    """The port of the nodes; a Service without one is asked on its own, so that requests tell what is missing."""
    return service["ports"][0].get("nodePort", service["ports"][0]["port"])


@pytest.fixture(scope="module")
def service(kubectl):
    return get_service(kubectl, SERVICE)


@pytest.fixture(scope="module")
def ours(kubectl):
    """The one Pod of the Deployment helloworld, by what only it can say."""
    names = [item["metadata"]["name"] for item in kubectl.pods("app=helloworld")]
    assert names, "the Deployment helloworld has no Pods"
    assert len(names) == 1, f"one Pod is enough to see it, there are: {', '.join(names)}"
    return [f"Hostname: {names[0]}"]


@pytest.fixture(scope="module")
def at_nodes(reachable, nodes):
    """Makes the URLs of a port, one for each node."""
    return lambda port: [f"http://{reachable.address(node.name)}:{port}" for node in nodes]


@pytest.fixture(scope="module")
def mirror(kubectl):
    found = [item for item in kubectl.pods("app=mirror") if item["metadata"]["name"] == "mirror"]
    assert found, f"there is no Pod mirror in namespace {kubectl.namespace}"
    return found[0]


@pytest.fixture(scope="module")
def others(mirror, nodes):
    """The nodes on which the mirror does not run."""
    return [node for node in nodes if node.name != mirror["spec"]["nodeName"]]


def client_of(answer):
    """The address that the mirror saw."""
    seen = [line.removeprefix("Client: ") for line in answer.body.splitlines() if line.startswith("Client: ")]
    assert seen, f"the mirror did not say who asked: {answer.reason or answer.body}"
    return seen[0]


def owner_of(address, nodes):
    """The node that has an address, '' if none: each knows its own."""
    wanted = str(ipaddress.ip_address(address))
    return next((node.name for node in nodes if f" {wanted}/" in node.output("ip -o -4 address")), "")


def test_kubernetes_gives_it_a_port_of_the_range(service):
    """Kubernetes gives it a port of the nodes, between 30000 and 32767.

    `kubectl get service helloworld-nodeport`: PORT(S) holds two numbers, the second is the nodes'.
    """
    port = service["ports"][0].get("nodePort")
    assert port, "it has no port of the nodes"
    assert port in RANGE, f"its port of the nodes is {port}"


def test_every_node_answers_outside(reach, outside, at_nodes, service, ours):
    """Every node answers a machine outside on that port, also the nodes on which no Pod of the Service runs.

    `kubectl get pods -o wide` shows the node of the Pod. Compare TYPE and PORT(S) in `kubectl get services`.
    """
    for url in at_nodes(port_of(service)):
        reach.answers("port of a node", url, outside, by=ours)


def test_every_node_answers_pods_and_nodes(reach, pod, nodes, at_nodes, service, ours):
    """Pods and nodes get an answer on that port of every node too.

    Does the Service have endpoints, and does the program listen on the port that they name?
    """
    for url in at_nodes(port_of(service)):
        reach.answers("port of a node", url, [pod, *nodes], by=ours)


def test_its_own_port_is_closed_on_the_nodes(reach, outside, at_nodes, service, ours):
    """The Service's own port, 8080, leads to it on no node.

    Look for hostPort in `kubectl get pods -o yaml`: it takes a port of the one node where the Pod runs.
    """
    for url in at_nodes(8080):
        reach.silent("8080 of a node", url, outside, by=ours)


def test_its_clusterip_stays_inside(reach, pod, outside, service, ours):
    """Its ClusterIP goes on answering Pods, and still answers nobody outside.

    A Service of type NodePort is one of type ClusterIP, with a port of the nodes in addition.
    """
    url = f"http://{service['clusterIP']}:{service['ports'][0]['port']}"
    reach.answers("ClusterIP", url, pod, by=ours)
    reach.silent("ClusterIP", url, outside)


def test_a_port_outside_of_the_range_is_refused(kubectl, service):
    """A port outside of that range is refused, and the API server says why.

    Try `kubectl patch` as the lesson does: the message names the range.
    """
    patch = f'{{"spec":{{"ports":[{{"port":{service["ports"][0]["port"]},"nodePort":8080}}]}}}}'
    done = kubectl.run(f"patch service {SERVICE} --patch '{patch}'")
    assert done.returncode, "port 8080 is accepted"
    assert REFUSED in done.stderr, f"it is refused for another reason: {done.stderr.strip()}"


def test_policy_cluster_hides_who_asks(reach, reachable, kubectl, outside, nodes, others):
    """With externalTrafficPolicy Cluster every node passes requests on, but the Pod sees an address of that node.

    `kubectl get service mirror-cluster -o yaml` shows the policy.
    """
    port = port_of(get_service(kubectl, "mirror-cluster"))
    for node in others:
        url = f"http://{reachable.address(node.name)}:{port}"
        reach.answers("policy Cluster", url, outside, by=[MIRROR])
        seen = client_of(outside.get(url))
        owner = owner_of(seen, nodes)
        assert owner == node.name, f"asked through {node.name}, the Pod saw {seen}, an address of {owner or 'no node'}"


def test_policy_local_shows_who_asks(reach, reachable, kubectl, outside, mirror):
    """With externalTrafficPolicy Local the node of the Pod answers, and the Pod sees the address of who asks.

    `kubectl get service mirror-local -o yaml` shows the policy.
    """
    port = port_of(get_service(kubectl, "mirror-local"))
    url = f"http://{reachable.address(mirror['spec']['nodeName'])}:{port}"
    reach.answers("policy Local, node of the Pod", url, outside, by=[MIRROR])
    seen = client_of(outside.get(url))
    own = reachable.address(reachable.group("outside")[0])
    assert seen == own, f"the Pod saw {seen}, but it was {own} that asked"


def test_policy_local_needs_a_pod_on_the_node(reach, reachable, kubectl, outside, others):
    """With externalTrafficPolicy Local the nodes without a Pod of the Service do not answer.

    `kubectl get pod mirror -o wide` shows the one node that does.
    """
    port = port_of(get_service(kubectl, "mirror-local"))
    for node in others:
        reach.silent("policy Local, another node", f"http://{reachable.address(node.name)}:{port}", outside)


@pytest.mark.task
def test_your_service_web_has_the_port_you_chose(reach, kubectl, pod, outside, at_nodes, ours):
    """Your Service web answers Pods on port 80, and outside on a port of the nodes that ends in 80.

    The field is called nodePort: `kubectl explain service.spec.ports`.
    """
    port = port_of(get_service(kubectl, "web"))
    assert port in RANGE, "your Service has no port of the nodes"
    assert str(port).endswith(YOURS), f"the port {port} does not end in {YOURS}"
    reach.answers("your Service web", "http://web", pod, by=ours)
    for url in at_nodes(port):
        reach.answers("your Service web", url, outside, by=ours)
