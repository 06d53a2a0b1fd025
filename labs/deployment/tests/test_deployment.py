"""Lab deployment: other numbers and other versions of Pods, and what that costs those who send requests meanwhile."""

from itertools import chain
from types import SimpleNamespace

import pytest

from kubelab.twins import STEP, is_ready

V1, V2, BAD = (f"gcr.io/google-samples/hello-app:{tag}" for tag in ("1.0", "2.0", "3.0"))
SAYS = {V1: "Version: 1.0.0", V2: "Version: 2.0.0"}
SLOW = ["sh", "-c", "sleep 2; exec hello_app"]
"""Listens only after two seconds."""
MANY = 4
PULL = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull")
PATIENCE = 4
"""On a busy machine an answer may take seconds. Where nobody listens the connection is refused at once."""
WHILE = 4
"""Seconds for which a Pod must at least go on when it was told to end."""


def waits_for_image(item):
    states = [one["state"].get("waiting", {}) for one in item["status"].get("containerStatuses", [])]
    return any(state.get("reason") in PULL for state in states)


def versions(watch):
    """The versions that answered, in the order of their first answer."""
    bodies = chain.from_iterable((request.body or "").split(",") for request in watch.requests)
    return list(dict.fromkeys(line for line in bodies if line.startswith("Version: ")))


def assert_none_lost(watch):
    assert watch.lost == 0, f"of {watch.sent} requests {watch.lost} were lost, nobody answered for {watch.gap:.1f} s"


@pytest.fixture(scope="module")
def make_twin(twins):
    """Makes a twin that takes two seconds to start, with version 1.0, whatever its original does."""
    return lambda original, replicas: twins.make(original, replicas, image=V1, command=SLOW, args=[])


@pytest.fixture(scope="module")
def twin(make_twin):
    return make_twin("helloworld", 1)


def uids(found):
    return {item["metadata"]["uid"] for item in found.values()}


@pytest.fixture(scope="module")
def scaled(twin, prober, outside):
    before, answered = twin.listen(1, V1, outside), set()

    def meet():
        answered.update(line for body in outside.get_many(twin.url, MANY) for line in body.splitlines())
        return len([line for line in answered if line.startswith("Hostname: ")]) == MANY

    with prober.during("one Pod becomes four", twin.url, PATIENCE) as watch:
        twin.kubectl(f"scale deployment {twin.name} --replicas {MANY}")
        after = twin.settle(MANY, V1)
        all_answered = twin.eventually(meet, seconds=STEP)
    return SimpleNamespace(before=before, after=after, watch=watch, all_answered=all_answered)


def update(twin, number, prober, label):
    """What was seen when version 1.0 became 2.0."""
    before = twin.listen(number, V1, prober.place)
    with prober.during(label, twin.url, PATIENCE) as watch:
        twin.turn(V2)
        after = twin.settle(number, V2)
    return SimpleNamespace(before=before, after=after, watch=watch)


@pytest.fixture(scope="module")
def updated(twin, scaled, prober):
    former = twin.replica_sets()[V1]
    seen = update(twin, MANY, prober, "version 1.0 becomes 2.0")
    seen.former, seen.sets = former, twin.replica_sets()
    return seen


@pytest.fixture(scope="module")
def stalled(twin, updated, prober):
    """What was seen while a version that does not exist was to replace 2.0."""
    with prober.during("an image that does not exist", twin.url, PATIENCE) as watch:
        twin.turn(BAD)
        seen = twin.eventually(twin.pods, lambda found: any(map(waits_for_image, found.values())), seconds=STEP)
        status = twin.kubectl.run(f"rollout status deployment {twin.name} --timeout 1s")
    return SimpleNamespace(before=updated.after, pods=seen, watch=watch, status=status)


@pytest.fixture(scope="module")
def undone(twin, stalled):
    twin.kubectl(f"rollout undo deployment {twin.name}")
    return twin.settle(MANY, V2)


@pytest.fixture(scope="module")
def restored(twin, undone):
    twin.kubectl(f"rollout undo deployment {twin.name} --to-revision 1")
    pods = twin.eventually(lambda: [name for name, item in twin.pods().items() if is_ready(item, V1)], seconds=STEP)
    return SimpleNamespace(pods=pods, sets=twin.replica_sets())


def test_its_pods_answer_outside(reach, kubectl, outside, reachable, nodes):
    """The Pods of Deployment helloworld answer outside, on a port of every node.

    `kubectl get endpointslices`: does the Service find them by their label?
    """
    ours = [f"Hostname: {item['metadata']['name']}" for item in kubectl.pods("app=helloworld")]
    port = kubectl.json("get service helloworld")["spec"]["ports"][0].get("nodePort")
    assert port, "the Service helloworld has no port of the nodes"
    for node in nodes:
        reach.answers("Service helloworld", f"http://{reachable.address(node.name)}:{port}", outside, by=ours)


def test_their_number_changes_while_they_run(scaled):
    """One Pod becomes four while it runs: it is not touched, and soon all four share the requests. (Shown with a twin.)

    `kubectl get pods` before and after: the first keeps its name, its age and its restarts.
    """
    assert uids(scaled.before) <= uids(scaled.after), "the first Pod was replaced"
    assert scaled.all_answered, f"only these answered: {', '.join(scaled.watch.names) or 'nobody'}"


def test_more_pods_cost_no_request(scaled):
    """Of the requests that were sent meanwhile, none was lost: a new Pod gets none until it listens.

    A readiness probe tells when: `kubectl describe deployment helloworld`.
    """
    assert_none_lost(scaled.watch)


def test_an_update_replaces_all_pods(updated):
    """Another version means other Pods, in another ReplicaSet; the former one stays, with no Pods.

    `kubectl get replicasets` lists both. How many former ones are kept is the revisionHistoryLimit.
    """
    assert not uids(updated.before) & uids(updated.after), "some Pods are the old ones"
    name = updated.former["metadata"]["name"]
    assert V1 in updated.sets, f"the former ReplicaSet {name} is gone"
    assert updated.sets[V1]["spec"]["replicas"] == 0, f"the former ReplicaSet {name} still has Pods"


def test_an_update_costs_no_request(updated):
    """Of the requests that were sent during the update, none was lost: first 1.0.0 answered, in the end 2.0.0.

    New Pods must be ready before old ones end (maxUnavailable: 0), and those must go on for a while (preStop).
    """
    assert_none_lost(updated.watch)
    assert versions(updated.watch) == [SAYS[V1], SAYS[V2]], f"answers: {', '.join(versions(updated.watch)) or 'none'}"


def test_a_bad_version_stalls(stalled):
    """A version that does not start stops its own rollout: the new Pods wait, and no old one is given up for them.

    `kubectl rollout status` does not end, and `kubectl get pods` shows which Pods wait.
    """
    waiting = [name for name, item in stalled.pods.items() if waits_for_image(item)]
    kept = [item for item in stalled.pods.values() if is_ready(item, V2)]
    assert waiting, f"no Pod waits for image {BAD}"
    assert len(kept) == MANY, f"of {MANY} old Pods {len(kept)} are still ready"
    assert stalled.status.returncode, f"the rollout is called complete: {stalled.status.stdout.strip()}"


def test_the_old_pods_go_on_serving(stalled):
    """Meanwhile the old Pods answer, they alone, and no request is lost.

    `kubectl get endpointslices`: Pods that are not ready are not among the endpoints.
    """
    assert_none_lost(stalled.watch)
    assert versions(stalled.watch) == [SAYS[V2]], f"answers: {', '.join(versions(stalled.watch)) or 'none'}"
    assert set(stalled.watch.names) <= set(stalled.before), f"others answered: {', '.join(stalled.watch.names)}"


def test_undo_takes_a_bad_version_back(stalled, undone):
    """After an undo the Pods of the bad version are gone; the others are still the same ones.

    `kubectl rollout undo deployment NAME`.
    """
    assert uids(undone) == uids(stalled.before), "the Pods were replaced"


def assert_ends_gracefully(twin, pod):
    went_on = twin.end_one(pod)
    assert went_on >= WHILE, f"it answered for {went_on:.1f} s when it was told to end"


def test_a_pod_that_shall_end_goes_on_for_a_while(twin, undone, pod):
    """A Pod that is told to end goes on answering for a while: requests may still be on their way. (Shown with a twin.)

    Without a preStop hook the program gets its SIGTERM at once, while nodes still send requests to it.
    """
    assert_ends_gracefully(twin, pod)


def test_undo_brings_the_former_replicaset_back(updated, restored):
    """An undo back to the first version gives the former ReplicaSet its Pods again, instead of making another one.

    `kubectl rollout history` has the numbers. The hash in the name of a ReplicaSet is that of its Pod template.
    """
    former, now = updated.former["metadata"], restored.sets[V1]["metadata"]
    assert now["uid"] == former["uid"], f"another ReplicaSet was made: {now['name']}, the former was {former['name']}"
    assert restored.pods, "none of its Pods is ready"


def test_hasty_pods_cost_requests(make_twin, prober):
    """Without readiness probe and without preStop hook the same update loses requests. (Shown with a twin of hasty.)

    A container that runs counts as ready: nobody waits until the program listens.
    """
    watch = update(make_twin("hasty", 2), 2, prober, "hasty: 1.0 becomes 2.0").watch
    assert watch.lost, f"of {watch.sent} requests none was lost"


@pytest.mark.task
def test_your_steady_costs_no_request(make_twin, prober, pod):
    """Your Deployment steady loses no request when its version changes. (Shown with a twin, whose program is as slow.)

    Compare helloworld with hasty: `kubectl get deployment NAME -o yaml`. Both, beginning and end, have to be right.
    """
    twin = make_twin("steady", 1)
    seen = update(twin, 1, prober, "your steady: 1.0 becomes 2.0")
    assert_ends_gracefully(twin, pod)
    assert_none_lost(seen.watch)
