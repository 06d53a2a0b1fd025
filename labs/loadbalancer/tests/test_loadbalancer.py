"""Lab loadbalancer: what is true of an address that a Service gets for itself."""

from dataclasses import replace

import pytest

FIRST, SECOND = "helloworld-first", "helloworld-second"
TWIN, THIRD = "helloworld-twin", "helloworld-third"
POOL = "metallb.universe.tf/address-pool"
PENDING = "<pending>"
METALLB = "metallb-system"
GIVEN_BY_OTHERS = {"clusterIP", "clusterIPs", "nodePort"}
SOON = 30  # seconds that MetalLB may take to give an address


def get_service(kubectl, name):
    found = [item for item in kubectl.json("get services") if item["metadata"]["name"] == name]
    assert found, f"there is no Service {name} in namespace {kubectl.namespace}"
    return found[0]


def shown(kubectl, name):
    """What kubectl shows as EXTERNAL-IP: wherever it comes from, this is what people read."""
    return kubectl(f"get service {name} --no-headers").split()[3]


def port_of(service):
    """The port of the nodes; a Service without one is asked on its own, so that requests tell what is missing."""
    return service["spec"]["ports"][0].get("nodePort", service["spec"]["ports"][0]["port"])


def without(value, keys):
    if isinstance(value, dict):
        return {key: without(inner, keys) for key, inner in value.items() if key not in keys}
    return [without(inner, keys) for inner in value] if isinstance(value, list) else value


def like(service, name, **annotations):
    """A new Service like another one."""
    metadata = {"name": name, "annotations": {**service["metadata"].get("annotations", {}), **annotations}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": without(service["spec"], GIVEN_BY_OTHERS),
    }


@pytest.fixture(scope="module")
def ours(kubectl):
    names = [item["metadata"]["name"] for item in kubectl.pods("app=helloworld")]
    assert names, "the Deployment helloworld has no Pods"
    return [f"Hostname: {name}" for name in names]


@pytest.fixture(scope="module")
def prefix(reachable, nodes):
    """The first three numbers of the addresses of the nodes' network."""
    return reachable.address(nodes[0].name).rpartition(".")[0]


@pytest.fixture(scope="module")
def pool(prefix):
    return {f"{prefix}.251", f"{prefix}.252"}


@pytest.fixture(scope="module")
def address_of(kubectl, eventually):
    """The external address of a Service, once it has one."""

    def look(name, seconds=None):
        get_service(kubectl, name)
        seen = eventually(lambda: shown(kubectl, name), lambda text: text != PENDING, seconds=seconds)
        assert not seen.startswith("<"), f"Service {name} has no address, EXTERNAL-IP is {seen}"
        return seen

    return look


@pytest.fixture(scope="module")
def make(kubectl):
    def create(*items, namespace=kubectl.namespace):
        for item in items:
            replace(kubectl, namespace=namespace).create(item)

    return create


@pytest.fixture(scope="module")
def twin(kubectl, make, ours):
    """A Service like the first one, that names a pool which does not exist."""

    def remove():
        # First the Service: MetalLB keeps a pool in mind until none of its addresses is in use.
        kubectl(f"delete service {TWIN} --ignore-not-found")
        kubectl(f"delete ipaddresspools,l2advertisements {TWIN} --namespace {METALLB} --ignore-not-found")

    remove()
    make(like(get_service(kubectl, FIRST), TWIN, **{POOL: TWIN}))
    yield get_service(kubectl, TWIN)
    remove()


def assert_waits(kubectl, name):
    seen = shown(kubectl, name)
    assert seen == PENDING, f"Service {name} does not wait for an address, EXTERNAL-IP is {seen}"


@pytest.fixture(scope="module")
def new_address(kubectl, make, twin, prefix):
    """The one address of the pool that the twin waits for. The pool appears with the first check that asks for it."""
    assert_waits(kubectl, TWIN)
    address = f"{prefix}.253"
    metadata = {"name": TWIN, "namespace": METALLB, "labels": {"kubelab.dev/lab": "loadbalancer"}}
    common = {"apiVersion": "metallb.io/v1beta1", "metadata": metadata}
    make(
        {**common, "kind": "IPAddressPool", "spec": {"addresses": [f"{address}/32"], "autoAssign": False}},
        {**common, "kind": "L2Advertisement", "spec": {"ipAddressPools": [TWIN]}},
        namespace=METALLB,
    )
    return address


@pytest.fixture
def put_back(kubectl, make, ours, address_of):
    """The second Service, to be deleted: afterwards it is there again, with an address."""
    service = get_service(kubectl, SECOND)
    remove_third = f"delete service {THIRD} --ignore-not-found"
    kubectl(remove_third)
    yield service
    kubectl(remove_third)
    if not kubectl(f"get service {SECOND} --ignore-not-found"):
        metadata = {key: service["metadata"].get(key, {}) for key in ("name", "labels", "annotations")}
        make({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service["spec"]})
        address_of(SECOND, SOON)


def complaint(kubectl, service):
    """Why MetalLB gave this very Service no address."""
    wanted = f"involvedObject.uid={service['metadata']['uid']},reason=AllocationFailed"
    events = kubectl.json(f"get events --field-selector {wanted}")
    return events[-1]["message"] if events else ""


def test_its_address_comes_from_the_pool(address_of, pool):
    """The Service gets an address of the pool that it names.

    `kubectl get services`: compare EXTERNAL-IP with the pool, `kubectl get ipaddresspools -n metallb-system`.
    """
    address = address_of(FIRST)
    assert address in pool, f"{address} is none of the pool's: {', '.join(sorted(pool))}"


def test_its_address_answers_everybody(reach, address_of, pod, nodes, outside, ours):
    """At this address it answers a machine outside, Pods and every node, on its own port.

    No answer at all? `kubectl get endpointslices`: MetalLB announces only addresses behind which there are Pods.
    """
    reach.answers("external address", f"http://{address_of(FIRST)}:8080", [outside, pod, *nodes], by=ours)


def test_two_services_have_two_addresses(reach, kubectl, address_of, outside, ours):
    """A second Service for the same Pods gets another address, and both answer outside.

    Compare the two lines of `kubectl get services`.
    """
    addresses = [address_of(FIRST), address_of(SECOND)]
    assert addresses[0] != addresses[1], f"both have {addresses[0]}"
    for name, address in zip((FIRST, SECOND), addresses, strict=True):
        port = get_service(kubectl, name)["spec"]["ports"][0]["port"]
        reach.answers(f"address of {name}", f"http://{address}:{port}", outside, by=ours)


def test_without_its_pool_it_waits_and_the_nodes_answer(reach, reachable, kubectl, twin, outside, ours, eventually):
    """While its pool does not exist a Service waits for an address; its NodePort works already. (Shown with a twin.)

    Events of a Service say what it waits for: `kubectl describe service NAME`.
    """
    assert_waits(kubectl, TWIN)
    said = eventually(lambda: complaint(kubectl, twin), seconds=SOON)
    assert f'unknown pool "{TWIN}"' in said, f"nobody complains that there is no such pool: {said}"
    reach.settle()
    for node in reachable.nodes():
        url = f"http://{reachable.address(node.name)}:{port_of(twin)}"
        reach.answers("no pool yet, port of a node", url, outside, by=ours)
    assert_waits(kubectl, TWIN)


def test_when_the_pool_appears_it_gets_an_address(reach, new_address, address_of, outside, ours):
    """As soon as its pool appears, the Service that waits gets an address and answers there. (A twin.)

    `kubectl logs -n metallb-system deployment/controller` tells what MetalLB does.
    """
    seen = address_of(TWIN, SOON)
    assert seen == new_address, f"the pool has {new_address}, the Service got {seen}"
    reach.settle()
    reach.answers("pool has appeared", f"http://{seen}:8080", outside, by=ours)


def test_deleted_its_address_is_silent(reach, kubectl, new_address, address_of, outside, ours, eventually):
    """When a Service is deleted, nobody answers at its address any more. (A twin.)

    Somebody still answers? `kubectl get services -A`: another Service may have taken the address.
    """
    url = f"http://{new_address}:8080"
    address_of(TWIN, SOON)
    reach.answers("before it is deleted", url, outside, by=ours)
    kubectl(f"delete service {TWIN}")
    eventually(lambda: outside.get(url).status is None, seconds=SOON)
    reach.silent("after it is deleted", url, outside)


def test_a_third_waits_until_an_address_is_free(
    reach, kubectl, make, put_back, address_of, pool, outside, ours, eventually
):
    """The pool has two addresses: a third Service waits, and gets the address of the one that is deleted.

    `kubectl describe service NAME` of one that waits: MetalLB says that the pool has none left.
    """
    holders = {name: address_of(name) for name in (FIRST, SECOND)}
    assert set(holders.values()) == pool, f"the addresses in use are {', '.join(sorted(holders.values()))}"
    make(like(put_back, THIRD))
    third = get_service(kubectl, THIRD)
    said = eventually(lambda: complaint(kubectl, third), seconds=SOON)
    assert "no available IPs in pool" in said, f"nobody complains that the pool has no address left: {said}"
    assert_waits(kubectl, THIRD)
    kubectl(f"delete service {SECOND}")
    address = address_of(THIRD, SOON)
    assert address == holders[SECOND], f"{holders[SECOND]} was free, it got {address}"
    reach.settle()
    reach.answers("third, address of the second", f"http://{address}:8080", outside, by=ours)


@pytest.mark.task
def test_your_service_web_has_an_address_of_its_own(reach, address_of, prefix, pool, pod, outside, ours):
    """Your Service web answers on port 80 at an address of its own, without naming a pool.

    Pods find it by its name too: `curl web`.
    """
    address = address_of("web")
    assert address not in pool, f"{address} is of the lab's pool"
    assert address.startswith(f"{prefix}."), f"{address} is no address of the nodes' network"
    reach.answers("your Service web", f"http://{address}", [outside, pod], by=ours)
    reach.answers("your Service web, by name", "http://web", pod, by=ours)
