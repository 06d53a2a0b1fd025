"""Lab statefulset: what a Pod keeps that has a number, and in which order numbers come and go."""

import re
from itertools import pairwise
from types import SimpleNamespace

import pytest

GIVEN = ("web-0", "web-1")
ALL = (*GIVEN, "web-2", "web-3", "web-4")
EACH = 40
"""Seconds for one Pod to end, get its volume and start, on a busy machine too."""
ANSWER = re.compile(r"^Name:.*\nAddress: (\S+)", re.MULTILINE)
BEGIN = 10
"""Seconds for the first Pod to be touched after the template has changed."""


def members(kubectl):
    """The Pods of the set by name, those that are being deleted too."""
    return {item["metadata"]["name"]: item for item in kubectl.json("get pods --selector app=web")}


def claims(kubectl):
    """The claims of the set by name, each with what tells it from a later one of that name."""
    found = kubectl.json("get pvc --selector app=web")
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in found}


def claim_of(item):
    """The claim that a Pod mounts."""
    volumes = [volume.get("persistentVolumeClaim") for volume in item["spec"]["volumes"]]
    return next((claim["claimName"] for claim in volumes if claim), "no claim")


def uid(item):
    return item["metadata"]["uid"]


def is_going(item):
    return "deletionTimestamp" in item["metadata"]


def ready_at(item):
    """Since when a Pod is ready; '' when it is not."""
    conditions = {one["type"]: one for one in item["status"].get("conditions", [])}
    ready = conditions.get("Ready", {})
    return ready["lastTransitionTime"] if ready.get("status") == "True" and not is_going(item) else ""


def ready(found):
    return sorted(filter(lambda name: ready_at(found[name]), found))


def assert_one_after_the_other(found, names):
    """Each was made when the one before it was ready, and not earlier."""
    for former, name in pairwise(names):
        made, then = found[name]["metadata"]["creationTimestamp"], ready_at(found[former])
        assert made >= then, f"{name} was made ({made}) before {former} was ready ({then})"


def replaced(kubectl, before, eventually):
    """Both Pods, once each of them is another one than before, and ready."""

    def is_new(found):
        return all(name in ready(found) and uid(found[name]) != uid(before[name]) for name in GIVEN)

    after = eventually(lambda: members(kubectl), is_new, seconds=len(GIVEN) * EACH)
    assert is_new(after), f"not both were replaced; ready are: {', '.join(ready(after)) or 'none'}"
    return after


@pytest.fixture(scope="module")
def read_mark(inside):
    """Reads in a Pod what it has written when it began to use its volume."""
    return lambda name: inside(name).output("cat /data/mark").strip()


@pytest.fixture(scope="module")
def marks(kubectl, read_mark):
    """What web-0 and web-1 have written: nobody can guess it, and it tells one from the other."""
    replicas = kubectl.json("get statefulset web")["spec"]["replicas"]
    assert replicas == len(GIVEN), f"web shall have {replicas} Pods; the checks begin with {len(GIVEN)}: scale it back"
    found = members(kubectl)
    assert set(GIVEN) <= set(ready(found)), f"of web-0 and web-1 these are ready: {', '.join(ready(found)) or 'none'}"
    words = {name: read_mark(name) for name in GIVEN}
    assert len(set(words.values())) == len(GIVEN), f"they share their data: both say {words['web-0']}"
    return words


@pytest.fixture(scope="module")
def own_claims(kubectl, marks):
    """The Pods, once it is sure that each has the claim that bears its name."""
    found = members(kubectl)
    wrong = [f"{name} uses {claim_of(item)}" for name, item in found.items() if claim_of(item) != f"data-{name}"]
    assert not wrong, ", ".join(wrong)
    return found


def test_each_has_a_claim_of_its_own(own_claims):
    """The Pods are called web-0 and web-1, and each has a claim of its own, with data of its own.

    `kubectl get pvc` lists data-web-0 and data-web-1: the name of the template and the name of the Pod.
    """
    assert set(own_claims) == set(GIVEN), f"the Pods are {', '.join(own_claims)}"


def test_each_name_leads_to_its_pod(reach, pod, marks):
    """Each Pod has a DNS name, its own before the name of the Service, and it leads to this Pod only.

    serviceName of the StatefulSet must be the name of the headless Service: `kubectl describe statefulset web`.
    """
    for name, mark in marks.items():
        reach.answers(f"name of {name}", f"http://{name}.members:8080/mark", pod, by=[mark])


def test_the_name_of_the_service_lists_them(kubectl, pod, namespace, marks, eventually):
    """The name of the headless Service leads to the addresses of both Pods, and to no other.

    `kubectl get service members`: under CLUSTER-IP a headless Service has None.
    """
    addresses = sorted(members(kubectl)[name]["status"]["podIP"] for name in GIVEN)
    look = f"nslookup members.{namespace}.svc.cluster.local"
    seen = eventually(lambda: sorted(ANSWER.findall(pod.run(look).stdout)), lambda found: found == addresses)
    assert seen == addresses, f"it lists {', '.join(seen) or 'nobody'}, the Pods have {', '.join(addresses)}"


@pytest.fixture(scope="module")
def course(kubectl, own_claims, read_mark, eventually):
    """What was seen when two Pods became five, three, four, and two again. Claims that came with them are deleted."""
    seen, kept = SimpleNamespace(before=own_claims, looks=[]), set(claims(kubectl))
    try:
        seen.five = scale(kubectl, eventually, 5)
        seen.claims, seen.mark = claims(kubectl), read_mark("web-3")
        scale(kubectl, eventually, 3, seen.looks.append)
        scale(kubectl, eventually, 4)
        seen.claims_left, seen.mark_again = claims(kubectl), read_mark("web-3")
        return seen
    finally:
        scale(kubectl, eventually, len(GIVEN))
        if extra := sorted(set(claims(kubectl)) - kept):
            kubectl(f"delete pvc {' '.join(extra)}")


def scale(kubectl, eventually, number, keep=lambda _: None):
    """Asks for a number of Pods and waits until exactly these are there and ready; keeps who went and who was ready."""
    wanted = list(ALL[:number])

    def look():
        found = members(kubectl)
        keep(([name for name, item in found.items() if is_going(item)], ready(found)))
        return found

    kubectl(f"scale statefulset web --replicas {number}")
    seen = eventually(look, lambda found: sorted(found) == ready(found) == wanted, seconds=3 * EACH)
    assert ready(seen) == wanted, f"{number} Pods were asked for, ready are {', '.join(ready(seen))}"
    return seen


def test_more_come_one_by_one(course):
    """From two Pods to five: each is made when the one before it is ready, and the first two run on undisturbed.

    `kubectl get pods --watch` shows it. podManagementPolicy: Parallel would make them all at once.
    """
    assert_one_after_the_other(course.five, ALL[1:])
    changed = [name for name in GIVEN if uid(course.five[name]) != uid(course.before[name])]
    assert not changed, f"replaced on the way: {', '.join(changed)}"


def test_fewer_go_from_the_highest_down(course):
    """From five Pods to three: web-4 goes first, and web-3 when web-4 is gone.

    `kubectl get pods --watch` shows Terminating for one Pod at a time.
    """
    together = [going for going, _ in course.looks if len(going) > 1]
    assert not together, f"they went at the same time: {', '.join(together[0])}"
    assert any("web-4" not in stay and "web-3" in stay for _, stay in course.looks), "web-4 did not go before web-3"


def test_the_claims_of_those_that_went_stay(course):
    """The five claims stay when only three Pods are left.

    `kubectl get pvc`. A persistentVolumeClaimRetentionPolicy says otherwise where that is wanted.
    """
    had = course.claims
    left = sorted(name for name in had if course.claims_left.get(name) == had[name])
    assert {f"data-{name}" for name in ALL} <= set(had), f"five Pods had these claims: {', '.join(sorted(had))}"
    assert left == sorted(had), f"of {len(had)} claims only these are left: {', '.join(left)}"


def test_one_that_comes_again_finds_its_data(course):
    """When web-3 comes back, it finds the data that it had before it went.

    `kubectl exec web-3 -- cat /data/mark`, before and after.
    """
    assert course.mark_again == course.mark, f"it wrote {course.mark} and finds another mark: {course.mark_again}"


@pytest.fixture(scope="module")
def reborn(kubectl, marks, eventually):
    """web-0 and web-1 before and after both were deleted."""
    before = members(kubectl)
    kubectl(f"delete pods {' '.join(GIVEN)} --wait=false")
    return before, replaced(kubectl, before, eventually)


def test_a_deleted_pod_comes_back_as_itself(reborn, marks, read_mark):
    """Deleted Pods come back by themselves: same names, same claims, same data.

    `kubectl delete pod web-0`, then `kubectl get pods`. The claim is found by its name, data-web-0.
    """
    before, after = reborn
    for name in GIVEN:
        assert claim_of(after[name]) == claim_of(before[name]), f"{name} now uses {claim_of(after[name])}"
        found = read_mark(name)
        assert found == marks[name], f"{name} had {marks[name]} and finds another mark: {found}"


def test_the_name_leads_to_the_new_pod(reach, pod, reborn, read_mark):
    """The DNS names lead to the new Pods, whatever their addresses are now.

    Compare the address in `kubectl get pods -o wide` before and after: it may change, the name does not.
    """
    reach.settle()
    for name in GIVEN:
        reach.answers(f"name of the new {name}", f"http://{name}.members:8080/mark", pod, by=[read_mark(name)])


def test_a_pair_starts_again_in_order(reborn):
    """When both are deleted at once, web-0 comes first, and web-1 when web-0 is ready.

    `kubectl delete pods web-0 web-1`, then `kubectl get pods --watch`.
    """
    assert_one_after_the_other(reborn[1], GIVEN)


def test_an_update_begins_with_the_highest(kubectl, marks, eventually):
    """A change of the template replaces web-1 first, and web-0 when the new web-1 is ready.

    `kubectl rollout restart statefulset web` changes an annotation; `kubectl get pods --watch` shows the order.
    """
    before = members(kubectl)
    kubectl("rollout restart statefulset web")
    begun = eventually(lambda: members(kubectl), lambda now: touched(before, now), seconds=BEGIN)
    assert touched(before, begun), "nothing is replaced, although the template has changed"
    assert_one_after_the_other(replaced(kubectl, before, eventually), GIVEN[::-1])


def touched(before, now):
    """The Pods of before that go or are gone."""
    return [name for name in before if name not in now or is_going(now[name]) or uid(now[name]) != uid(before[name])]
