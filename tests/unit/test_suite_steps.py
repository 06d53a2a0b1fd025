"""A step that failed or did not run never counts as passed, whether it runs in order or beside others."""

from __future__ import annotations

import threading

import pytest

from kubelab.suite import unchanged
from kubelab.suite_steps import Step, run, typed


def test_all_steps_ran_and_held(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([Step("one", lambda: ""), Step("two", lambda: "", needs="one")])
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 0 failed"


def test_what_needs_a_failed_step_is_not_run_and_has_not_passed(capsys: pytest.CaptureFixture[str]) -> None:
    def never() -> str:
        raise AssertionError("ran without what it needs")

    ended: list[str] = []

    def down() -> str:
        ended.append("down")
        return ""

    steps = [Step("up", lambda: "exit code 2\nno room"), Step("lab", never, needs="up"), Step("down", down)]
    assert not run(steps)
    assert ended == ["down"]
    out = capsys.readouterr().out
    assert "failed: up: exit code 2\n" in out
    assert "=== up, again: exit code 2\nno room" in out
    assert out.splitlines()[-1] == "1 passed, 2 failed"


def test_a_command_passes_by_its_exit_code_and_by_what_it_printed() -> None:
    assert typed("true")() == ""
    assert typed("sh", "-c", "echo broken >&2; exit 3")() == "exit code 3\nbroken"
    assert typed("echo", "recap: ok=3 changed=0 failed=0 in 2 s", judge=unchanged)() == ""


def test_what_a_command_beside_others_prints_bears_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    typed("printf", r"one\ntwo\n", prefix="node | ")()
    assert capsys.readouterr().out == "node | $ printf one\\ntwo\\n\nnode | one\nnode | two\n"


def test_steps_beside_each_other_run_at_once_and_the_next_after_them(capsys: pytest.CaptureFixture[str]) -> None:
    met = threading.Barrier(2, timeout=10)
    ended: list[str] = []

    def meet() -> str:
        met.wait()
        ended.append("met")
        return ""

    def after() -> str:
        return "" if ended == ["met", "met"] else f"not yet: {ended}"

    steps = [Step("one", meet, beside=True), Step("two", meet, beside=True), Step("after", after)]
    assert run(steps)
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 0 failed"


def test_one_that_fails_beside_others_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [Step("one", lambda: "broken", beside=True), Step("two", lambda: "", beside=True)]
    assert not run(steps)
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed"


def test_after_an_interrupt_none_begins() -> None:
    begun: list[str] = []

    def interrupted() -> str:
        begun.append("one")
        raise KeyboardInterrupt

    def slow(name: str) -> str:
        begun.append(name)
        threading.Event().wait(0.5)
        return ""

    steps = [Step("one", interrupted, beside=True)]
    steps += [Step(name, lambda name=name: slow(name), beside=True) for name in ("two", "three", "four")]  # type: ignore[misc]
    with pytest.raises(KeyboardInterrupt):
        run(steps)
    assert "four" not in begun
