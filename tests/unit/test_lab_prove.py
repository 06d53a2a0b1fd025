"""A proof is judged strictly: a check that passes too early, or fails for another reason, speaks against it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from invoke import Exit

from kubelab import catalogue, playbook, prove
from kubelab.catalogue import Fault
from kubelab.leftovers import difference, lines, of_kubelet
from kubelab.results import Check, Outcome, Results


def results(**outcomes: Outcome) -> Results:
    made = Results("lab", "kind")
    made.checks = [
        Check(name, name, outcome, f"{name} saw nothing" if outcome in ("failed", "open") else "", task="task" in name)
        for name, outcome in outcomes.items()
    ]
    return made


def test_untouched_nothing_may_pass() -> None:
    assert prove.judge_untouched(results(test_a="failed", test_task="open", test_c="skipped")) == []
    assert prove.judge_untouched(results(collection="failed")) != []
    assert prove.judge_untouched(results(test_a="passed")) == ["test_a passes although nothing is there"]


def test_half_done_exactly_the_tasks_are_missing() -> None:
    assert prove.judge_half(results(test_a="passed", test_task="open")) == []
    assert prove.judge_half(results(test_a="passed", test_task="passed")) != []
    assert prove.judge_half(results(test_a="failed", test_task="open")) != []


def test_solved_everything_passes() -> None:
    assert prove.judge_solution(results(test_a="passed", test_task="passed")) == []
    assert prove.judge_solution(results(test_a="passed", test_task="open")) != []


def test_a_fault_breaks_what_it_names_and_says_why() -> None:
    fault = Fault(title="x", fails={"test_a": "saw nothing"}, also=["test_b"])
    assert prove.judge_fault(results(test_a="failed", test_b="failed", test_c="passed"), fault) == []
    assert prove.judge_fault(results(test_a="failed", test_b="passed"), fault) == []
    assert prove.judge_fault(results(test_a="passed"), fault) == ["test_a does not notice"]
    assert prove.judge_fault(results(test_a="failed", test_c="failed"), fault) != []
    other = Fault(title="x", fails={"test_a": "refused"})
    assert "without saying" in prove.judge_fault(results(test_a="failed"), other)[0]


def test_what_the_learner_has_to_do_is_not_waited_for_longer_without_the_solution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[set[str]] = []

    def run(*_: object, failing: set[str], **__: object) -> Results:
        asked.append(failing)
        return results(test_a="passed", test_task="open")

    monkeypatch.setattr("kubelab.checks.run", run)
    monkeypatch.setattr("kubelab.checks.wait_until_ready", lambda *_: [])
    monkeypatch.setattr("kubelab.playbook.run", lambda *_, **__: None)
    proof = prove.Proof("kind", catalogue.load("pod").ground)
    proof.state("nothing")
    proof.state()
    proof.state("solution")
    proof.state("solution", "bad", Fault(title="x", fails={"test_a": "saw"}))
    assert asked == [set(), {"test_task"}, set(), {"test_a"}]


@pytest.mark.parametrize(("code", "steps"), [(2, 1), (playbook.INTERRUPTED, 0)])
def test_a_playbook_that_fails_is_a_finding_but_who_stops_it_stops_the_proof(code: int, steps: int) -> None:
    def state() -> list[str]:
        raise Exit(code=code)

    proof = prove.Proof("kind", catalogue.load("pod").ground)
    with nullcontext() if steps else pytest.raises(Exit):
        proof._step("x", state)
    assert len(proof.findings) == steps


def test_inventories_are_compared_both_ways_and_by_number() -> None:
    before = {"cluster": ["Pod a/x", "Pod a/x"], "node": ["route 1"]}
    after = {"cluster": ["Pod a/x", "PersistentVolume /p"], "node": ["route 1"]}
    assert difference(before, before) == []
    assert difference(before, after) == ["cluster: left over: PersistentVolume /p", "cluster: missing: Pod a/x"]


@pytest.mark.parametrize(
    ("signer", "ignored"),
    [("kubelet-serving", True), ("kube-apiserver-client-kubelet", True), ("kube-apiserver-client", False)],
)
def test_only_requests_of_kubelets_may_come_and_go(signer: str, ignored: bool) -> None:
    item = {"kind": "CertificateSigningRequest", "spec": {"signerName": f"kubernetes.io/{signer}"}}
    assert of_kubelet(item) is ignored


def test_labels_and_taints_of_a_node_count_too() -> None:
    taint = {"key": "broken", "effect": "NoSchedule"}
    node = {"kind": "Node", "metadata": {"name": "n", "labels": {"a": "b"}}, "spec": {"taints": [taint]}}
    assert lines(node) == ["Node /n", "Node /n taint broken:NoSchedule", "Node /n label a=b"]
    replica = {"kind": "Pod", "metadata": {"name": "x-1", "generateName": "x-", "namespace": "a"}}
    assert lines(replica) == ["Pod a/x-"]
