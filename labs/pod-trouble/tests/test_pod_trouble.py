"""Lab pod-trouble: three ways in which a Pod does not start, and where each of them names its reason."""

import json
import secrets

import pytest

START = 60
"""Seconds for a Pod to start, or to fail, on a busy machine too."""
PULL = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull")
NO_IMAGE = [f"it waits with {reason}" for reason in PULL]
RIGHT = "gcr.io/google-samples/hello-app:2.0"


def get_pod(kubectl, name):
    """The Pod as the API server describes it, or a failure that names it."""
    found = [item for item in kubectl.pods() if item["metadata"]["name"] == name]
    assert found, f"there is no Pod {name} in namespace {kubectl.namespace}"
    return found[0]


def container(item):
    return (item["status"].get("containerStatuses") or [{"state": {}, "lastState": {}, "restartCount": 0}])[0]


def scheduling(item):
    return next((one for one in item["status"].get("conditions", []) if one["type"] == "PodScheduled"), {})


def trouble(item):
    """What keeps this Pod from running, '' for nothing that would not pass."""
    if scheduling(item).get("reason") == "Unschedulable":
        return "no node takes it"
    if container(item)["restartCount"]:
        return "its program ends again and again"
    reason = container(item)["state"].get("waiting", {}).get("reason")
    return f"it waits with {reason}" if reason in PULL else ""


def url(item):
    return f"http://{item['status']['podIP']}:8080"


def answers(pod, item):
    return "running" in container(item)["state"] and pod.get(url(item)).status is not None


@pytest.fixture(scope="module")
def settle(kubectl, pod, eventually):
    """Waits until a Pod answers or is in trouble, not counting what it may pass through. Returns it and its trouble."""

    def wait(name, passing=()):
        def done(item):
            return trouble(item) not in ("", *passing) or answers(pod, item)

        seen = eventually(lambda: get_pod(kubectl, name), done, seconds=START)
        return seen, "" if answers(pod, seen) else trouble(seen) or "it does not answer"

    return wait


@pytest.fixture(scope="module")
def typo(settle):
    seen, said = settle("typo")
    assert said in NO_IMAGE, f"Pod typo does not wait for an image: {said or 'it answers'}"
    return seen


@pytest.fixture(scope="module")
def giant(kubectl):
    item = get_pod(kubectl, "giant")
    assert "nodeName" not in item["spec"], f"a node has taken Pod giant: {item['spec']['nodeName']}"
    return item


@pytest.fixture(scope="module")
def crasher(settle):
    seen, said = settle("crasher")
    assert container(seen)["restartCount"], f"Pod crasher does not crash: {said or 'it answers'}"
    return seen


@pytest.fixture(scope="module")
def make_twin(kubectl):
    """Makes a Pod like one of the lab's, but for what is said about its container. Returns its name."""

    def make(item, **changes):
        name = f"{item['metadata']['name']}-twin-{secrets.token_hex(3)}"
        spec, metadata = json.loads(json.dumps(item["spec"])), {"name": name, "labels": {"run": "twin"}}
        spec["containers"][0].update(changes)
        kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        return name

    yield make
    kubectl("delete pods --selector run=twin --grace-period 1 --wait=false")


@pytest.fixture
def must_answer(reach, settle, pod):
    """Waits until a twin runs, and asks who it is; fails with what keeps it from running."""

    def ask(name):
        seen, said = settle(name, passing=NO_IMAGE)
        assert not said, f"Pod {name} does not run: {said}"
        reach.answers(f"twin of {name.partition('-')[0]}", url(seen), pod, by=[f"Hostname: {name}"])

    return ask


@pytest.fixture
def must_say(kubectl, eventually):
    """Reads what `kubectl describe` shows of a Pod; fails with the first text that does not come."""

    def check(name, *texts):
        for text in texts:
            shown = eventually(lambda: kubectl(f"describe pod {name}"), lambda it, text=text: text in it, seconds=START)
            assert text in shown, f"kubectl describe pod {name} does not say: {text}"

    return check


def test_a_wrong_tag_keeps_a_pod_waiting(typo, must_say):
    """A Pod whose image does not exist waits; its events name the image and what became of it.

    `kubectl describe pod typo`: the events are at its end.
    """
    image = typo["spec"]["containers"][0]["image"]
    must_say("typo", f'Failed to pull image "{image}"', "Error: ErrImagePull", "Error: ImagePullBackOff")


def test_its_address_is_there_and_nobody_listens(reach, typo, pod, nodes):
    """It has a node and an address, but no program runs in it: a request is refused.

    `kubectl get pod typo -o wide` shows both, and 0/1: none of its containers is ready.
    """
    reach.silent("Pod typo", url(typo), [pod, *nodes])
    assert pod.get(url(typo)).reason == "refused", "the connection is not refused"


def test_its_image_can_be_put_right(kubectl, typo, make_twin, must_say, must_answer):
    """When its image is put right, the same Pod starts after all; what the node has need not be pulled. (A twin.)

    `kubectl set image pod/NAME CONTAINER=IMAGE` changes the image of a Pod.
    """
    name = make_twin(typo)
    must_say(name, "Error: ErrImagePull")
    kubectl(f"set image pod/{name} {typo['spec']['containers'][0]['name']}={RIGHT}")
    must_answer(name)
    must_say(name, f'Container image "{RIGHT}" already present on machine')


def test_the_pull_policy_says_whether_to_ask(typo, make_twin, must_say):
    """imagePullPolicy says whether a registry is asked: with Never, a node runs only what it has. (Shown with a twin.)

    With a tag it is IfNotPresent, without one Always: `kubectl get pod NAME -o yaml` shows it.
    """
    must_say(make_twin(typo, imagePullPolicy="Never"), "ErrImageNeverPull", "not present with pull policy of Never")


def test_no_node_can_meet_a_giant_request(kubectl, giant, must_say, eventually):
    """A Pod that asks for more than any node has stays Pending, without an address; an event says what is lacking.

    `kubectl describe pod giant`: FailedScheduling counts the nodes and their reasons.
    """
    seen = eventually(lambda: get_pod(kubectl, "giant"), lambda item: scheduling(item).get("message"), seconds=START)
    said = scheduling(seen).get("message", "nobody says why")
    assert "Insufficient cpu" in said, f"Pod giant waits for another reason: {said}"
    assert "podIP" not in seen["status"], "it has an address"
    must_say("giant", "FailedScheduling", "Insufficient cpu")


def test_a_small_request_is_met(giant, make_twin, must_answer):
    """The same Pod with a small request finds a node at once. (Shown with a twin.)

    cpu is counted in CPUs: 1000 is a thousand, 1000m is one.
    """
    must_answer(make_twin(giant, resources={"requests": {"cpu": "10m"}}))


def test_a_program_that_ends_is_started_again(crasher, must_say):
    """A program that ends is started again and again, after a pause; the events call that back-off.

    `kubectl get pod crasher`: RESTARTS counts, and STATUS is Error or CrashLoopBackOff.
    """
    must_say("crasher", "Back-off restarting failed container", "Last State:     Terminated", "Exit Code:    1")


def test_its_log_names_the_reason(kubectl, crasher, eventually):
    """Why it ended stands in its log, not in the events: Kubernetes does not know what a program wants.

    `kubectl logs crasher`. What did it want that is no number?
    """
    log = eventually(lambda: kubectl.run("logs crasher").stdout, lambda text: "unknown port" in text, seconds=5)
    assert "unknown port" in log, f"it names another reason: {' / '.join(log.splitlines()) or 'it says nothing'}"
    assert "unknown port" not in kubectl("describe pod crasher"), "the events say it too"


def test_with_a_port_it_runs(crasher, make_twin, must_answer):
    """The same Pod with a number for a port runs. (Shown with a twin.)

    The value of PORT has a letter in it: `kubectl describe pod crasher` shows it under Environment.
    """
    must_answer(make_twin(crasher, env=[{"name": "PORT", "value": "8080"}]))


def test_previous_shows_the_run_before(kubectl, make_twin, inside, eventually):
    """When a program runs again, its log is that of this run; `--previous` shows the run that ended. (A twin of robot.)

    `kubectl logs robot --previous` needs a run before: RESTARTS must not be 0.
    """

    def crash(name, word):
        assert eventually(lambda: kubectl.run(f"logs {name}").stdout, seconds=START), "the twin does not start"
        inside(name).output(f"echo {word} > /tmp/order")
        assert eventually(lambda: container(get_pod(kubectl, name))["restartCount"], seconds=30), "not started again"
        return eventually(lambda: kubectl.run(f"logs {name} --previous").stdout, lambda text: word in text, seconds=8)

    word = f"dance-{secrets.token_hex(3)}"
    for _ in range(2):  # once a minute kubelet clears away what has ended: it may be the log that is asked for
        log = crash(name := make_twin(get_pod(kubectl, "robot")), word)
        if word in log:
            break
    assert word in log, f"the log of the run before is: {log.strip() or 'empty'}"
    assert word not in kubectl(f"logs {name}"), "it stands in the log of this run too"


@pytest.mark.task
def test_your_shop_answers(reach, kubectl, pod, eventually):
    """Your Deployment shop answers on port 8080, with version 2.0.0.

    Repair, then look at its newest Pod: `kubectl describe` and `kubectl logs` name the next reason.
    """

    def look():
        found = kubectl.json("get replicasets,pods")
        sets = [f"ReplicaSet/{one['metadata']['name']}" for one in found if owner(one) == "Deployment/shop"]
        return [item for item in found if owner(item) in sets]

    kubectl("get deployment shop")
    shops = eventually(look, lambda them: them and all(trouble(it) or answers(pod, it) for it in them), seconds=START)
    ours = [item for item in shops if answers(pod, item)]
    assert ours, "; ".join(trouble(item) or "it does not answer" for item in shops) or "it has no Pods"
    reach.answers("your shop", url(ours[0]), pod, by=[f"Hostname: {ours[0]['metadata']['name']}"])
    assert "Version: 2.0.0" in pod.get(url(ours[0])).body, "it answers, but it is another version"


def owner(item):
    return next((f"{one['kind']}/{one['name']}" for one in item["metadata"].get("ownerReferences", [])), "")
