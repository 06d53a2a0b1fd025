"""Lab node-failure: what happens to Pods when their node is emptied, and when it fails. conftest.py does it, once."""

import pytest

SOON = 20
"""Nobody is given up for being silent for so few seconds."""
COARSE = 3
"""Seconds that noticing may seem longer than it was: we look now and then, and a toleration counts whole seconds."""


def test_a_cordoned_node_gets_no_new_pod(drained, victim, where):
    """A node that is cordoned keeps its Pods and gets no new one: the second Pod of web goes to another node.

    `kubectl get nodes` shows SchedulingDisabled. Where do the Pods run? `kubectl get pods -o wide`.
    """
    ready = [pod for pod in drained.second if pod.ready]
    assert ready, f"no second Pod of web became ready: {where(drained.second)}"
    assert ready[0].node != victim, f"it came to the cordoned node: {where(ready)}"


def test_a_drain_waits_for_the_budget(drained):
    """A drain does not take the only Pod: the PodDisruptionBudget says that one stays ready, so it waits.

    `kubectl get pdb web` shows under ALLOWED DISRUPTIONS how many may go now. Does it select the Pods of web?
    """
    assert drained.stayed, "the only Pod of web was evicted"
    assert drained.waited.returncode, "the drain ended as if the node were empty"
    assert "disruption budget" in drained.waited.stderr, f"it waits for another reason: {drained.waited.stderr}"


def test_with_a_second_pod_the_drain_goes_on_without_loss(drained):
    """As soon as a second Pod is ready the drain goes on, and from outside not one request was lost.

    `kubectl scale deployment web --replicas 2`, then the same `kubectl drain` again.
    """
    assert drained.went, "the drain could not be tried a second time"
    assert drained.went.returncode == 0, f"the drain did not end: {drained.went.stderr}"
    watch = drained.watch
    assert not watch.lost, f"of {watch.sent} requests {watch.lost} were lost, nobody answered for {watch.gap:.1f} s"


def test_at_first_nobody_notices(stopped):
    """Whose power fails says goodbye to nobody: the node is shown as Ready and its Pod too, yet nobody answers outside.

    `kubectl get nodes` and `kubectl get pods` show what was last heard, not what is.
    """
    assert stopped.silent, "somebody still answers: did the node stop?"
    assert stopped.shown == ("True", [True]), "it was known at once: Ready was {} of the node, {} of its Pod".format(
        *stopped.shown
    )


def test_after_a_while_the_node_is_not_ready(stopped):
    """When nothing was heard of it for most of a minute, the node is NotReady: its condition Ready is Unknown.

    `kubectl describe node` says under Conditions: Kubelet stopped posting node status.
    """
    assert stopped.state == "Unknown", f"after {stopped.noticed:.0f} s its condition Ready is {stopped.state}"
    assert stopped.noticed > SOON, f"it was noticed after {stopped.noticed:.0f} s: was it told?"


def test_the_deployment_makes_a_new_pod_elsewhere(stopped, victim, where):
    """When the toleration of its Pod has run out, the Deployment has a new Pod, ready, on another node.

    `kubectl get pods -o wide`. How long a Pod stays stands in its tolerations: `kubectl describe pod`.
    """
    new = [pod for pod in stopped.moved if pod.uid != stopped.web.uid and pod.ready]
    assert new, f"no new Pod became ready: {where(stopped.moved)}"
    assert new[0].node != victim, f"it was made on the lost node: {where(new)}"


def test_outside_nobody_answers_until_then(stopped):
    """From outside nobody answers until the new Pod is ready: noticing, toleration and start, one after the other.

    The table of requests says for how many seconds, and who answered at the end, on which node.
    """
    watch = stopped.watch
    assert watch.names[0] == stopped.web.name, f"before the node stopped {watch.names[0]} answered, not {stopped.web}"
    assert watch.names[1:], f"nobody answered again after {stopped.web}"
    least = stopped.noticed + stopped.web.patience - COARSE
    assert watch.gap >= least, f"nobody answered for {watch.gap:.0f} s; to give the Pod up took {least:.0f} s"


def test_the_statefulset_does_not(stopped, where):
    """The Pod of the StatefulSet is told to end and is not replaced: on the silent node it may still be running.

    `kubectl get pods` shows it as Terminating, however long the node stays away.
    """
    assert [pod.uid for pod in stopped.waiting] == [stopped.keeper.uid], f"it was replaced: {where(stopped.waiting)}"
    assert stopped.waiting[0].going, "it was not even told to end"


def test_who_removes_it_by_force_gets_a_new_one(stopped, victim, where):
    """Somebody who knows that the node is off can remove the Pod by force: then it is made anew elsewhere. (A twin.)

    `kubectl delete pod --force` removes the object and asks no node whether the Pod has ended.
    """
    new = [pod for pod in stopped.forced if pod.uid != stopped.twin.uid and pod.ready]
    assert new, f"no other became ready: {where(stopped.forced)}"
    assert new[0].node != victim, f"it was replaced on the lost node: {where(new)}"


def test_when_the_node_is_back_all_is_settled(stopped, where):
    """When the node is back it is Ready again by itself; what was told to end there ends, and keeper-0 is replaced.

    `kubectl get pods --watch` while the node comes back: Terminating ends, and the StatefulSet goes on.
    """
    assert stopped.back == "True", f"its condition Ready is {stopped.back}"
    again = [pod for pod in stopped.again if pod.ready]
    assert [pod.name for pod in again] == ["keeper-0"], f"keeper-0 is not ready: {where(stopped.again)}"
    assert again[0].uid != stopped.keeper.uid, "it is the same keeper-0 as before"
    assert len(stopped.left) == 1, f"web has more than one Pod: {where(stopped.left)}"


@pytest.mark.task
def test_your_pair_goes_on_answering(stopped):
    """Your two Pods behind the Service pair go on answering when the node of one of them stops.

    On which nodes do they run? The labels of your Pods must be those that the Service looks for.
    """
    assert stopped.pair, "there is no Pod behind the Service pair"
    longest = stopped.noticed / 2
    assert stopped.pair.gap < longest, f"nobody answered for {stopped.pair.gap:.0f} s: they depended on one node"
