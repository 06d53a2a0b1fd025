"""Lab architecture: which program runs where, and what each of them does."""

import json

import pytest
import yaml

READ = "find /etc/kubernetes/manifests -type f ! -name '.*' -exec sh -c 'echo ---; cat {}' ';'"
CONTROL_PLANE = {"etcd", "kube-apiserver", "kube-controller", "kube-scheduler"}  # as the kernel calls them: 15 letters
PARTS = {"SuccessfulCreate": "replicaset-controller", "Scheduled": "default-scheduler", "Started": "kubelet"}
HEARTBEAT, START = 25, 60
"""Seconds in which a heartbeat must be seen, of which there is one every ten, and in which a Pod must start."""
MIRROR = "kubernetes.io/config.mirror"


def name_of(item):
    return item["metadata"]["name"]


def is_ready(item):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in item["status"].get("conditions", []))


def full_name(item, more=""):
    return f"{item['metadata']['namespace']}/{name_of(item)}{more}"


def ready_pods(kubectl, app, known=()):
    return [one for one in kubectl.pods(f"app={app}") if is_ready(one) and name_of(one) not in known]


def assert_once_on_every_node(kubectl, daemonset, nodes):
    """There is one ready Pod of it on every node, and not two."""
    owner = ("DaemonSet", daemonset)
    every = [item for item in kubectl.json("get pods --all-namespaces") if is_ready(item)]
    at = sorted(item["spec"]["nodeName"] for item in every if owner in owners_of(item))
    missing = [node.name for node in nodes if node.name not in at]
    assert not missing, f"{daemonset} is missing on {', '.join(missing)}"
    assert len(at) == len(set(at)), f"of {daemonset} several run on one node: {', '.join(at)}"


def owners_of(item):
    return [(one["kind"], one["name"]) for one in item["metadata"].get("ownerReferences", [])]


@pytest.fixture(scope="module")
def scouts(kubectl, inside):
    """By node, our Pod on it that sees all programs of the node."""
    found = {item["spec"]["nodeName"]: inside(name_of(item)) for item in ready_pods(kubectl, "scout")}
    assert found, "the DaemonSet scout has no ready Pod"
    return found


@pytest.fixture(scope="module")
def hello(kubectl):
    """The ready Pods of the lab's Deployment."""
    found = ready_pods(kubectl, "hello")
    assert found, "no Pod of hello is ready"
    return found


@pytest.fixture(scope="module")
def files(nodes):
    """By node, the Pods that the files in its folder describe, as namespace/name."""
    found = {node.name: filter(None, yaml.safe_load_all(node.output(READ))) for node in nodes}
    return {node: {full_name(one, f"-{node}") for one in pods} for node, pods in found.items()}


@pytest.fixture
def mirrors(kubectl, files, namespace, eventually):
    """What the API server lists of static Pods, beacon among them; those that somebody has deleted too."""
    names = [name for found in files.values() for name in found if name.startswith(f"{namespace}/beacon-")]
    assert names, "there is no static Pod beacon: no file of a node describes it"

    def look():
        every = kubectl.json("get pods --all-namespaces")
        return {full_name(item): item for item in every if MIRROR in item["metadata"].get("annotations", {})}

    found = eventually(look, lambda seen: is_ready(seen.get(names[0], {"status": {}})), seconds=START)
    assert is_ready(found.get(names[0], {"status": {}})), f"a file describes {names[0]}, but it is not listed as ready"
    return found


def test_some_pods_run_once_on_every_node(kubectl, scouts, nodes):
    """kube-proxy, the network and scout are DaemonSets: one Pod of each on every node, the control plane too.

    `kubectl get daemonsets -A`. The control plane has a taint: only Pods that tolerate it come there.
    """
    for name in ("scout", "kube-proxy", "kube-flannel-ds"):
        assert_once_on_every_node(kubectl, name, nodes)


def test_the_control_plane_runs_on_its_node_alone(scouts, nodes, reachable):
    """etcd, API server, controller manager and scheduler run on the control plane, and on no worker.

    In a scout: `ps`. It sees every program of its node; `kubectl get pods -l app=scout -o wide` says which node.
    """
    for node in nodes:
        assert node.name in scouts, f"there is no scout on {node.name} to look from"
        running = set(scouts[node.name].output("cat /proc/[0-9]*/comm 2>/dev/null; echo").split())
        assert "kubelet" in running, f"the scout on {node.name} does not see the programs of the node"
        here = CONTROL_PLANE if node.name in reachable.group("control_planes") else set()
        assert running & CONTROL_PLANE == here, f"on {node.name} these run: {sorted(running & CONTROL_PLANE)}"


def test_the_control_plane_keeps_ordinary_pods_off(kubectl, hello, eventually):
    """A Pod that does not tolerate its taint is not placed on the control plane: it stays Pending. (A twin of hello.)

    `kubectl describe node` shows the taint; an event of the waiting Pod names it.
    """
    image, where = hello[0]["spec"]["containers"][0]["image"], {"node-role.kubernetes.io/control-plane": ""}
    overrides = json.dumps({"spec": {"nodeSelector": where, "terminationGracePeriodSeconds": 1}})
    kubectl("delete pod hello-twin --ignore-not-found")
    kubectl(f"run hello-twin --image {image} --overrides '{overrides}'")
    try:
        said = eventually(lambda: told(kubectl, "hello-twin"), lambda seen: "FailedScheduling" in seen, seconds=START)
        _, why = said.get("FailedScheduling", ("", f"no event says so, only {', '.join(said) or 'none at all'}"))
        assert "untolerated taint" in why, f"it is not kept off by a taint: {why}"
    finally:
        kubectl("delete pod hello-twin")


def test_kubelet_is_a_service_of_the_machine(scouts, nodes):
    """kubelet runs on every node, but in no Pod: the machine itself starts it, and kubelet starts the Pods.

    On the node: `systemctl status kubelet`; /proc/PID/cgroup says to what a program belongs.
    """
    find = "cat $(grep -lx %s /proc/[0-9]*/comm | head -n 1 | sed s/comm$/cgroup/)"
    for node in nodes:
        kubelet, proxy = (node.output(find % name) for name in ("kubelet", "kube-proxy"))
        assert "kubelet.service" in kubelet, f"on {node.name} kubelet belongs to: {kubelet}"
        assert "kubepods" in proxy, f"on {node.name} kube-proxy belongs to no Pod but to: {proxy}"


def test_every_node_sends_heartbeats(kubectl, scouts, nodes, eventually):
    """Every node renews its Lease again and again, long before the 40 seconds are over that it stands for.

    `kubectl get leases -n kube-node-lease -o yaml`: renewTime. Without it a node becomes NotReady.
    """
    names = {node.name for node in nodes}
    first = renewals(kubectl)
    assert names <= set(first), f"{', '.join(names - set(first))} has no Lease: nobody says that it is alive"

    def look():
        now = renewals(kubectl)
        return [name for name in names if now[name] == first[name]]

    silent = eventually(look, lambda found: not found, seconds=HEARTBEAT)
    assert not silent, f"{', '.join(silent)} did not renew its Lease within {HEARTBEAT} s"


def renewals(kubectl):
    return {name_of(item): item["spec"]["renewTime"] for item in kubectl.json("get leases --namespace kube-node-lease")}


def test_static_pods_are_files_of_a_node(files, mirrors):
    """Every static Pod is a file on a node; the API server lists it under its name and the name of the node.

    On the node: `ls /etc/kubernetes/manifests`; `kubectl get pods -A` lists as many with that node's name at the end.
    """
    for node, described in files.items():
        listed = {name for name, item in mirrors.items() if item["spec"]["nodeName"] == node}
        assert described == listed, f"files of {node}: {sorted(described)}, listed: {sorted(listed)}"


def test_names_are_known_wherever_coredns_runs(kubectl, scouts, namespace):
    """CoreDNS runs on some nodes, wherever there was room; Pods on all nodes get an answer from it.

    `kubectl get pods -n kube-system -l k8s-app=kube-dns -o wide`: a Deployment, so there is no Pod for every node.
    """
    address = kubectl.json("get service hello")["spec"]["clusterIP"]
    ask = f"timeout 5 nslookup hello.{namespace}.svc.cluster.local"
    missed = [node for node, scout in scouts.items() if address not in scout.run(ask).stdout]
    assert not missed, f"the name hello is not known on {', '.join(missed)}"


def test_containers_run_on_several_machines(reach, pod, hello):
    """The Pods of one Deployment run on several machines, and each answers.

    `kubectl get pods -l app=hello -o wide`: look at the column NODE.
    """
    machines = {item["spec"]["nodeName"]: item for item in hello}
    assert len(machines) > 1, f"all of them run on {', '.join(machines)}"
    for node, item in machines.items():
        reach.answers(
            f"Pod on {node}", f"http://{item['status']['podIP']}:8080", pod, by=[f"Hostname: {name_of(item)}"]
        )


def test_kube_proxy_makes_services_work_on_every_node(reach, kubectl, nodes, hello):
    """kube-proxy writes the rules for Services on each node: the address of hello answers all of them.

    On a node: `nft list table ip kube-proxy`, and `curl` with the address from `kubectl get service hello`.
    """
    address = kubectl.json("get service hello")["spec"]["clusterIP"]
    reach.answers("Service", f"http://{address}:8080", nodes, by=[f"Hostname: {name_of(item)}" for item in hello])


def test_a_static_pod_outlives_its_object(reach, kubectl, mirrors, pod):
    """Who deletes a static Pod deletes what the API server lists; the program on the node runs on undisturbed.

    The object only mirrors the file. It stays Terminating until kubelet looks again, after a minute or so.
    """
    beacon = next(item for item in mirrors.values() if item["metadata"]["labels"].get("run") == "beacon")
    url = f"http://{beacon['status']['podIP']}:8080/mark"
    mark = pod.get(url).body.strip()
    assert mark.startswith("mark-"), f"beacon does not say its mark but: {mark}"
    kubectl(f"delete pod {name_of(beacon)} --wait=false")
    now = kubectl.json(f"get pod {name_of(beacon)}")["metadata"]
    deleted = "deletionTimestamp" in now or now["uid"] != beacon["metadata"]["uid"]
    assert deleted, "the object is there as if nobody had deleted it"
    reach.answers("static Pod, its object deleted", url, pod, by=[mark])


def told(kubectl, name):
    """By reason, who told what happened to an object of this name, and in which words."""
    found = kubectl.json(f"get events --field-selector involvedObject.name={name}")
    return {one["reason"]: (one["reportingComponent"] or one["source"]["component"], one["message"]) for one in found}


def test_each_component_does_its_part(kubectl, hello, eventually):
    """A Pod is deleted: a controller makes another, the scheduler chooses its node, the kubelet there starts it.

    `kubectl get events`: the events of a Pod say who tells them, and `kubectl describe pod` shows it under From.
    """
    before = {name_of(item) for item in hello}
    kubectl(f"delete pod {name_of(hello[0])} --wait=false")
    made = eventually(lambda: ready_pods(kubectl, "hello", before), seconds=START)
    assert made, "nobody made another Pod in its place"
    name, (_, owner) = name_of(made[0]), owners_of(made[0])[0]
    events = eventually(lambda: told(kubectl, name), lambda seen: "Started" in seen, seconds=START)
    by = {reason: teller for reason, (teller, _) in {**told(kubectl, owner), **events}.items()}
    for did, who in PARTS.items():
        assert by.get(did) == who, f"{did} should be told by {who}; the events are {by}"


@pytest.mark.task
def test_your_lookout_runs_on_every_node(kubectl, nodes):
    """Your DaemonSet lookout has one ready Pod on every node, the control plane too.

    Which taint does the control plane have? `kubectl describe node`. A DaemonSet for all nodes tolerates it.
    """
    found = [name_of(item) for item in kubectl.json("get daemonsets")]
    assert "lookout" in found, f"there is no DaemonSet lookout in namespace {kubectl.namespace}"
    assert_once_on_every_node(kubectl, "lookout", nodes)
