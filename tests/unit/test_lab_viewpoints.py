"""An answer counts by who gave it; silence counts only where something else did answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from kubelab import catalogue, pytest_plugin
from kubelab.pytest_plugin import Run
from kubelab.reach import Reach
from kubelab.results import Probe
from kubelab.viewpoints import Answer, Reachable, parse_answer
from kubelab.waiting import NEVER_READY, Patience, unready

OURS = Answer(200, "Hello, world!\nHostname: ours\n")
STRANGER = Answer(404, "<html>not here</html>")
REFUSED = Answer(None, "", "refused")


@dataclass
class FakePlace:
    answer: Answer
    control: str = ""
    place: str = "outside"
    name: str = "outside"
    asked: int = field(default=0)

    def get(self, _: str) -> Answer:
        self.asked += 1
        return self.answer


@pytest.fixture
def reach() -> Reach:
    return Reach([], Patience(0))


def test_an_answer_of_ours_is_an_answer(reach: Reach) -> None:
    reach.answers("name", "http://x:8080", [FakePlace(OURS)], by=["Hostname: ours"])  # type: ignore[list-item]
    assert reach.probes == [Probe("name", "x:8080", "outside", "outside", "answer", "ours", True)]


@pytest.mark.parametrize("answer", [STRANGER, REFUSED, Answer(200, "Hostname: ours-too\n")])
def test_anything_else_is_none(reach: Reach, answer: Answer) -> None:
    with pytest.raises(AssertionError, match="expected an answer"):
        reach.answers("name", "http://x:8080", [FakePlace(answer)], by=["Hostname: ours"])  # type: ignore[list-item]
    assert not reach.probes[0].ok


def test_without_anybody_who_could_answer_nothing_is_asked(reach: Reach) -> None:
    with pytest.raises(AssertionError, match="nobody is there"):
        reach.answers("name", "http://x:8080", [FakePlace(OURS)], by=[])  # type: ignore[list-item]


@pytest.mark.parametrize(("fails", "asked"), [(True, 3), (False, 1)])
def test_a_check_that_fails_in_the_end_listens_until_its_fault_is_in_force(fails: bool, asked: int) -> None:
    answers = [REFUSED, STRANGER, OURS]

    class Later(FakePlace):
        def get(self, url: str) -> Answer:
            super().get(url)
            return answers[self.asked - 1]

    place: Any = Later(REFUSED)
    with pytest.raises(AssertionError, match="somebody answered") if fails else nullcontext():
        Reach([], Patience(9), lambda: fails).silent("name", "http://x:8080", [place], by=["Hostname: ours"])
    assert place.asked == asked


def test_silence_needs_a_place_that_reaches_something_else(reach: Reach) -> None:
    reach.silent("name", "http://x:8080", [FakePlace(REFUSED)])  # type: ignore[list-item]
    with pytest.raises(AssertionError, match="silence proves nothing"):
        reach.silent("name", "http://x:8080", [FakePlace(REFUSED, control="no route")])  # type: ignore[list-item]


def test_any_answer_breaks_the_silence(reach: Reach) -> None:
    with pytest.raises(AssertionError, match="somebody answered"):
        reach.silent("name", "http://x:8080", [FakePlace(STRANGER)])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("stderr", "answer"),
    [
        ("< HTTP/1.1 200 OK\nkubelab-curl-exit=0\n", Answer(200, "body")),
        (
            "* connect to 10.0.0.1 port 80 failed: Connection refused\nkubelab-curl-exit=7\n",
            Answer(None, "", "refused"),
        ),
        ("* Network is unreachable\nkubelab-curl-exit=7\n", Answer(None, "", "no route")),
        ("* Could not resolve host: x\nkubelab-curl-exit=6\n", Answer(None, "", "no such name")),
        ("* Operation timed out after 2001 ms\nkubelab-curl-exit=28\n", Answer(None, "", "timed out")),
        ("* strange\nkubelab-curl-exit=56\n", Answer(None, "", "curl exit code 56")),
        ("Error: No such container: x\n", None),
    ],
)
def test_what_curl_says_becomes_an_answer_or_a_reason(stderr: str, answer: Answer | None) -> None:
    assert parse_answer("body", stderr) == answer


def test_the_generated_inventory_is_read_without_ansible(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "inventory.yml"
    path.write_text(
        "all:\n  vars: {ansible_connection: community.docker.docker}\n  children:\n"
        "    control_planes: {hosts: {cp: {node_address: 172.30.0.2}}}\n"
        "    workers: {hosts: {w1: {node_address: 172.30.0.3}, w2: {node_address: 172.30.0.4}}}\n"
        "    outside: {hosts: {}}\n"
    )
    monkeypatch.setattr("kubelab.viewpoints.node_inventory", lambda _: path)
    cluster = Reachable("x")
    assert cluster.group("workers") == ["w1", "w2"]
    assert cluster.address("w2") == "172.30.0.4"
    assert cluster.api_address == "172.30.0.2"
    assert [node.name for node in cluster.nodes()] == ["cp", "w1", "w2"]
    assert cluster.nodes()[0].host.backend.NAME == "docker"
    assert cluster.outside() is None


def test_workloads_that_shall_never_be_ready_are_not_waited_for() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Pending"}}
    never = {"kind": "Pod", "metadata": {"name": "n", "annotations": {NEVER_READY: "true"}}, "status": {}}
    owned = {"kind": "Pod", "metadata": {"name": "o", "ownerReferences": [{}]}, "status": {}}
    done = {"kind": "Pod", "metadata": {"name": "d"}, "status": {"phase": "Succeeded"}}
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "three", "generation": 2},
        "spec": {"replicas": 3},
        "status": {"observedGeneration": 2, "readyReplicas": 2},
    }
    assert unready([pod, never, owned, done, deployment]) == ["pod/p", "deployment/three"]


def test_on_a_port_of_a_node_only_an_answer_of_ours_breaks_the_silence(reach: Reach) -> None:
    ours = ["Hostname: ours"]
    reach.silent("port", "http://x:8080", [FakePlace(STRANGER)], by=ours)  # type: ignore[list-item]
    with pytest.raises(AssertionError, match="somebody answered"):
        reach.silent("port", "http://x:8080", [FakePlace(OURS)], by=ours)  # type: ignore[list-item]
    with pytest.raises(AssertionError, match="somebody answered"):
        reach.silent("port", "http://x:8080", [FakePlace(STRANGER)])  # type: ignore[list-item]


def look_until(run: Run) -> Callable[..., Any]:
    """The fixture as a check gets it."""
    return pytest_plugin.eventually.__wrapped__(run)  # type: ignore[attr-defined, no-any-return]


def test_whoever_waited_for_a_change_grants_time_to_follow_it() -> None:
    run = Run("kind", catalogue.CLUSTER_GROUND)
    run.patience = Patience(5, started=0)
    eventually = look_until(run)
    assert eventually(lambda: True)
    assert run.patience.left == 0
    slow = iter([False] * 8 + [True])
    assert eventually(lambda: next(slow), seconds=30)
    assert run.patience.left > 0


def test_a_check_that_is_known_to_fail_does_not_wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest_plugin, "IMPATIENT", 0.3)
    run = Run("kind", catalogue.CLUSTER_GROUND, hopeless=lambda name: name == "test_broken")
    eventually = look_until(run)
    run.pytest_runtest_setup(SimpleNamespace(name="test_broken"))  # type: ignore[arg-type]
    slow = iter([False] * 4 + [True] * 99)
    assert not eventually(lambda: next(slow), seconds=30)
    run.pytest_runtest_setup(SimpleNamespace(name="test_sound"))  # type: ignore[arg-type]
    slow = iter([False] * 4 + [True] * 99)
    assert eventually(lambda: next(slow), seconds=30)


def test_a_busy_machine_is_given_time_and_what_fails_anyway_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (12.0, 0, 0))
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    one = Run("kind", catalogue.CLUSTER_GROUND, hopeless=lambda name: name == "test_lost", failing=["test_bad"])
    assert 29 < one.patience.left <= 30
    for name in ("test_lost", "test_bad"):
        one.pytest_runtest_setup(SimpleNamespace(name=name))  # type: ignore[arg-type]
        assert 9 < one.patience.left <= 10
    one.pytest_runtest_setup(SimpleNamespace(name="test_sound"))  # type: ignore[arg-type]
    assert 29 < one.patience.left <= 30
