"""Lab newlab: what is true in it, one check for each statement of the lesson."""

import pytest

TOKENS = ["Hostname: newlab"]
"""A line that only the lab's own Pod can say."""


@pytest.fixture(scope="module")
def url(kubectl):
    found = [item for item in kubectl.pods() if item["metadata"]["name"] == "newlab"]
    assert found, f"there is no Pod newlab in namespace {kubectl.namespace}"
    return f"http://{found[0]['status'].get('podIP')}:8080"


def test_it_answers_other_pods(reach, pod, url):
    """The first line is the statement that a learner reads: the Pod answers other Pods.

    What follows is shown when it does not hold, and says where to look: `kubectl get pod newlab -o wide`.
    """
    reach.answers("Pod newlab", url, pod, by=TOKENS)


def test_outside_does_not_reach_it(reach, outside, url):
    """A machine outside of the cluster does not reach it.

    `reach.silent` first makes sure that this machine reaches something that must answer.
    """
    reach.silent("Pod newlab", url, outside)
