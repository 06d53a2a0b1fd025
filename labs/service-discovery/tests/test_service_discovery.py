"""Lab service-discovery: how a Pod finds a Service, by name and by variables, in two namespaces."""

import pytest

START = 60
"""Seconds for a Pod to start, on a busy machine too. The Pods of the other namespace may still be at it."""
HERE = ["Hostname: helloworld"]
"""What only Pod helloworld in the lab's own namespace says."""
THERE = ["Hostname: neighbour"]
"""What only Pod neighbour in the other namespace says."""
HOST = "HELLOWORLD_SERVICE_HOST"


@pytest.fixture(scope="session")
def other(namespace):
    return f"{namespace}-other"


def get_service(kubectl, name, namespace):
    listed = kubectl.json(f"get services --namespace {namespace}")
    found = [item for item in listed if item["metadata"]["name"] == name]
    assert found, f"there is no Service {name} in namespace {namespace}"
    return found[0]["spec"]


@pytest.fixture(scope="module")
def helloworld(kubectl, namespace):
    return get_service(kubectl, "helloworld", namespace)


@pytest.fixture(scope="module")
def neighbour(kubectl, other, started):
    started("neighbour", other)
    return get_service(kubectl, "neighbour", other)


@pytest.fixture(scope="module")
def started(kubectl, reachable, eventually):
    """Waits for a Pod and returns it as a place to look from."""

    def look(name, namespace):
        listed = kubectl.json(f"get pods --namespace {namespace}")
        return next((item for item in listed if item["metadata"]["name"] == name), None)

    def wait(name, namespace):
        assert look(name, namespace), f"there is no Pod {name} in namespace {namespace}"
        found = eventually(lambda: look(name, namespace), is_ready, seconds=START)
        assert is_ready(found), f"Pod {name} in namespace {namespace} is not ready"
        return reachable.pod(name, namespace)

    return wait


def is_ready(item):
    conditions = item["status"].get("conditions", []) if item else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@pytest.fixture(scope="module")
def younger(started, namespace):
    return started("younger", namespace)


@pytest.fixture(scope="module")
def insider(started, other):
    return started("insider", other)


@pytest.fixture(scope="module")
def twin(kubectl, namespace, started, helloworld, younger):
    """A Service that is younger than Pod younger, and a Pod like it that is younger still; returns its address.

    They must not have the same name: inside of a Pod its own name is the Pod itself.
    """
    service = {"selector": helloworld["selector"], "ports": [{"port": 8080}]}
    spec = kubectl.json("get pod younger")["spec"]
    objects = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "twin"}, "spec": service},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "younger-twin"}, "spec": spec},
    ]
    kubectl("delete service/twin pod/younger-twin --ignore-not-found --grace-period 1")
    try:
        for one in objects:
            kubectl.create(one)
        started("younger-twin", namespace)
        yield get_service(kubectl, "twin", namespace)["clusterIP"]
    finally:
        kubectl("delete service/twin pod/younger-twin --ignore-not-found --grace-period 1 --wait=false")


def variables(place):
    """The environment of a Pod's container."""
    return dict(line.split("=", 1) for line in place.output("env").splitlines() if "=" in line)


def search_list(place):
    lines = [line.split() for line in place.output("cat /etc/resolv.conf").splitlines()]
    return next((words[1:] for words in lines if words[:1] == ["search"]), [])


def test_the_short_name_works_in_its_own_namespace(reach, helloworld, neighbour, younger, insider):
    """Within its own namespace the short name of a Service is enough, in each of the two.

    `kubectl exec POD -- cat /etc/resolv.conf` shows which name server a Pod asks.
    """
    reach.answers("short name", "http://helloworld:8080", younger, by=HERE)
    reach.answers("short name", "http://neighbour:8080", insider, by=THERE)


def test_the_short_name_fails_across_namespaces(reach, helloworld, neighbour, younger, other):
    """From another namespace the short name leads nowhere, though the Service is there and answers.

    Is there something of that name in both namespaces? `kubectl get services --all-namespaces`.
    """
    reach.answers("with namespace", f"http://neighbour.{other}:8080", younger, by=THERE)
    reach.silent("short name, elsewhere", "http://neighbour:8080", younger)


def test_name_and_namespace_work_from_both(reach, helloworld, neighbour, younger, insider, namespace, other):
    """The name with the namespace after it, `name.namespace`, leads to the Service from both namespaces.

    `kubectl get services --all-namespaces` shows which Service is where.
    """
    reach.answers("with namespace", f"http://helloworld.{namespace}:8080", [younger, insider], by=HERE)
    reach.answers("with namespace", f"http://neighbour.{other}:8080", [younger, insider], by=THERE)


def test_the_full_name_works_from_both(reach, helloworld, neighbour, younger, insider, namespace, other):
    """The full name, `name.namespace.svc.cluster.local`, leads to the Service from both namespaces.

    `kubectl get services --all-namespaces` shows which Service is where.
    """
    reach.answers("full name", f"http://helloworld.{namespace}.svc.cluster.local:8080", [younger, insider], by=HERE)
    reach.answers("full name", f"http://neighbour.{other}.svc.cluster.local:8080", [younger, insider], by=THERE)


def test_nodes_and_outside_do_not_know_the_names(reach, helloworld, pod, nodes, outside, namespace):
    """Only Pods know these names: a node reaches the Service's address, but not its name; outside reaches neither.

    Nodes ask another name server: compare /etc/resolv.conf in a Pod with the one of a node.
    """
    name, address = f"http://helloworld.{namespace}.svc.cluster.local:8080", f"http://{helloworld['clusterIP']}:8080"
    reach.answers("ClusterIP", address, [pod, *nodes], by=HERE)
    reach.answers("full name", name, pod, by=HERE)
    reach.silent("full name", name, [*nodes, outside])
    reach.silent("ClusterIP", address, outside)


def test_the_search_list_begins_with_the_own_namespace(helloworld, younger, insider, namespace, other):
    """In each Pod the search list of /etc/resolv.conf begins with the Pod's own namespace: it is put after short names.

    `kubectl exec POD -- cat /etc/resolv.conf` shows it. dnsPolicy in the Pod says where it comes from.
    """
    for place, own in ((younger, namespace), (insider, other)):
        wanted, seen = [f"{own}.svc.cluster.local", "svc.cluster.local"], search_list(place)
        assert seen[:2] == wanted, f"the search list of {place.name} begins with: {', '.join(seen[:2]) or 'nothing'}"


def test_one_more_entry_lets_the_short_name_across(reach, helloworld, neighbour, started, namespace):
    """With the other namespace in its search list too, a Pod finds the other Service by its short name.

    dnsConfig in `kubectl get pod traveller -o yaml` adds to the list. The first name that exists wins.
    """
    traveller = started("traveller", namespace)
    reach.answers("short name, longer list", "http://neighbour:8080", traveller, by=THERE)
    reach.answers("short name, longer list", "http://helloworld:8080", traveller, by=HERE)


def test_variables_name_the_services_of_its_namespace(reach, helloworld, younger):
    """A Pod has variables with address and port of the Services of its namespace, and they lead to them.

    `kubectl exec younger -- env` shows them; enableServiceLinks in the Pod says whether it gets any.
    """
    seen = variables(younger)
    assert HOST in seen, f"in Pod younger {HOST} is not set"
    assert seen[HOST] == helloworld["clusterIP"], f"{HOST} is {seen[HOST]}, the Service has {helloworld['clusterIP']}"
    reach.answers("variables", f"http://{seen[HOST]}:{seen['HELLOWORLD_SERVICE_PORT']}", younger, by=HERE)


def test_only_pods_younger_than_the_service_have_them(reach, twin, younger, inside, eventually):
    """A Pod older than a Service lacks its variables, a younger one has them; both find it by name. (With twins.)

    Variables are given to a container when it starts, and never again. A name is looked up every time.
    """
    late = variables(inside("younger-twin")).get("TWIN_SERVICE_HOST", "not set")
    assert late == twin, f"in the Pod made after the Service TWIN_SERVICE_HOST is {late}"
    assert "TWIN_SERVICE_HOST" not in variables(younger), "the Pod that is older than the Service has its variables"
    forwarded = eventually(lambda: younger.get(f"http://{twin}:8080").status, seconds=START)
    assert forwarded, f"nobody answers at {twin}, the address of the Service made just now"
    reach.answers("name, older and younger Pod", "http://twin:8080", [younger, inside("younger-twin")], by=HERE)


def test_there_are_no_variables_of_another_namespace(helloworld, neighbour, younger, insider):
    """No variable names a Service of another namespace, apart from the API server's, which all Pods get.

    `kubectl exec younger -- env | grep NEIGHBOUR` should print nothing.
    """
    here, there = variables(younger), variables(insider)
    assert "KUBERNETES_SERVICE_HOST" in here, "not even the API server has variables, so this proves nothing"
    foreign = sorted(name for name in here if name.startswith("NEIGHBOUR_") or neighbour["clusterIP"] in here[name])
    assert not foreign, f"Pod younger has variables of the other namespace: {', '.join(foreign)}"
    foreign = sorted(name for name, value in there.items() if helloworld["clusterIP"] in value)
    assert not foreign, f"Pod insider has variables of the other namespace: {', '.join(foreign)}"


def test_without_service_links_only_the_name_is_left(reach, helloworld, started, namespace):
    """A Pod with enableServiceLinks: false has no variables of Services, and finds them by name all the same.

    `kubectl get pod quiet -o yaml` shows the setting; without it a Pod gets the variables.
    """
    quiet = started("quiet", namespace)
    found = sorted(name for name in variables(quiet) if name.startswith("HELLOWORLD_"))
    assert not found, f"Pod quiet has: {', '.join(found)}"
    reach.answers("short name, no variables", "http://helloworld:8080", quiet, by=HERE)


@pytest.mark.task
def test_your_service_is_another_helloworld(reach, kubectl, helloworld, younger, insider, other):
    """Your Service helloworld in the other namespace leads to Pod neighbour; the first one is what it was.

    Two Services may have one name in two namespaces. What does its selector look for?
    """
    get_service(kubectl, "helloworld", other)
    reach.answers("your helloworld", "http://helloworld:8080", insider, by=THERE)
    reach.answers("your helloworld, from here", f"http://helloworld.{other}:8080", younger, by=THERE)
    reach.answers("short name", "http://helloworld:8080", younger, by=HERE)
