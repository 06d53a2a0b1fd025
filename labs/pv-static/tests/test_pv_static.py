"""Lab pv-static: a volume that an administrator has made, and the claims that want it."""

import secrets

import pytest

CLASS = VOLUME = "kubelab-pv-static"
FOLDER = "/var/local/kubelab-pv-static"
LABEL = "kubelab.dev/pv-static=here"
START = 60
"""Seconds for a Pod to start, on a busy machine too."""
SYNC = 30
"""Seconds in which Kubernetes looks again at claims that wait; it does so every 15."""


def get(kubectl, kind, name):
    """The object as the API server describes it, or a failure that names it."""
    found = [item for item in kubectl.json(f"get {kind}") if item["metadata"]["name"] == name]
    assert found, f"there is no {kind} {name}"
    return found[0]


def phase(kubectl, kind, name):
    return kubectl(f"get {kind} {name} -o jsonpath={{.status.phase}}")


def available(kubectl):
    volumes = [item for item in kubectl.json("get pv") if item["spec"].get("storageClassName") == CLASS]
    return [item["metadata"]["name"] for item in volumes if item["status"].get("phase") == "Available"]


def bound(kubectl, claim, volume):
    """The claim, bound to this volume; or a failure that says what became of it."""
    item = get(kubectl, "pvc", claim)
    found = item["spec"].get("volumeName")
    assert found in (None, volume), f"claim {claim} is bound to {found}, not to {volume}"
    assert item["status"]["phase"] == "Bound", f"claim {claim} is {item['status']['phase']}"
    return item


def like(item, name, **spec):
    """Returns an object like this one: another name, bound to nothing, other words in it."""
    kept = {key: value for key, value in item["spec"].items() if key not in ("claimRef", "volumeName")}
    metadata = {"name": name, "labels": {"kubelab.dev/lab": "pv-static"}}
    return {"apiVersion": "v1", "kind": item["kind"], "metadata": metadata, "spec": {**kept, **spec}}


def content(place, path):
    """What a file says there; a failure when the place cannot be asked."""
    return place.output(f"test -e {path} && cat {path} || echo absent").strip()


def new_word():
    return f"check-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def volume(kubectl):
    return get(kubectl, "pv", VOLUME)


@pytest.fixture(scope="module")
def claim(kubectl, volume, eventually):
    eventually(lambda: phase(kubectl, "pvc", "notes"), lambda seen: seen == "Bound", seconds=SYNC)
    return bound(kubectl, "notes", VOLUME)


@pytest.fixture(scope="module")
def writer(kubectl, claim):
    item = get(kubectl, "pod", "writer")
    assert item["status"]["phase"] == "Running", f"Pod writer does not run: it is {item['status']['phase']}"
    return item


@pytest.fixture(scope="module")
def home(kubectl, nodes):
    """The node that has the label, and the folder."""
    labelled = [item["metadata"]["name"] for item in kubectl.json(f"get nodes --selector {LABEL}")]
    assert len(labelled) == 1, f"nodes with the label {LABEL}: {', '.join(labelled) or 'none'}"
    node = next(node for node in nodes if node.name == labelled[0])
    yield node
    node.run(f"rm -f {FOLDER}/*/check-*")


@pytest.fixture
def twins(kubectl, claim, volume):
    """A volume and a claim like the lab's, in a class of their own; they may be bound and released."""
    name = f"{CLASS}-twin"
    pv, pvc = (like(*one, storageClassName=name) for one in ((volume, name), (claim, "twin")))
    clean = f"delete pvc/twin pv/{name} --ignore-not-found"
    kubectl(clean)
    yield name, pv, pvc
    kubectl(clean)


def test_it_is_available_then_bound_then_released(kubectl, twins, eventually):
    """A volume is Available until a claim is bound to it, and Released when the claim is gone. (Shown with a twin.)

    STATUS in `kubectl get pv`; the claim says in `kubectl describe pvc notes` why it waits.
    """
    name, pv, pvc = twins
    steps = {
        "Available": lambda: kubectl.create(pv),
        "Bound": lambda: kubectl.create(pvc),
        "Released": lambda: kubectl("delete pvc twin"),
    }
    for expected, step in steps.items():
        step()
        seen = eventually(lambda: phase(kubectl, "pv", name), lambda now, want=expected: now == want, seconds=SYNC)
        assert seen == expected, f"it should be {expected} by now, and is {seen}"


def test_the_claim_gets_the_whole_volume(claim, volume):
    """The claim gets the whole volume: it asks for 1Gi, and shows the 2Gi that the volume has.

    CAPACITY in `kubectl get pvc notes` is what it got; what it asks for is in its manifest.
    """
    asked, got = claim["spec"]["resources"]["requests"]["storage"], claim["status"]["capacity"]["storage"]
    assert got == volume["spec"]["capacity"]["storage"], f"the claim shows {got}"
    assert asked != got, f"it asks for {asked}, which is all there is: that shows nothing"


def test_the_volume_alone_brings_the_pod_to_its_node(writer, home):
    """The Pod names only its claim, and yet it comes to the node where the folder is: the volume says which.

    Node Affinity in `kubectl describe pv kubelab-pv-static`; `kubectl get nodes --show-labels`.
    """
    own = [key for key in ("nodeSelector", "affinity") if writer["spec"].get(key)]
    assert not own, f"writer chooses its node itself, by {' and '.join(own)}"
    node = writer["spec"]["nodeName"]
    assert node == home.name, f"writer runs on {node}, the folder of the volume is on {home.name}"


def test_no_wish_takes_it_elsewhere(kubectl, claim, home, eventually):
    """A Pod with the same claim that wants to be on another node stays Pending: its volume cannot follow.

    `kubectl describe pod writer-elsewhere`: the scheduler says for how many nodes which reason holds.
    """
    wanted = "didn't match PersistentVolume's node affinity"

    def look():
        item = get(kubectl, "pod", "writer-elsewhere")
        node = item["spec"].get("nodeName")
        said = [one.get("message", "") for one in item["status"].get("conditions", []) if one["type"] == "PodScheduled"]
        return node, ", ".join(said)

    node, said = eventually(look, lambda seen: seen[0] or wanted in seen[1], seconds=SYNC)
    assert not node, f"writer-elsewhere runs on {node}"
    assert wanted in said, f"it waits for another reason: {said}"


def test_the_content_is_the_same_from_pod_and_node(writer, home, inside):
    """What is put into the folder on the node the Pod reads, and what the Pod writes lies on the node.

    `kubectl describe pv kubelab-pv-static` names the folder.
    """
    given, written = new_word(), new_word()
    home.output(f"echo {given} > {FOLDER}/first/{given}")
    seen = content(inside("writer"), f"/data/{given}")
    assert seen == given, f"a file was put into {FOLDER}/first on {home.name}; the Pod does not find it"
    inside("writer").output(f"echo {written} > /data/{written}")
    seen = content(home, f"{FOLDER}/first/{written}")
    assert seen == written, f"the Pod wrote a file; {home.name} does not have it in {FOLDER}/first"


def test_it_writes_without_being_root(writer, inside):
    """The Pod writes without being root: kubelet has given the folder to the Pod's group, fsGroup.

    `kubectl exec writer -- id` and `kubectl exec writer -- ls -ld /data`.
    """
    user = inside("writer").output("id -u").strip()
    assert user != "0", "writer runs as root"
    path = f"/data/{new_word()}"
    tried = inside("writer").run(f"touch {path} && rm {path}")
    assert tried.rc == 0, f"it cannot write: {tried.stderr.strip()}"


def test_kubelet_mounts_the_volume_for_the_pod(writer, nodes):
    """The claim leads to the volume: on the node, kubelet has mounted the volume of this name for the Pod.

    Volumes in `kubectl describe pod writer`: the type must be PersistentVolumeClaim.
    """
    node = next(node for node in nodes if node.name == writer["spec"]["nodeName"])
    mounts = f"/var/lib/kubelet/pods/{writer['metadata']['uid']}/volumes/kubernetes.io~local-volume"
    seen = node.output(f"grep -o ' {mounts}/[^ ]*' /proc/mounts || echo none").strip()
    assert seen != "none", "kubelet has mounted no volume for writer: it gets its files in another way"
    assert seen == f"{mounts}/{VOLUME}", f"kubelet has mounted another volume: {seen.rpartition('/')[2]}"


def test_one_claim_too_many_stays_pending(kubectl, claim, eventually):
    """A volume belongs to one claim: one claim more than there are volumes stays Pending, and an event says why.

    `kubectl get pv` shows which volume is whose, `kubectl describe pvc NAME` the events of a claim.
    """
    left = eventually(lambda: available(kubectl), lambda names: not names, seconds=SYNC)
    assert not left, f"there is a volume for it: {', '.join(left)} is Available"
    kubectl("delete pvc one-too-many --ignore-not-found")
    uid = kubectl.create(like(claim, "one-too-many"))["metadata"]["uid"]
    about = f"involvedObject.uid={uid},reason=ProvisioningFailed"
    said = eventually(lambda: kubectl.json(f"get events --field-selector {about}"), seconds=SYNC)
    now = phase(kubectl, "pvc", "one-too-many")
    kubectl("delete pvc one-too-many")
    assert now == "Pending", f"the claim is {now}"
    assert said, "no event says why it is Pending"
    assert "no-provisioner" in said[0]["message"], f"it is Pending for another reason: {said[0]['message']}"


@pytest.fixture
def reader(kubectl, eventually, inside):
    """Makes a Pod with the claim late, and looks into its volume."""
    shell = {"name": "shell", "image": "curlimages/curl:7.68.0", "command": ["sleep", "infinity"]}
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "late"}}
    spec = {"containers": [{**shell, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}], "volumes": [volume]}
    clean = "delete pod late-reader --ignore-not-found --grace-period 1"

    def make():
        kubectl.create(like({"kind": "Pod", "spec": spec}, "late-reader"))
        seen = eventually(lambda: phase(kubectl, "pod", "late-reader"), lambda now: now == "Running", seconds=START)
        assert seen == "Running", f"a Pod with the claim late does not start: it is {seen}"
        return inside("late-reader")

    kubectl(clean)
    yield make
    kubectl(clean)


@pytest.mark.task
def test_your_volume_takes_the_second_claim(kubectl, home, inside, reader, eventually):
    """Your volume kubelab-pv-static-second takes the claim late, and its files are those of the folder second.

    Class, size, access mode and node must fit; `kubectl describe pv kubelab-pv-static-second` shows what yours offers.
    """
    yours = f"{VOLUME}-second"
    get(kubectl, "pvc", "late")
    get(kubectl, "pv", yours)
    eventually(lambda: phase(kubectl, "pvc", "late"), lambda seen: seen == "Bound", seconds=SYNC)
    bound(kubectl, "late", yours)
    words = {name: new_word() for name in ("first", "second")}
    for name, word in words.items():
        home.output(f"echo {word} > {FOLDER}/{name}/{word}")
    place = reader()
    assert content(place, f"/data/{words['first']}") == "absent", "it finds what lies in the folder of the first volume"
    assert content(place, f"/data/{words['second']}") == words["second"], "it does not find what lies in folder second"
