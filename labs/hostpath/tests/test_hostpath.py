"""Lab hostpath: a volume that is a folder of a node."""

import secrets

import pytest

from kubelab.kubectl import KubectlError

FOLDER = "/var/local/kubelab-hostpath"
KEY = "/var/lib/kubelet/pki/kubelet-client-current.pem"
AUTHORITY = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
GUARD = "pod-security.kubernetes.io/enforce"
START = 60
"""Seconds for a Pod to start, on a busy machine too."""
ABSENT = "absent"


def get_pod(kubectl, name):
    """A running Pod as the API server describes it, or a failure that names it."""
    found = [item for item in kubectl.pods() if item["metadata"]["name"] == name]
    assert found, f"there is no Pod {name} in namespace {kubectl.namespace}"
    assert found[0]["status"]["phase"] == "Running", f"Pod {name} does not run: it is {found[0]['status']['phase']}"
    return found[0]


def content(place, path):
    """What a file says there; ABSENT when there is none, a failure when the place cannot be asked."""
    return place.output(f"test -e {path} && cat {path} || echo {ABSENT}").strip()


def new_word():
    return f"check-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def node_of(kubectl, nodes):
    """Where a Pod runs, as a place from which one can look."""
    at = {node.name: node for node in nodes}
    return lambda name: at[get_pod(kubectl, name)["spec"]["nodeName"]]


@pytest.fixture(scope="module")
def mark(kubectl, inside, nodes):
    """A word that nobody can guess, written by the writer into a file of this name."""
    get_pod(kubectl, "writer")
    word = new_word()
    inside("writer").output(f"echo {word} > /data/{word}")
    yield word
    for node in nodes:
        node.run(f"rm -f {FOLDER}/check-*")


@pytest.fixture
def make_twin(kubectl, inside, eventually):
    """Makes a Pod like reader-here, on the same node, that may be deleted."""
    spec = get_pod(kubectl, "reader-here")["spec"]

    def make():
        kubectl.create(pod_of("reader-twin", spec))
        phase = eventually(lambda: phase_of(kubectl, "reader-twin"), lambda seen: seen == "Running", seconds=START)
        assert phase == "Running", f"a Pod like reader-here does not start: it is {phase}"
        return inside("reader-twin")

    delete_twin(kubectl)
    yield make
    delete_twin(kubectl)


def delete_twin(kubectl):
    kubectl("delete pod reader-twin --ignore-not-found --grace-period 1")


def phase_of(kubectl, name):
    return kubectl(f"get pod {name} -o jsonpath={{.status.phase}}")


def pod_of(name, spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"run": name}}, "spec": spec}


def test_it_is_an_ordinary_folder_of_the_node(mark, node_of, nodes, inside):
    """The volume is an ordinary folder of the node: what the Pod writes lies there, and on no other node.

    `kubectl describe pod writer` names the folder under Volumes, and the node.
    """
    here, word = node_of("writer"), new_word()
    found = content(here, f"{FOLDER}/{mark}")
    assert found == mark, f"on {here.name}, in {FOLDER}, the node has nothing of it"
    here.output(f"echo {word} > {FOLDER}/{word}")
    seen = content(inside("writer"), f"/data/{word}")
    assert seen == word, "the Pod does not see what was put there on the node"
    also = [node.name for node in nodes if node.name != here.name and content(node, f"{FOLDER}/{mark}") != ABSENT]
    assert not also, f"the file lies on another node too: {', '.join(also)}"


def test_a_pod_on_the_same_node_sees_it(mark, node_of, inside):
    """Another Pod on the same node that mounts the same folder sees the file.

    Is it the same node and the same path? `kubectl get pods -o wide`, `kubectl describe pod reader-here`.
    """
    here, node = node_of("writer").name, node_of("reader-here").name
    assert node == here, f"reader-here runs on {node}, the writer on {here}"
    found = content(inside("reader-here"), f"/data/{mark}")
    assert found == mark, f"on {here}, reader-here does not find what the writer has written"


def test_the_same_pod_on_another_node_does_not(mark, node_of, inside):
    """The same Pod on another node does not see it: it has a folder of the same name there, with other content.

    `kubectl get pods -o wide` says who runs where.
    """
    here, there, word = node_of("writer"), node_of("reader-there"), new_word()
    assert there.name != here.name, f"reader-there runs on {there.name}, where the writer is too"
    there.output(f"echo {word} > {FOLDER}/{word}")
    control = content(inside("reader-there"), f"/data/{word}")
    assert control == word, "reader-there does not see anything, not even what lies in the folder of its own node"
    found = content(inside("reader-there"), f"/data/{mark}")
    assert found == ABSENT, f"reader-there, on {there.name}, sees what was written on {here.name}"


def test_it_outlives_its_pod_and_an_emptydir_does_not(make_twin, kubectl, node_of):
    """The folder outlives the Pod, an emptyDir does not: the next Pod on the node finds only the one. (A twin.)

    Volumes in `kubectl describe pod reader-here` says of which kind each is.
    """
    node, word = node_of("reader-here"), new_word()
    make_twin().output(f"echo {word} > /data/{word}; echo {word} > /scratch/{word}")
    delete_twin(kubectl)
    between = content(node, f"{FOLDER}/{word}")
    assert between == word, "the file went with the Pod: the node has nothing of it"
    following = make_twin()
    data, scratch = content(following, f"/data/{word}"), content(following, f"/scratch/{word}")
    following.output(f"rm -f /data/{word}")
    assert data == word, "the next Pod does not find the file"
    assert scratch == ABSENT, "the next Pod finds the file in /scratch too: that is not an emptyDir"


def test_only_root_may_write(mark, inside):
    """kubelet made the folder as root: root writes there, any other user is refused.

    `kubectl exec writer -- ls -ld /data` shows whose it is.
    """
    tried = inside("writer").run(f"su curl_user -c 'touch /data/{mark}-2'")
    assert tried.rc != 0, "curl_user could write into the folder"
    assert "Permission denied" in tried.stderr, f"curl_user could not write for another reason: {tried.stderr.strip()}"


def test_root_reads_what_belongs_to_the_node(kubectl, node_of, inside, pod):
    """A Pod that runs as root with a folder of the node reads even its key, and the API server takes it for the node.

    Pod peek mounts the folder of kubelet's keys. A Pod without such a volume sees nothing of it.
    """
    get_pod(kubectl, "peek")
    node = node_of("peek")
    digest = node.output(f"sha256sum {KEY}").split()[0]
    seen = inside("peek").run(f"sha256sum {KEY}").stdout.split()
    assert seen, "peek does not find it"
    assert seen[0] == digest, "peek has another file of this name"
    assert content(pod, KEY) == ABSENT, "a Pod without such a volume sees it too"
    ask = f"curl -s -m 10 --cert {KEY} --cacert {AUTHORITY} https://$KUBERNETES_SERVICE_HOST/api/v1/namespaces"
    said = inside("peek").output(ask)
    assert f"system:node:{node.name}" in said, f"the API server takes peek for somebody else: {said}"


@pytest.fixture
def guard(kubectl, namespace):
    """Sets the guard of the namespace for a moment."""
    kubectl(f"label namespace {namespace} --overwrite {GUARD}=baseline")
    yield
    kubectl(f"label namespace {namespace} {GUARD}-")


def test_a_guarded_namespace_refuses_such_pods(kubectl, guard, eventually):
    """A namespace can refuse such Pods: at the level baseline nobody may mount a folder of the node.

    The label pod-security.kubernetes.io/enforce of the namespace says which level holds.
    """
    pods = {name: get_pod(kubectl, name)["spec"] for name in ("writer", "peek", "probe")}

    def answer(name):
        try:
            kubectl.create(pod_of(f"{name}-copy", pods[name]), dry_run=True)
        except KubectlError as refusal:
            return str(refusal)
        return "let in"

    for name in ("writer", "peek"):
        said = eventually(lambda name=name: answer(name), lambda text: text != "let in", seconds=5)
        assert said != "let in", f"a Pod like {name} would be let in"
        assert "hostPath volumes" in said, f"{name} is refused for another reason: {said}"
    said = answer("probe")
    assert said == "let in", f"a Pod without such a volume is refused too: {said}"


@pytest.mark.task
def test_your_courier_sees_it_and_cannot_change_it(mark, kubectl, inside):
    """Your Pod courier sees what the writer writes, and can change nothing of it.

    It must come to the writer's node by itself, and its mount must be one for reading.
    """
    get_pod(kubectl, "courier")
    found = content(inside("courier"), f"/data/{mark}")
    assert found == mark, "courier does not find what the writer has written"
    tried = inside("courier").run(f"touch /data/{mark}-3")
    assert tried.rc != 0, "courier could write into the folder"
    said = tried.stderr.strip().splitlines()[0]
    assert "Permission denied" not in said, f"courier is kept from writing only because of its user: {said}"
    assert "Read-only file system" in said, f"courier could not write for another reason: {said}"
