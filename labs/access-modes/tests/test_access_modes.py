"""Lab access-modes: who may use a volume at the same time, and who waits."""

import secrets

import pytest

START = 40
"""Seconds for a volume to be made and a Pod to start, on a busy machine too."""
SAY = 15
"""Seconds for the scheduler or the provisioner to say why not."""
SHARERS = ("left", "right", "reader")
"""The Pods of the claim per-node."""
RIVALS = ("first", "second")
"""The Pods of the claim per-pod."""
AS_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which `kubectl apply` keeps what it was given."""


def get_pods(kubectl, names):
    """Those of the named Pods that are there, by name."""
    return {item["metadata"]["name"]: item for item in kubectl.pods() if item["metadata"]["name"] in names}


def is_running(item):
    return item["status"]["phase"] == "Running" and all("running" in c["state"] for c in containers(item))


def containers(item):
    return item["status"].get("containerStatuses", [])


def refusal(item):
    """What the scheduler says of a Pod for which it finds no node; '' when it has said nothing."""
    conditions = {one["type"]: one for one in item["status"].get("conditions", [])}
    scheduled = conditions.get("PodScheduled", {})
    return scheduled.get("message", "") if scheduled.get("status") == "False" else ""


def is_kept_out(item):
    """Whether a Pod waits because another one uses its ReadWriteOncePod claim."""
    return "ReadWriteOncePod" in refusal(item)


@pytest.fixture(scope="module")
def sharers(kubectl):
    found = get_pods(kubectl, SHARERS)
    missing = sorted(set(SHARERS) - {name for name, item in found.items() if is_running(item)})
    assert not missing, f"these Pods do not run in namespace {kubectl.namespace}: {', '.join(missing)}"
    return found


@pytest.fixture
def drop(inside):
    """Lets a Pod write a file that nobody can guess, and returns its name: the word that it holds."""
    written = []

    def write(name):
        word = f"word-{secrets.token_hex(4)}"
        inside(name).output(f"echo {word} > /data/{word}")
        written.append((name, word))
        return word

    yield write
    for name, word in written:
        inside(name).run(f"rm -f /data/{word}")


def reads(place, word):
    """What a Pod reads from the file of that name; '' when it sees none."""
    return place.run(f"cat /data/{word}").stdout.strip()


def test_two_pods_of_one_node_share_a_claim(sharers, drop, inside):
    """Two Pods use one ReadWriteOnce claim at the same time: what one writes, the other reads, both ways.

    `kubectl describe pvc per-node` says who uses it (Used By). Compare claimName of the two Pods.
    """
    for writer, other in (("left", "right"), ("right", "left")):
        word = drop(writer)
        seen = reads(inside(other), word)
        assert seen == word, f"{writer} wrote {word}, {other} read {seen or 'nothing'}"


def test_the_volume_lies_on_one_node(kubectl, sharers, drop, nodes):
    """The Pods of the claim run on one node, and it is the one on whose disk their files lie.

    `kubectl get pods -o wide` shows the nodes, `kubectl describe pv` the Node Affinity of the volumes.
    """
    places = {name: item["spec"]["nodeName"] for name, item in sharers.items()}
    assert len(set(places.values())) == 1, f"they are not on one node: {places}"
    word = drop("left")
    volume = kubectl.json(f"get pv {kubectl.json('get pvc per-node')['spec']['volumeName']}")["spec"]
    path = (volume.get("hostPath") or volume["local"])["path"]
    having = [node.name for node in nodes if node.run(f"test -e {path}/{word}").rc == 0]
    assert having == [places["left"]], f"{word} lies on {having or 'no node'}, its Pods run on {places['left']}"


def test_on_another_node_a_pod_waits_in_vain(kubectl, sharers, eventually):
    """A Pod of the same claim that must not be on this node stays Pending: the volume is not there.

    `kubectl describe pod remote` has the reason in its events.
    """
    assert get_pods(kubectl, ["remote"]), f"there is no Pod remote in namespace {kubectl.namespace}"
    seen = eventually(
        lambda: get_pods(kubectl, ["remote"])["remote"], lambda item: refusal(item) or is_running(item), seconds=SAY
    )
    assert not is_running(seen), f"remote is not waiting: it runs on {seen['spec']['nodeName']}"
    assert "PersistentVolume's node affinity" in refusal(seen), f"it waits for another reason: {refusal(seen)}"


def test_a_read_only_mount_cannot_write(sharers, drop, inside):
    """The Pod reader sees every file at once, but cannot write, while its neighbours can.

    `kubectl describe pod reader` lists its Mounts: (ro) is read-only, (rw) is not.
    """
    word = drop("left")
    seen = reads(inside("reader"), word)
    assert seen == word, f"left wrote {word}, reader read {seen or 'nothing'}"
    done = inside("reader").run(f"echo scribble >> /data/{word}")
    assert done.rc, f"the reader has written: {', '.join(reads(inside('left'), word).split())}"
    assert "Read-only file system" in done.stderr, f"it fails for another reason: {done.stderr.strip()}"


@pytest.fixture
def rivals(kubectl, eventually):
    """The Pod that uses the claim per-pod, and the one that waits."""
    missing = sorted(set(RIVALS) - set(get_pods(kubectl, RIVALS)))
    assert not missing, f"there is no Pod {', '.join(missing)} in namespace {kubectl.namespace}"
    seen = eventually(lambda: get_pods(kubectl, RIVALS), lambda found: settled(found.values()), seconds=START)
    running = [item for item in seen.values() if is_running(item)]
    assert len(running) < len(RIVALS), f"both run: {', '.join(seen)}"
    assert running, f"neither runs: {', '.join(refusal(item) or item['status']['phase'] for item in seen.values())}"
    [waiting] = [item for item in seen.values() if item not in running]
    assert is_kept_out(waiting), f"{waiting['metadata']['name']} waits for another reason: {refusal(waiting)}"
    return running[0], waiting


def settled(items):
    """Whether of two Pods one runs, and the other one runs too or is kept out."""
    running = [is_running(item) for item in items]
    return any(running) and all(is_running(item) or is_kept_out(item) for item in items)


def test_a_second_pod_of_an_exclusive_claim_waits(rivals):
    """Of two Pods with one ReadWriteOncePod claim one runs; the other stays Pending and says why.

    `kubectl get pvc per-pod`: ACCESS MODES says RWOP. `kubectl describe pod second` shows the reason.
    """
    waiting = rivals[1]
    assert "nodeName" not in waiting["spec"], f"it has a node: {waiting['spec']['nodeName']}"


@pytest.fixture
def bring_back(kubectl, tmp_path):
    """Makes a deleted Pod again as it was: it comes last now, and waits."""
    gone = []
    yield gone.append
    for item in gone:
        path = tmp_path / "pod.json"
        path.write_text(item["metadata"]["annotations"][AS_APPLIED])
        kubectl(f"delete pod {item['metadata']['name']} --ignore-not-found --grace-period 1")
        kubectl(f"apply --filename {path}")


def test_when_one_goes_the_other_gets_in(kubectl, rivals, bring_back, inside, eventually):
    """When the Pod that uses the ReadWriteOncePod claim is deleted, the waiting one starts, and finds its file.

    Delete the one that runs and watch `kubectl get pods`. The file is there because the claim stays.
    """
    running, waiting = (item["metadata"]["name"] for item in rivals)
    word = f"word-{secrets.token_hex(4)}"
    inside(running).output(f"echo {word} > /data/word")
    bring_back(rivals[0])
    kubectl(f"delete pod {running} --grace-period 1")
    seen = eventually(lambda: get_pods(kubectl, [waiting])[waiting], is_running, seconds=START)
    assert is_running(seen), f"{running} is gone, and {waiting} still waits: {refusal(seen)}"
    found = reads(inside(waiting), "word")
    assert found == word, f"{running} wrote {word}, {waiting} read {found or 'nothing'}"


def test_many_nodes_at_once_is_refused(kubectl, eventually):
    """A claim for ReadWriteMany stays Pending here, and its event says which modes can be had.

    `kubectl describe pvc for-all` shows the event. Other provisioners, for example for NFS, can do it.
    """
    claim = kubectl.json("get pvc for-all")
    about = f"involvedObject.uid={claim['metadata']['uid']},reason=ProvisioningFailed"
    seen = eventually(
        lambda: (kubectl.json("get pvc for-all")["status"]["phase"], said(kubectl, about)),
        lambda found: found[0] == "Bound" or found[1],
        seconds=START,
    )
    assert seen[0] == "Pending", f"the claim is {seen[0]}: this mode can be had"
    assert "only supports ReadWriteOnce" in seen[1], f"it is not refused for its mode: {seen[1] or 'no event says why'}"


def said(kubectl, about):
    return " ".join(event["message"] for event in kubectl.json(f"get events --field-selector {about}"))


@pytest.fixture
def intruder(kubectl):
    """Lets a second Pod ask for the learner's claim."""
    volume = {"name": "diary", "persistentVolumeClaim": {"claimName": "diary"}}
    image = "curlimages/curl:7.68.0"
    mounts = [{"name": "diary", "mountPath": "/diary"}]
    container = {"name": "shell", "image": image, "command": ["sleep", "infinity"], "volumeMounts": mounts}
    spec = {"terminationGracePeriodSeconds": 1, "volumes": [volume], "containers": [container]}
    metadata = {"name": "intruder", "annotations": {"kubelab.dev/never-ready": "true"}}

    def send():
        kubectl("delete pod intruder --ignore-not-found --grace-period 1")
        kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    yield send
    kubectl("delete pod intruder --ignore-not-found --grace-period 1 --wait=false")


@pytest.mark.task
def test_your_diary_is_for_one_author(kubectl, intruder, eventually):
    """Your Pod author uses your claim diary, and no second Pod gets in. (One is sent, and taken away again.)

    One of the access modes counts Pods instead of nodes.
    """
    author = get_pods(kubectl, ["author"]).get("author")
    assert author, f"there is no Pod author in namespace {kubectl.namespace}"
    kubectl("get pvc diary")
    author = eventually(lambda: get_pods(kubectl, ["author"])["author"], is_running, seconds=START)
    assert is_running(author), f"author does not run: {refusal(author) or author['status']['phase']}"
    intruder()
    seen = eventually(
        lambda: get_pods(kubectl, ["intruder"])["intruder"],
        lambda item: refusal(item) or "nodeName" in item["spec"],
        seconds=SAY,
    )
    assert "nodeName" not in seen["spec"], f"a second Pod got in, on {seen['spec']['nodeName']}"
    assert is_kept_out(seen), f"the second Pod waits for another reason: {refusal(seen)}"
