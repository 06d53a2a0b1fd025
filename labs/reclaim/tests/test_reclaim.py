"""Lab reclaim: what becomes of a volume and its data when the claim goes."""

import json
import re
import secrets
from pathlib import Path

import pytest

START = 90
"""Seconds for three volumes to be made or taken away, on a busy machine too: a helper Pod runs for each."""
BIND = 60
"""Seconds for a claim to find its volume: Kubernetes looks at those that wait every 15 s."""
CLAIMS = ("gone", "kept", "saved")
AGAIN = Path(__file__).parents[1] / "lesson" / "again.yml"


def find(kubectl, kind, name):
    """The object, or None."""
    return next((item for item in kubectl.json(f"get {kind}") if item["metadata"]["name"] == name), None)


def get(kubectl, kind, name):
    item = find(kubectl, kind, name)
    assert item, f"there is no {kind} {name} in namespace {kubectl.namespace}"
    return item


def events_of(kubectl, item):
    """What was said about this very object, not about one of the same name before it."""
    found = kubectl.json(f"get events --field-selector involvedObject.uid={item['metadata']['uid']}")
    return "; ".join(event["message"] for event in found)


def running(kubectl, name, eventually):
    """Waits for a Pod; returns its node."""
    seen = eventually(
        lambda: get(kubectl, "pod", name), lambda item: item["status"]["phase"] == "Running", seconds=START
    )
    assert seen["status"]["phase"] == "Running", f"Pod {name} is {seen['status']['phase']}: {events_of(kubectl, seen)}"
    return seen["spec"]["nodeName"]


def set_policy(kubectl, name, policy):
    kubectl(f"""patch pv {name} --patch '{{"spec": {{"persistentVolumeReclaimPolicy": "{policy}"}}}}'""")


def remove(kubectl, *names):
    """Takes twins away, and lets their volumes go: also what an earlier run has left."""
    for item in kubectl.json("get pv"):
        kept = item["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
        if kept and re.search(rf"_{kubectl.namespace}_\w+-twin$", path_of(item)):
            set_policy(kubectl, item["metadata"]["name"], "Delete")
    kubectl(f"delete {' '.join(names)} --ignore-not-found --grace-period 1", seconds=START)


def path_of(volume):
    """The folder of the node that the volume is. It bears the name of the first claim."""
    return volume["spec"].get("hostPath", {}).get("path", "")


@pytest.fixture(scope="module")
def create(kubectl, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "objects.yml"

    def create_from(text):
        path.write_text(text)
        kubectl(f"create --filename {path}")

    return create_from


@pytest.fixture(scope="module")
def before(kubectl, create, inside, eventually):
    """Claims and a Pod like the given ones, that may be deleted; in each volume a word that nobody can guess."""
    twins = [f"pvc/{name}-twin" for name in CLAIMS]
    objects = [get(kubectl, "pvc", name) for name in CLAIMS] + [get(kubectl, "pod", "writer")]
    remove(kubectl, "pod/writer-twin", "pod/reader-twin", *twins, "pvc/again-twin")
    for item in objects:
        item["metadata"] = {"name": f"{item['metadata']['name']}-twin"}
        item["spec"] = {key: value for key, value in item["spec"].items() if key not in ("volumeName", "nodeName")}
        item.pop("status")
    create("\n---\n".join(re.sub(r'("claimName": "\w+)"', r'\1-twin"', json.dumps(item)) for item in objects))
    home = running(kubectl, "writer-twin", eventually)
    words = {name: secrets.token_hex(8) for name in CLAIMS}
    inside("writer-twin").output("; ".join(f"echo {word} > /{name}/page" for name, word in words.items()))
    claims = {name: get(kubectl, "pvc", f"{name}-twin") for name in CLAIMS}
    volumes = {name: find(kubectl, "pv", claim["spec"].get("volumeName")) for name, claim in claims.items()}
    said = {name: f"{claim['status']['phase']}: {events_of(kubectl, claim)}" for name, claim in claims.items()}
    yield {"home": home, "words": words, "volumes": volumes, "said": said}
    remove(kubectl, "pod/writer-twin", "pod/reader-twin", *twins, "pvc/again-twin")


@pytest.fixture(scope="module")
def after(kubectl, before, nodes, eventually):
    """Pod and claims are deleted, after one volume was saved. Looks at what has become of the volume of a claim."""
    if before["volumes"]["saved"]:
        set_policy(kubectl, before["volumes"]["saved"]["metadata"]["name"], "Retain")
    kubectl("delete pod writer-twin --grace-period 1")
    kubectl(f"delete pvc {' '.join(f'{name}-twin' for name in CLAIMS)}")
    home = next(node for node in nodes if node.name == before["home"])

    def look(name):
        """The volume now, None if it has gone; what lies in its folder; the name it has or had."""
        volume = before["volumes"][name]
        assert volume, f"claim {name}-twin is {before['said'][name]}"
        known = volume["metadata"]["name"]
        now = eventually(lambda: find(kubectl, "pv", known), at_rest, seconds=START)
        page = f"{path_of(volume)}/page"
        return now, home.output(f"if [ -e {page} ]; then cat {page}; else echo no page; fi").strip(), known

    return look


def at_rest(volume):
    """Nobody will touch it any more."""
    if volume is None:
        return True
    return volume["status"]["phase"] == "Released" and volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


@pytest.fixture(scope="module")
def released(after):
    """The name of the volume that was kept."""
    now, _, name = after("kept")
    assert now, "the volume of claim kept is gone"
    return name


@pytest.fixture(scope="module")
def again(kubectl, create, released, eventually):
    """A new claim for the kept volume, with a Pod that wants to read it. Returns what was said when it was made."""
    text = AGAIN.read_text().replace("VOLUME", released)
    create(re.sub(r"\b(again|reader)$", r"\1-twin", text, flags=re.MULTILINE))
    claim = get(kubectl, "pvc", "again-twin")
    said = eventually(lambda: events_of(kubectl, claim), seconds=BIND)
    return f"{get(kubectl, 'pvc', 'again-twin')['status']['phase']}: {said}"


def test_with_delete_volume_and_folder_go(after):
    """With Delete the volume goes with its claim: the PersistentVolume, and the folder on the node. (Shown with twins.)

    RECLAIM POLICY in `kubectl get pv` says what becomes of a volume. The class gives it, when the volume is made.
    """
    now, page, _ = after("gone")
    assert now is None, f"the volume of claim gone is still there: {now['status']['phase']}"
    assert page == "no page", f"the volume has gone, but its page is still on the node: {page}"


def test_with_retain_volume_and_data_stay(before, after):
    """With Retain the volume is Released when its claim goes, and what was written still lies on the node. (Twins.)

    `kubectl get storageclass reclaim-keep` shows the policy that its volumes are given.
    """
    now, page, _ = after("kept")
    assert now, "the volume of claim kept is gone"
    assert now["status"]["phase"] == "Released", f"the volume is {now['status']['phase']}"
    assert page == before["words"]["kept"], f"the Pod wrote {before['words']['kept']}, on the node is: {page}"


def test_a_volume_can_be_saved_by_hand(before, after):
    """What counts is the policy of the volume itself: changed to Retain in time, it stays, whatever its class. (Twins.)

    `kubectl patch pv NAME -p '{"spec": {"persistentVolumeReclaimPolicy": "Retain"}}'`, while the claim is there.
    """
    now, page, _ = after("saved")
    assert now, "the volume of claim saved is gone"
    assert now["status"]["phase"] == "Released", f"the volume is {now['status']['phase']}"
    assert page == before["words"]["saved"], f"the Pod wrote {before['words']['saved']}, on the node is: {page}"


def test_a_released_volume_takes_no_new_claim(again):
    """A Released volume takes no new claim: one that names it stays Pending, and an event says why. (Twins.)

    `kubectl describe pvc again`, and Claim in `kubectl describe pv`: the volume still remembers the old one.
    """
    assert "already bound to a different claim" in again, f"claim again-twin is {again}"
    assert again.startswith("Pending"), f"claim again-twin is {again}"


def test_a_freed_volume_shows_its_old_data(kubectl, before, released, again, inside, eventually):
    """Once the volume forgets its old claim it takes the new one, and a Pod reads what the first has written. (Twins.)

    `kubectl patch pv NAME --type json -p '[{"op": "remove", "path": "/spec/claimRef"}]'` makes it forget.
    """
    kubectl(f"""patch pv {released} --type json --patch '[{{"op": "remove", "path": "/spec/claimRef"}}]'""")
    phase = eventually(
        lambda: get(kubectl, "pvc", "again-twin")["status"]["phase"], lambda seen: seen == "Bound", seconds=BIND
    )
    assert phase == "Bound", f"claim again-twin is {phase}"
    running(kubectl, "reader-twin", eventually)
    read = inside("reader-twin").run("cat /old/page").stdout.strip()
    assert read == before["words"]["kept"], f"the first Pod wrote {before['words']['kept']}, this one reads {read}"


def test_a_kept_volume_can_be_let_go(kubectl, after, eventually):
    """Changed back to Delete, a Released volume goes at once, and its folder too. (Twins.)

    `kubectl patch pv` again, with "Delete". Without a provisioner nobody would remove the folder.
    """
    _, _, name = after("saved")
    set_policy(kubectl, name, "Delete")
    left = eventually(lambda: find(kubectl, "pv", name), lambda seen: seen is None, seconds=START)
    assert left is None, f"the volume is still there: {left['status']['phase']}"
    _, page, _ = after("saved")
    assert page == "no page", f"the volume has gone, but its page is still on the node: {page}"
