"""Lab emptydir: what is lost with a container, and what with its Pod."""

import secrets

import pytest

START = 60
"""Seconds for a Pod or a container to start, or for a folder to go, on a busy machine too."""
ABSENT = "absent"
LIMIT = 10
"""Mebibytes that the learner's folder may hold."""


def find_pod(kubectl, name):
    """The Pod as the API server describes it, or a failure that names it."""
    found = [item for item in kubectl.pods() if item["metadata"]["name"] == name]
    assert found, f"there is no Pod {name} in namespace {kubectl.namespace}"
    return found[0]


def state(item):
    """What is known of the Pod's only container; nothing at first."""
    return next(iter(item["status"].get("containerStatuses", [])), {"restartCount": 0, "state": {}})


def running(item):
    return "running" in state(item)["state"]


def running_pod(kubectl, name):
    item = find_pod(kubectl, name)
    assert running(item), f"Pod {name} does not run: it is {item['status']['phase']}"
    return item


def content(place, path):
    """What a file says there; ABSENT when there is none, a failure when the place cannot be asked."""
    return place.output(f"test -e {path} && cat {path} || echo {ABSENT}").strip()


def folder_of(item):
    """Where kubelet keeps the volume named paper of this very Pod."""
    return f"/var/lib/kubelet/pods/{item['metadata']['uid']}/volumes/kubernetes.io~empty-dir/paper"


def new_word():
    return f"check-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def desk(kubectl):
    return running_pod(kubectl, "desk")


@pytest.fixture(scope="module")
def home(desk, nodes):
    """The node of desk and of its twin, as a place from which one can look."""
    return next(node for node in nodes if node.name == desk["spec"]["nodeName"])


@pytest.fixture
def mark(desk, inside):
    """A word that nobody can guess, written in desk into a file of this name."""
    word, place = new_word(), inside("desk")
    place.output(f"echo {word} > /paper/{word}")
    yield word
    place.run(f"rm -f /paper/{word}")


@pytest.fixture(scope="module")
def make_twin(kubectl, desk, eventually):
    """Makes a Pod like desk, on the same node, that may be broken and deleted."""
    metadata = {"name": "desk-twin", "labels": {"run": "desk-twin"}}

    def make():
        kubectl("delete pod desk-twin --ignore-not-found --grace-period 1")
        kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": desk["spec"]})
        seen = eventually(lambda: find_pod(kubectl, "desk-twin"), running, seconds=START)
        assert running(seen), f"a Pod like desk does not start: it is {seen['status']['phase']}"
        return seen

    yield make
    kubectl("delete pod desk-twin --ignore-not-found --grace-period 1 --wait=false")


@pytest.fixture(scope="module")
def twin(make_twin, inside, home):
    """The twin as it begins, a word written to both of its folders, and what its node has of that."""
    item, word = make_twin(), new_word()
    inside("desk-twin").output(f"for folder in /tmp /paper; do echo {word} > $folder/{word}; done")
    return item, word, content(home, f"{folder_of(item)}/{word}")


@pytest.fixture(scope="module")
def restarted(kubectl, twin, inside, eventually):
    """The twin after its process was killed and its container started again."""
    inside("desk-twin").run("killall sleep")  # which may be ended together with the container, and then says 137

    def over(item):
        again = state(item)["restartCount"] > 0 and running(item)
        return again or item["status"]["phase"] in ("Succeeded", "Failed")

    seen = eventually(lambda: find_pod(kubectl, "desk-twin"), over, seconds=START)
    assert running(seen), f"the container did not start again: the Pod is {seen['status']['phase']}"
    return seen


@pytest.fixture(scope="module")
def anew(make_twin, twin):
    """The twin, deleted and made anew."""
    item = make_twin()
    assert item["metadata"]["uid"] != twin[0]["metadata"]["uid"], "it is still the same Pod"
    return item


def test_the_process_ends_and_the_pod_stays(twin, restarted):
    """When its process ends, a Pod gets a new container; it is still the same Pod, same address. (Shown with a twin.)

    The column RESTARTS counts: `kubectl get pod desk`. restartPolicy says whether it is started again.
    """
    before = twin[0]
    assert state(restarted)["restartCount"] == 1, f"it was started again {state(restarted)['restartCount']} times"
    assert state(restarted)["containerID"] != state(before)["containerID"], "it is still the same container"
    assert restarted["metadata"]["uid"] == before["metadata"]["uid"], "it is another Pod now"
    assert restarted["status"]["podIP"] == before["status"]["podIP"], "the Pod has another address now"


def test_its_own_files_are_lost_with_the_container(twin, restarted, inside):
    """What a container writes to a folder of its own is lost when the container starts again. (A twin.)

    Mounts in `kubectl describe pod desk` says which folders are not its own.
    """
    found = content(inside("desk-twin"), f"/tmp/{twin[1]}")
    assert found == ABSENT, f"the file in /tmp is still there: {found}"


def test_the_volume_outlives_the_container(twin, restarted, inside):
    """What it writes to the emptyDir is there for the next container of the Pod. (A twin.)

    `kubectl describe pod desk`: Mounts must name /paper, and Volumes say what that is.
    """
    found = content(inside("desk-twin"), f"/paper/{twin[1]}")
    assert found == twin[1], f"the file in /paper is lost: {found}"


def test_it_is_a_folder_of_its_node(mark, desk, home, nodes, inside):
    """The emptyDir is a folder of the node on which the Pod runs, and of no other: what the Pod writes lies there.

    kubelet keeps it under the Pod's uid in /var/lib/kubelet/pods. `kubectl get pod desk -o wide` names the node.
    """
    path, word = folder_of(desk), new_word()
    found = content(home, f"{path}/{mark}")
    assert found == mark, f"{home.name} has no such file in {path}"
    home.output(f"echo {word} > {path}/{word}")
    seen = content(inside("desk"), f"/paper/{word}")
    home.output(f"rm {path}/{word}")
    assert seen == word, "the Pod does not see what was put there on the node"
    also = [node.name for node in nodes if node.name != home.name and content(node, path) != ABSENT]
    assert not also, f"the folder is on another node too: {', '.join(also)}"


def test_the_folder_goes_with_the_pod(kubectl, twin, home, eventually):
    """When the Pod is deleted, its folder on the node is removed with all that is in it. (A twin.)

    Only an emptyDir does: look at Volumes in `kubectl describe pod desk`.
    """
    item, word, before = twin
    path = folder_of(item)
    assert before == word, f"it was not there before: {home.name} has no such file in {path}"
    kubectl("delete pod desk-twin --ignore-not-found --grace-period 1")
    left = eventually(
        lambda: home.output(f"ls {path} 2>&1 || echo {ABSENT}"), lambda seen: ABSENT in seen, seconds=START
    )
    assert ABSENT in left, f"the Pod is deleted, and the folder on {home.name} holds: {', '.join(left.split())}"


def test_the_same_pod_made_anew_begins_empty(anew, inside):
    """The same Pod, made anew on the same node, begins with an empty folder. (A twin.)

    A folder that outlives its Pod is not an emptyDir: look at Volumes in `kubectl describe pod desk`.
    """
    found = inside("desk-twin").output("ls -A /paper").split()
    assert not found, f"what the deleted Pod wrote is still there: {', '.join(found)}"


def test_each_pod_has_its_own(mark, anew, inside):
    """Two Pods with the same manifest on the same node share nothing: each has an emptyDir of its own. (A twin.)

    The folder lies under the Pod's uid, and each Pod has another: `kubectl get pod desk -o yaml`.
    """
    assert content(inside("desk"), f"/paper/{mark}") == mark, "desk does not find what it wrote itself"
    found = content(inside("desk-twin"), f"/paper/{mark}")
    assert found == ABSENT, "the twin sees what was written in Pod desk"


@pytest.mark.task
def test_your_board_lies_in_memory_and_is_small(kubectl, inside):
    """The folder /board of your Pod board lies in memory, and no more than 10Mi fit in.

    `kubectl exec board -- df -h /board` shows what it is and how large. An emptyDir has a medium and a sizeLimit.
    """
    running_pod(kubectl, "board")
    board = inside("board")
    kind, *_, place = board.output("df -P /board | tail -n 1").split()
    assert place == "/board", f"/board is no volume: it is a folder in {place}"
    assert kind == "tmpfs", f"/board does not lie in memory: df calls it {kind}"

    def fits(size):
        tried = board.run(f"dd if=/dev/zero of=/board/check bs=1048576 count={size}")
        board.output("rm -f /board/check")
        return "" if tried.rc == 0 else tried.stderr.strip().splitlines()[0]

    assert not (said := fits(LIMIT - 1)), f"{LIMIT - 1}Mi do not fit in: {said}"
    assert "No space left" in (said := fits(LIMIT + 1)), f"when {LIMIT + 1}Mi are written: {said or 'they fit in'}"
