"""Lab pvc: what a claim gets and when, where the data lies, and how long it stays."""

import json
import secrets

import pytest

START = 90
"""Seconds for a volume to be made and a Pod to start, on a busy machine too: one Pod runs before the other can."""
EVENT = 20
"""Seconds for somebody to say what is the matter."""
DEFAULT = "storageclass.kubernetes.io/is-default-class"


def find(kubectl, kind, name):
    """The object, or None."""
    return next((item for item in kubectl.json(f"get {kind}") if item["metadata"]["name"] == name), None)


def get_claim(kubectl, name):
    claim = find(kubectl, "pvc", name)
    assert claim, f"there is no claim {name} in namespace {kubectl.namespace}"
    return claim


def events_of(kubectl, item):
    """What was said last about this very object, not about one of the same name before it: messages by reason."""
    found = kubectl.json(f"get events --field-selector involvedObject.uid={item['metadata']['uid']}")
    found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
    return {event["reason"]: event["message"] for event in found}


def volume_of(kubectl, name):
    """The PersistentVolume that a claim is bound to."""
    claim = get_claim(kubectl, name)
    phase, said = claim["status"]["phase"], "; ".join(events_of(kubectl, claim).values())
    assert phase == "Bound", f"claim {name} is {phase}: {said or 'nobody said why'}"
    return kubectl.json(f"get pv {claim['spec']['volumeName']}")


def runs(item):
    return item["status"]["phase"] == "Running"


def node_of(kubectl, name, eventually=lambda look, *_, **__: look()):
    """The node on which a Pod runs; waits for it where `eventually` is given."""
    item = eventually(lambda: find(kubectl, "pods", name), runs, seconds=START)
    assert item, f"there is no Pod {name} in namespace {kubectl.namespace}"
    assert runs(item), f"Pod {name} is {item['status']['phase']}"
    return item["spec"]["nodeName"]


def document(kind, name, spec):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def like_writer(kubectl, name, claim="diary", **spec):
    """A Pod like writer, placed anew, perhaps with another claim."""
    own = json.dumps(kubectl.json("get pod writer")["spec"]).replace('"claimName": "diary"', f'"claimName": "{claim}"')
    kept = {key: value for key, value in json.loads(own).items() if key != "nodeName"}
    return document("Pod", name, {**kept, **spec})


def write(inside, name, folder):
    """Writes a word that nobody can guess into a file of its own; returns the file and the word."""
    file, word = f"check-{secrets.token_hex(4)}", secrets.token_hex(8)
    inside(name).output(f"echo {word} > {folder}/{file}")
    return file, word


def read_on(node, volume, file):
    """What a node has in the folder of the volume: the content of a file, or `missing`."""
    path = f"{volume['spec'].get('hostPath', volume['spec'].get('local'))['path']}/{file}"
    return node.output(f"if [ -e {path} ]; then cat {path}; else echo missing; fi").strip()


@pytest.fixture(scope="module")
def diary(kubectl):
    return volume_of(kubectl, "diary")


@pytest.fixture(scope="module")
def home(kubectl, diary):
    return node_of(kubectl, "writer")


@pytest.fixture(scope="module")
def make(kubectl):
    """Makes an object, in place of one that an earlier run may have left; takes it away in the end."""
    made = []

    def make_one(content):
        name = f"{content['kind']}/{content['metadata']['name']}"
        kubectl(f"delete {name} --ignore-not-found --grace-period 1")
        made.append(name)
        return kubectl.create(content)

    yield make_one
    for name in reversed(made):
        kubectl(f"delete {name} --ignore-not-found --grace-period 1 --wait=false")


@pytest.fixture(scope="module")
def twin(kubectl, make, eventually):
    """A claim like diary, and what was seen of it before a Pod like writer was made to use it."""
    spec = {key: value for key, value in get_claim(kubectl, "diary")["spec"].items() if key != "volumeName"}
    kubectl("delete pod/writer-twin pvc/diary-twin --ignore-not-found --grace-period 1")
    claim = make(document("PersistentVolumeClaim", "diary-twin", spec))
    said = eventually(lambda: events_of(kubectl, claim), seconds=EVENT)
    seen = get_claim(kubectl, "diary-twin")
    make(like_writer(kubectl, "writer-twin", claim="diary-twin"))
    return seen, said


@pytest.fixture(scope="module")
def twin_volume(kubectl, home, twin, eventually):
    """The volume that the twin has got once its Pod runs."""
    node_of(kubectl, "writer-twin", eventually)
    return volume_of(kubectl, "diary-twin")


def test_without_a_class_a_claim_gets_the_default_one(kubectl):
    """One StorageClass is the default, and a claim that names none gets it.

    `kubectl get storageclass` marks it (default). `kubectl describe pvc diary` shows which one the claim has.
    """
    got = get_claim(kubectl, "diary")["spec"]["storageClassName"]
    classes = [one["metadata"] for one in kubectl.json("get storageclasses")]
    defaults = [one["name"] for one in classes if one.get("annotations", {}).get(DEFAULT) == "true"]
    assert len(defaults) == 1, f"the default classes are: {', '.join(defaults) or 'none'}"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    nameless = kubectl.create(document("PersistentVolumeClaim", "nameless", spec), dry_run=True)
    given = nameless["spec"]["storageClassName"]
    assert given == defaults[0], f"a claim without a class is given {given}"
    assert got == given, f"claim diary is of class {got}, the default is {given}"


def test_a_claim_waits_for_its_first_pod(twin):
    """As long as no Pod uses it, a claim is Pending and has no volume; an event says so. (Shown with a twin.)

    `kubectl get pvc` and `kubectl describe pvc NAME`. VOLUMEBINDINGMODE in `kubectl get storageclass` decides it.
    """
    claim, said = twin
    assert "WaitForFirstConsumer" in said, f"what was said about it: {'; '.join(said.values()) or 'nothing'}"
    assert claim["status"]["phase"] == "Pending", f"it is {claim['status']['phase']}"
    assert "volumeName" not in claim["spec"], "it has a volume already"


def test_what_is_written_lies_in_a_folder_of_the_node(diary, home, inside, nodes):
    """What the Pod writes lies in a folder of its node, with the same content, and on no other node.

    `kubectl describe pv` shows the folder as Path. Does the Pod mount the claim? See Volumes in `kubectl describe pod`.
    """
    file, word = write(inside, "writer", "/diary")
    seen = {node.name: read_on(node, diary, file) for node in nodes}
    inside("writer").output(f"rm /diary/{file}")
    assert seen[home] == word, f"what the Pod wrote is not in the folder on {home}: {seen[home]}"
    also = [name for name, text in seen.items() if name != home and text != "missing"]
    assert not also, f"it is on {', '.join(also)} too"


def test_the_data_outlives_the_pod(kubectl, home, inside, make, eventually):
    """A Pod is deleted; the next one that uses the claim reads what it wrote, and runs on the same node.

    An emptyDir goes with its Pod. `kubectl describe pod writer` names the claim under Volumes.
    """

    def next_pod():
        return make(like_writer(kubectl, "next"))["metadata"]["uid"], node_of(kubectl, "next", eventually)

    (first, node), (file, word) = next_pod(), write(inside, "next", "/diary")
    second, again = next_pod()
    assert second != first, "it is still the same Pod"
    read = inside("next").run(f"cat /diary/{file} && rm /diary/{file}").stdout.strip()
    assert read == word, f"what the deleted Pod wrote is lost: the next one reads {read or 'nothing'}"
    assert {node, again} == {home}, f"the Pods ran on {node} and {again}, the first one runs on {home}"


def test_the_pod_has_to_follow_its_volume(kubectl, home, make, eventually):
    """The volume stays on its node: a Pod that uses the claim and wants another node is not placed at all.

    `kubectl describe pv` shows Node Affinity, `kubectl describe pod` what the scheduler said.
    """
    workers = kubectl.json("get nodes --selector !node-role.kubernetes.io/control-plane")
    other = next(name for name in (one["metadata"]["name"] for one in workers) if name != home)
    make(like_writer(kubectl, "elsewhere", nodeSelector={"kubernetes.io/hostname": other}))
    command = """get pod elsewhere --output 'jsonpath={.status.conditions[?(@.type=="PodScheduled")]}'"""
    seen = json.loads(eventually(lambda: kubectl(command), seconds=EVENT) or "{}")
    assert seen.get("status") == "False", f"it runs on {other}, and the volume should be on {home}"
    assert "PersistentVolume's node affinity" in seen["message"], f"it is refused for another reason: {seen['message']}"


def test_a_claim_for_many_nodes_is_refused(kubectl, eventually):
    """A claim ReadWriteMany stays Pending, and an event says that such a volume can be used by one node only.

    `kubectl describe pvc shared`: the API server takes every access mode, what makes the volumes may not have it.
    """
    claim = get_claim(kubectl, "shared")
    assert claim["status"]["phase"] == "Pending", f"claim shared is {claim['status']['phase']}"
    wanted, look = "only supports ReadWriteOnce", lambda: events_of(kubectl, claim).get("ProvisioningFailed", "nothing")
    said = eventually(look, lambda text: wanted in text, seconds=EVENT)
    assert wanted in said, f"what was said about it: {said}"


def test_a_pod_brings_the_volume(kubectl, diary, twin_volume, eventually):
    """Once a Pod uses the claim, a PersistentVolume is made for it, by a helper Pod on the same node. (A twin.)

    `kubectl get events -n local-path-storage` shows the helper Pods, `kubectl describe pv` who made a volume.
    """
    for name, volume in (("diary", diary["metadata"]), ("diary-twin", twin_volume["metadata"])):
        made = "pv.kubernetes.io/provisioned-by" in volume.get("annotations", {})
        assert made, f"the volume of claim {name} was made by hand: {volume['name']}"
    helper = f"helper-pod-create-{twin_volume['metadata']['name']}"
    command = f"get events -n local-path-storage --field-selector involvedObject.name={helper}"
    hosts = {event["source"]["host"] for event in eventually(lambda: kubectl.json(command), seconds=EVENT)}
    node = node_of(kubectl, "writer-twin")
    assert hosts == {node}, f"the Pod is on {node}, its volume was made on {', '.join(hosts) or 'no node'}"


def test_a_claim_in_use_stays_until_its_pod_goes(kubectl, twin_volume, inside, eventually):
    """A claim that is deleted stays while a Pod uses it: the Pod can read on. It goes when the Pod has gone. (A twin.)

    Meanwhile `kubectl get pvc` calls it Terminating, and `kubectl describe pvc` names who uses it: Used By.
    """
    file, word = write(inside, "writer-twin", "/diary")
    kubectl("delete pvc diary-twin --wait=false")
    there = eventually(lambda: find(kubectl, "pvc", "diary-twin"), lambda seen: seen is None, seconds=2)
    assert there, "the claim has gone although a Pod uses it"
    read = inside("writer-twin").run(f"cat /diary/{file}").stdout.strip()
    assert read == word, f"the Pod wrote {word} and now reads {read or 'nothing'}"
    kubectl("delete pod writer-twin --grace-period 1")
    there = eventually(lambda: find(kubectl, "pvc", "diary-twin"), lambda seen: seen is None, seconds=START)
    assert not there, "the Pod has gone and the claim is still there"


@pytest.mark.task
def test_your_camera_fills_your_album(kubectl, inside, nodes):
    """Your claim album has a volume of 20Mi, and what your Pod camera writes to /album lies in it.

    `kubectl describe pvc album`: Used By must name camera. The Pod says at mountPath where it sees the volume.
    """
    volume, home = volume_of(kubectl, "album"), node_of(kubectl, "camera")
    size = volume["spec"]["capacity"]["storage"]
    assert size == "20Mi", f"the volume of claim album has {size}"
    file, word = write(inside, "camera", "/album")
    seen = next(read_on(node, volume, file) for node in nodes if node.name == home)
    inside("camera").output(f"rm /album/{file}")
    assert seen == word, f"what camera wrote is not in the folder of the volume on {home}: {seen}"
