"""Lab hpa: an autoscaler gives a Deployment as many Pods as its load needs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

MOST = 4
KNOWN = 120
"""Seconds until the use of new Pods is known to the autoscaler."""
UP = 180
DOWN = 150
BY_HAND = 60
"""Seconds until the autoscaler has put right what somebody changed: it looks every fifteen."""
LONG = 30
"""Seconds: who waits longer than that before there are fewer Pods is not shown here."""
LOAD = Path(__file__).parents[1] / "load.yml"


def get_one(kubectl, kind, name):
    found = [item for item in kubectl.json(f"get {kind}") if item["metadata"]["name"] == name]
    assert found, f"there is no {kind} {name} in namespace {kubectl.namespace}"
    return found[0]


def look(kubectl, name="web"):
    """What an autoscaler says, and how many Pods its Deployment shall have."""
    scaler, deployment = (get_one(kubectl, kind, name) for kind in ("horizontalpodautoscaler", "deployment"))
    status = scaler["status"]
    conditions = {one["type"]: one for one in status.get("conditions", [])}
    current = next((one["resource"]["current"] for one in status.get("currentMetrics") or [] if "resource" in one), {})
    return SimpleNamespace(
        active=conditions.get("ScalingActive", {}).get("status") == "True",
        why="; ".join(one["message"] for one in conditions.values() if one["status"] == "False") or "nothing yet",
        limited=conditions.get("ScalingLimited", {}).get("reason") == "TooManyReplicas",
        share=current.get("averageUtilization"),
        value=current.get("averageValue", ""),
        desired=status.get("desiredReplicas"),
        pods=deployment["spec"]["replicas"],
    )


@pytest.fixture(scope="module")
def rest(kubectl, eventually):
    """The autoscaler while there is nothing to do."""
    spec = get_one(kubectl, "horizontalpodautoscaler", "web")["spec"]
    assert spec["maxReplicas"] == MOST, f"it may make {spec['maxReplicas']} Pods, {MOST} are meant"
    wait = spec.get("behavior", {}).get("scaleDown", {}).get("stabilizationWindowSeconds", 300)
    assert wait <= LONG, f"when the load is gone it would wait {wait} s before there are fewer Pods"
    seen = eventually(lambda: look(kubectl), lambda now: now.active and now.pods == 1, seconds=KNOWN)
    assert seen.active, f"it does not know how much is used: {seen.why}"
    assert seen.pods == 1, f"without load web has {seen.pods} Pods"
    return seen


@pytest.fixture(scope="module")
def course(kubectl, rest, pod, eventually):
    """What was seen while there was load, when it was gone, and after somebody had set a number by hand."""
    seen, looks, answered = SimpleNamespace(), [], set()

    def watch():
        looks.append(look(kubectl))
        return looks[-1]

    def ask():
        bodies = pod.get_many("http://web:8080/cgi-bin/work", 5)
        answered.update(line for body in bodies for line in body.splitlines() if line.startswith("Hostname: "))
        return answered

    try:
        stop(kubectl)
        kubectl(f"create --filename {LOAD}")
        eventually(watch, lambda now: now.pods >= MOST and now.limited, seconds=UP)
        seen.looks, seen.answered = list(looks), eventually(ask, lambda names: len(names) > 1, seconds=LONG)
        stop(kubectl)
        seen.after = eventually(watch, lambda now: now.pods == 1, seconds=DOWN)
        kubectl("scale deployment web --replicas 3")
        seen.put_right = eventually(watch, lambda now: now.pods == 1, seconds=BY_HAND)
        return seen
    finally:
        stop(kubectl)


def stop(kubectl):
    kubectl("delete pod load --ignore-not-found --now")


def test_it_knows_how_much_is_used(rest):
    """Without load the autoscaler knows how much is used, it is little, and one Pod is enough.

    `kubectl describe hpa web`: the condition ScalingActive says whether it can do its work, and why not.
    """
    assert rest.share is not None, "it shows no share in use"
    assert rest.share <= 50, f"without load {rest.share} % are in use"


def test_load_makes_more_pods(course):
    """Load comes: soon there are more Pods, and they share the requests.

    `kubectl get hpa web --watch`. It takes the next figures and the next look: half a minute or so.
    """
    most = max(one.pods for one in course.looks)
    assert most > 1, f"within {UP} s there was still one Pod; the autoscaler says {course.looks[-1].share} %"
    assert len(course.answered) > 1, f"only these answered: {', '.join(course.answered) or 'nobody'}"


def test_it_says_how_many_and_why(kubectl, course):
    """It says how many Pods it wants, the Deployment has as many, and an event says why.

    `kubectl describe hpa web`: SuccessfulRescale. Who scales by hand leaves nothing there.
    """
    wanted = [one for one in course.looks if one.pods == one.desired and one.pods > 1]
    assert wanted, f"wanted and there: {[(one.desired, one.pods) for one in course.looks]}"
    found = kubectl.json("get events --field-selector involvedObject.name=web,reason=SuccessfulRescale")
    said = [item["message"] for item in found if item["involvedObject"]["kind"] == "HorizontalPodAutoscaler"]
    assert any("above target" in one for one in said), f"the events say: {said}"


def test_the_share_is_of_what_the_pods_ask_for(course):
    """Its percentages are shares of what the Pods ask for, their request: 50 thousandths of a processor.

    `kubectl get hpa web -o yaml`: averageValue beside averageUtilization. The size of the node does not matter.
    """
    known = [(one.share, one.value) for one in course.looks if one.value.endswith("m") and one.share]
    wrong = [
        f"{share} % of a request of 50m are not {value}"
        for share, value in known
        if abs(share - 2 * int(value[:-1])) > 2
    ]
    assert known, "no share was seen under load"
    assert not wrong, wrong[0]


def test_it_never_makes_more_than_it_may(course):
    """It wants more Pods than it may make, and stops at four.

    `kubectl describe hpa web`: the condition ScalingLimited says TooManyReplicas.
    """
    most = max(one.pods for one in course.looks)
    assert most <= MOST, f"there were {most} Pods"
    assert any(one.limited for one in course.looks), f"it never wanted more than it may; it made {most}"


def test_without_load_there_is_one_again(course):
    """The load goes: a minute or so later there is one Pod again.

    Usually it would wait five minutes more: scaleDown.stabilizationWindowSeconds is 0 here.
    """
    assert course.after.pods == 1, f"after {DOWN} s there were still {course.after.pods} Pods: {course.after.share} %"


def test_a_number_set_by_hand_does_not_last(course):
    """Who sets another number by hand is overruled when the autoscaler looks again.

    `kubectl scale deployment web --replicas 3`, then `kubectl get hpa web --watch`.
    """
    assert course.put_right.pods == 1, f"{BY_HAND} s later there were still {course.put_right.pods} Pods"


def test_without_a_request_it_is_blind(kubectl, eventually):
    """Without a request there is no share: the autoscaler of blind shows <unknown>, and an event says why.

    `kubectl describe hpa blind`: FailedGetResourceMetric. What does the Deployment lack that web has?
    """
    get_one(kubectl, "horizontalpodautoscaler", "blind")

    def reasons():
        found = kubectl.json("get events --field-selector involvedObject.name=blind,reason=FailedGetResourceMetric")
        return " ".join(item["message"] for item in found)

    said = eventually(reasons, lambda text: "missing request for cpu" in text, seconds=KNOWN)
    assert "missing request for cpu" in said, f"the events FailedGetResourceMetric say: {said or 'nothing'}"
    assert "<unknown>" in kubectl("get hpa blind"), "it shows a share"
    now = look(kubectl, "blind")
    assert not now.active, "it says that it can do its work"
    assert now.pods == 1, f"it has made {now.pods} Pods"


@pytest.mark.task
def test_your_autoscaler_keeps_two_pods(kubectl, eventually):
    """Your autoscaler gives the Deployment steady two Pods at least, also after somebody has set one by hand.

    A HorizontalPodAutoscaler names the Deployment it scales, and the least and the most it may make.
    """
    scalers = kubectl.json("get horizontalpodautoscalers")
    targets = [item["spec"]["scaleTargetRef"]["name"] for item in scalers]
    assert "steady" in targets, f"no autoscaler scales steady, only {', '.join(targets) or 'nothing'}"

    def pods():
        return get_one(kubectl, "deployment", "steady")["spec"]["replicas"]

    first = eventually(pods, lambda number: number == 2, seconds=BY_HAND)
    assert first == 2, f"steady has {first} Pods"
    kubectl("scale deployment steady --replicas 1")
    again = eventually(pods, lambda number: number == 2, seconds=BY_HAND)
    assert again == 2, f"set to one by hand, it stays with {again}"
