"""The test suite does not pass by accident."""

from __future__ import annotations

import pytest

from kubelab import suite
from kubelab.suite import Step


def test_all_steps_ran_and_held(capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.run([Step("one", lambda: ""), Step("two", lambda: "", needs="one")])
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 0 failed"


def test_what_needs_a_failed_step_is_not_run_and_has_not_passed(capsys: pytest.CaptureFixture[str]) -> None:
    def never() -> str:
        raise AssertionError("ran without what it needs")

    ended: list[str] = []

    def down() -> str:
        ended.append("down")
        return ""

    steps = [Step("up", lambda: "exit code 2\nno room"), Step("lab", never, needs="up"), Step("down", down)]
    assert not suite.run(steps)
    assert ended == ["down"]
    out = capsys.readouterr().out
    assert "failed: up: exit code 2\n" in out
    assert "=== up, again: exit code 2\nno room" in out
    assert out.splitlines()[-1] == "1 passed, 2 failed"


def test_a_command_passes_by_its_exit_code_and_by_what_it_printed() -> None:
    assert suite.typed("true")() == ""
    assert suite.typed("sh", "-c", "echo broken >&2; exit 3")() == "exit code 3\nbroken"
    assert suite.typed("echo", "recap: ok=3 changed=0 failed=0 in 2 s", judge=suite.unchanged)() == ""


@pytest.mark.parametrize(
    "printed", ["", "recap: ok=3 changed=10 failed=0", "recap: ok=1 changed=0\nrecap: ok=1 changed=2", "changed=0"]
)
def test_a_change_in_any_playbook_is_a_change(printed: str) -> None:
    assert suite.unchanged(printed).startswith("changed: ")


def test_the_life_of_the_cluster_has_its_steps_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "leftovers", set)
    titles = [step.title for step in suite.cluster_steps()]
    wanted = [
        "remove what an earlier run left",
        "up",
        "all labs",
        "all labs, once more",
        "checks of all labs are checked",
    ]
    wanted += ["up again changes nothing", "down", "down again is fine", "nothing is left"]
    assert [title for title in titles if title in wanted] == wanted


def test_what_is_new_afterwards_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([{"volume a"}, {"volume a", "container kubelab-test-worker"}])
    monkeypatch.setattr(suite, "leftovers", lambda: next(seen))
    last = list(suite.cluster_steps())[-1]
    assert last.run() == "container kubelab-test-worker"


def test_leftovers_of_a_run_without_a_record_are_removed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[list[str]] = []
    monkeypatch.setattr(suite, "typed", lambda *words: lambda: "")
    monkeypatch.setattr(
        suite, "leftovers", lambda: {"container kubelab-test-worker", "network kubelab-test", "volume x"}
    )
    monkeypatch.setattr(suite, "_docker", removed.append)
    assert suite.clear() == ""
    assert removed == [["rm", "--force", "--volumes", "kubelab-test-worker"], ["network", "rm", "kubelab-test"]]
