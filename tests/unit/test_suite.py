"""The test suite does not pass by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelab import suite
from kubelab.errors import Refusal
from kubelab.parts import ON_REQUEST, PARTS


@pytest.mark.parametrize(
    "printed", ["", "recap: ok=3 changed=10 failed=0", "recap: ok=1 changed=0\nrecap: ok=1 changed=2", "changed=0"]
)
def test_a_change_in_any_playbook_is_a_change(printed: str) -> None:
    assert suite.unchanged(printed).startswith("changed: ")


def test_the_life_of_the_cluster_has_its_steps_in_order() -> None:
    titles = [step.title for step in suite.chosen([])]
    wanted = [
        "remove what an earlier run left",
        "up",
        "all labs",
        "checks of the labs are checked",
    ]
    wanted += ["up again changes nothing", "down", "down again is fine", "nothing is left"]
    assert [title for title in titles if title in wanted] == wanted


def test_every_part_has_steps_and_every_step_a_part_that_can_be_named() -> None:
    steps = [*suite.steps_alone(), *suite.steps_of_a_cluster()]
    assert {step.part for step in steps if step.part} == set(PARTS)
    assert {step.part for step in suite.chosen([])} == set(PARTS) - ON_REQUEST | {""}


def test_one_part_brings_what_it_needs_and_no_other() -> None:
    assert [step.title for step in suite.chosen(["unit"])] == ["unit tests"]
    assert [step.title for step in suite.chosen(["kind"])] == ["scenario kind"]
    steps = list(suite.chosen(["labs", "new-lab"]))
    assert {step.part for step in steps} == {"", "labs", "new-lab"}
    assert {"up", "down", "nothing is left"} < {step.title for step in steps}
    assert all(step.needs in {"", *(other.title for other in steps)} for step in steps)


def test_an_unknown_part_is_refused_before_anything_runs() -> None:
    with pytest.raises(Refusal, match='no part "labz"; did you mean "labs"') as refused:
        suite.chosen(["unit", "labz"])
    assert "needed: one of: lint, unit" in str(refused.value)


def test_a_second_run_is_refused_and_the_fast_parts_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with suite.only_one([]):
        with suite.only_one(["lint", "unit"]):
            pass
        for parts in ([], ["unit", "labs"]):
            with pytest.raises(Refusal, match="another `invoke test` at work"), suite.only_one(parts):
                pass
    with suite.only_one(["labs"]):
        pass


def test_what_is_new_afterwards_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([{"volume a"}, {"volume a", "container kubelab-test-worker"}])
    monkeypatch.setattr(suite, "leftovers", lambda: next(seen))
    steps = {step.title: step for step in suite.steps_of_a_cluster()}
    assert steps["look at what is here"].run() == ""
    assert steps["nothing is left"].run() == "container kubelab-test-worker"


def test_a_machine_that_does_not_stop_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        suite, "leftovers", lambda: {"container a", "container b", "container c", "network kubelab-test"}
    )
    asked = []

    def docker(words: list[str]) -> list[str]:
        asked.append(words)
        # They are named in the order in which they stopped.
        return words[1:] if words[0] == "start" else words[:2:-1]

    monkeypatch.setattr(suite, "_docker", docker)
    assert suite.restart() == ""
    assert asked[-1] == ["start", "b", "a"], "one stays stopped, the others take addresses in another order"
    monkeypatch.setattr(suite, "_docker", lambda _: [])
    assert suite.restart() == "not all of them stopped"


def test_leftovers_of_a_run_without_a_record_are_removed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[list[str]] = []
    monkeypatch.setattr(suite, "typed", lambda *words: lambda: "")
    monkeypatch.setattr(
        suite, "leftovers", lambda: {"container kubelab-test-worker", "network kubelab-test", "volume x"}
    )
    monkeypatch.setattr(suite, "_docker", removed.append)
    assert suite.clear() == ""
    assert removed == [["rm", "--force", "--volumes", "kubelab-test-worker"], ["network", "rm", "kubelab-test"]]
