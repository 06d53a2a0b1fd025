"""Lab self-healing: four deaths and an illness, what Kubernetes does about each, and what it costs those outside."""

from types import SimpleNamespace

import pytest

from kubelab.twins import STEP, is_ready

PROGRAM = ["sh", "-c", "trap exit TERM; hello_app & wait"]
KILL, HANG, GO_ON = "killall hello_app", "killall -STOP hello_app", "killall -CONT hello_app"
REQUESTS = 30
PATIENCE = 4
"""On a busy machine an answer may take seconds. Where nobody listens the connection is refused at once."""
NOT_ENDED = 5
"""Seconds after which a liveness probe would have ended what is only not ready."""


def restarts(item):
    return sum(one["restartCount"] for one in item["status"].get("containerStatuses", []))


def same(one, other):
    return one["metadata"]["uid"] == other["metadata"]["uid"]


def only(found):
    return next(iter(found.values()))


def assert_outage_ended(seen):
    watch = seen.watch
    assert watch.lost, f"of {watch.sent} requests none was lost: it was not gone at all"
    assert seen.answers_again, f"nobody answers any more, for {watch.gap:.1f} s now"


@pytest.fixture(scope="module")
def twin(twins):
    """A twin of helloworld with one Pod, so that its death is felt."""
    return twins.make("helloworld", 1)


@pytest.fixture(scope="module")
def answers(outside, eventually):
    """Whether a twin answers outside, sooner or later."""
    return lambda twin: eventually(lambda: outside.get(twin.url).status, seconds=STEP)


@pytest.fixture(scope="module")
def ail(prober, inside, answers, eventually):
    """Does something to the program of a twin with one Pod, and waits until it was started again and answers."""

    def do(twin, label, command):
        before = only(twin.settle(1))

        def is_back(found):
            return len(found) == 1 and is_ready(only(found)) and restarts(only(found)) > restarts(before)

        with prober.during(label, twin.url) as watch:
            inside(before["metadata"]["name"]).run(command)
            found = eventually(twin.pods, is_back, seconds=STEP)
            answers_again = is_back(found) and answers(twin)
        if not is_back(found):
            inside(before["metadata"]["name"]).run(GO_ON)
        return SimpleNamespace(before=before, after=only(found), watch=watch, answers_again=answers_again)

    return do


@pytest.fixture(scope="module")
def killed(twin, ail):
    return ail(twin, "a process is killed", KILL)


@pytest.fixture(scope="module")
def lonely_url(kubectl, reachable):
    """Where the bare Pod answers outside. In the end it is made again, as it was."""
    item = kubectl.json("get pod lonely")
    port = kubectl.json("get service lonely")["spec"]["ports"][0]["nodePort"]
    yield f"http://{reachable.address(reachable.group('control_planes')[0])}:{port}"
    item["metadata"] = {key: item["metadata"][key] for key in ("name", "labels")}
    del item["spec"]["nodeName"], item["status"]
    if kubectl.run("get pod lonely").returncode:
        kubectl.create(item)


@pytest.fixture(scope="module")
def deleted(kubectl, killed, twin, prober, answers, lonely_url):
    """What was seen when a bare Pod and one of a Deployment were deleted, until the latter has been replaced."""
    before = only(twin.settle(1))
    with prober.during("a bare Pod is deleted", lonely_url) as silence:
        kubectl("delete pod lonely")
        with prober.during("a Pod of a Deployment is deleted", twin.url) as watch:
            kubectl(f"delete pod {before['metadata']['name']}")
            after = only(twin.settle(1))
            answers_again = answers(twin)
        left = kubectl.pods("run=lonely")
    seen = SimpleNamespace(before=before, after=after, watch=watch, answers_again=answers_again)
    return SimpleNamespace(seen=seen, silence=silence, left=left)


@pytest.fixture(scope="module")
def hung(deleted, twin, ail):
    return ail(twin, "a program hangs", HANG)


@pytest.fixture(scope="module")
def pair(twin):
    """Both Pods of the twin, when there are two."""
    twin.settle(1)
    twin.kubectl(f"scale deployment {twin.name} --replicas 2")
    return twin.settle(2)


@pytest.fixture(scope="module")
def unready(hung, pair, twin, prober, outside, inside, pod, eventually):
    """What was seen while one of two Pods said that it is not ready, and after it was ready again."""
    name, before = next(iter(pair.items()))
    token, seen = f"Hostname: {name}", SimpleNamespace(before=before)

    def answered():
        return [token in body for body in outside.get_many(twin.url, REQUESTS)]

    def none_for_it(found):
        return len(found) == REQUESTS and not any(found)

    def started_again(item):
        return item is None or restarts(item) > restarts(before)

    # Nodes may learn of a new Pod later than we: that it gets no requests says something only when it got some.
    assert any(eventually(answered, any, seconds=STEP)), f"{name} is ready, but gets no requests"
    with prober.during("one of two Pods is not ready", twin.url, PATIENCE) as seen.watch:
        inside(name).output("touch /tmp/busy")
        try:
            seen.for_it = eventually(answered, none_for_it, seconds=STEP)
            seen.endpoints = twin.endpoints()
            seen.after = eventually(lambda: twin.pods().get(name), started_again, seconds=NOT_ENDED)
            seen.directly = pod.get(f"http://{before['status']['podIP']}:8080").by([token])
        finally:
            inside(name).run("rm -f /tmp/busy")
        seen.again = eventually(answered, any, seconds=STEP)
    return seen


def test_it_answers_outside(reach, kubectl, outside, reachable, nodes):
    """Both, the Pod of Deployment helloworld and the bare Pod lonely, answer outside on ports of the nodes.

    `kubectl get endpointslices`: does each Service find its Pod?
    """
    for name, label in (("helloworld", "app"), ("lonely", "run")):
        ours = [f"Hostname: {item['metadata']['name']}" for item in kubectl.pods(f"{label}={name}")]
        port = kubectl.json(f"get service {name}")["spec"]["ports"][0]["nodePort"]
        reach.answers(f"Service {name}", f"http://{reachable.address(nodes[-1].name)}:{port}", outside, by=ours)


def test_a_killed_process_is_started_again(killed):
    """A process ends: its container is started again in the same Pod, on the same node. (Shown with a twin.)

    `kubectl get pods`: the name stays, RESTARTS counts. The kubelet of the node does it, without asking anybody.
    """
    assert same(killed.before, killed.after), "it is another Pod now"
    count = restarts(killed.after) - restarts(killed.before)
    assert count == 1, f"its containers were started again {count} times"
    assert killed.after["spec"]["nodeName"] == killed.before["spec"]["nodeName"]
    assert_outage_ended(killed)


def test_a_deleted_pod_of_a_deployment_is_replaced(deleted):
    """A Pod of a Deployment is deleted: another one takes its place, with another name. (Shown with the twin.)

    `kubectl get pods -o wide` before and after: name, address, and the node where the new one runs.
    """
    seen = deleted.seen
    assert not same(seen.before, seen.after), "it is the same Pod"
    name = seen.after["metadata"]["name"]
    assert name != seen.before["metadata"]["name"], f"its name is {name} again"
    assert restarts(seen.after) == 0, f"{name} has been started again"
    assert_outage_ended(seen)


def test_a_deleted_bare_pod_stays_gone(deleted):
    """A Pod that nobody counts is deleted: it is still gone when that of the Deployment has long been replaced.

    Who owns a Pod stands in `kubectl describe pod NAME`, behind Controlled By.
    """
    names = [item["metadata"]["name"] for item in deleted.left]
    assert not names, f"it came back as {', '.join(names)}"
    assert deleted.silence.requests[-1].body is None, "somebody answers in its place"


def test_a_program_that_hangs_is_started_again(hung, kubectl, eventually):
    """A program hangs: its process is there but answers nobody. The liveness probe notices, and it is started again.

    `kubectl describe pod NAME`: the events say Unhealthy, then Killing.
    """
    count = restarts(hung.after) - restarts(hung.before)
    assert count == 1, f"its containers were started again {count} times"
    assert same(hung.before, hung.after), "it is another Pod now"
    assert_outage_ended(hung)
    fields = f"--field-selector involvedObject.name={hung.after['metadata']['name']}"

    def told():
        found = [f"{one['reason']}: {one['message']}" for one in kubectl.json(f"get events {fields}")]
        return [one for one in found if "iveness probe" in one]

    events = eventually(told, lambda found: len(found) >= 2, seconds=10)
    assert {one.partition(":")[0] for one in events} >= {"Unhealthy", "Killing"}, (
        f"events: {'; '.join(events) or 'none'}"
    )


def test_a_pod_that_is_not_ready_gets_no_requests(unready):
    """A Pod that says it is not ready is left in peace: it runs on, but is no endpoint and gets none of 30 requests.

    `kubectl get pods` shows 0/1, and Running. `kubectl get endpointslices -o yaml` says ready: false.
    """
    assert unready.after, "it is gone"
    assert same(unready.before, unready.after), "it was replaced"
    assert restarts(unready.after) == restarts(unready.before), "it was started again"
    assert not any(unready.for_it), f"it got {sum(unready.for_it)} of {len(unready.for_it)} requests"
    assert len(unready.for_it) == REQUESTS, f"only {len(unready.for_it)} of {REQUESTS} requests were answered"
    assert unready.before["status"]["podIP"] not in unready.endpoints, "it is still an endpoint"
    assert unready.directly, "asked directly, it does not answer"


def test_a_pod_that_is_ready_again_gets_requests_again(unready):
    """When it is ready again, it gets requests again; meanwhile the other one has answered all.

    Nobody has to be told: the probe is asked once a second.
    """
    assert any(unready.again), "it gets no requests"
    lost = unready.watch.lost
    assert lost == 0, f"of {unready.watch.sent} requests {lost} were lost"


@pytest.mark.task
def test_your_phoenix_comes_back(twins, ail):
    """The program of your Deployment phoenix hangs, and it comes back by itself. (Shown with a twin.)

    Compare it with helloworld: `kubectl get deployment helloworld -o yaml`. Which probe asks the program itself?
    """
    seen = ail(twins.make("phoenix", 1, command=PROGRAM, args=[]), "your phoenix hangs", HANG)
    assert restarts(seen.after) == restarts(seen.before) + 1, "its program still hangs"
    assert_outage_ended(seen)
