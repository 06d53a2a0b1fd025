"""Many labs at once: nothing that went wrong is lost among them."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from junitparser import JUnitXml

from kubelab import catalogue, course, needs, together
from kubelab.course import Course, Ended
from kubelab.progress import Memory
from kubelab.together import Crowd, Job


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    return Crowd(2, lambda _: None, Memory(tmp_path / "durations.json"))


def job(folder: Path, name: str, script: str) -> Job:
    return Job("lab", name, ["sh", "-c", script], folder / f"{name}.log")


def test_jobs_run_side_by_side_and_tell_their_end(crowd: Crowd, tmp_path: Path) -> None:
    """Each waits for a file of the other: one after the other they would never end."""
    meet = "touch {0}; timeout 20 sh -c 'until [ -e {1} ]; do sleep 0.05; done'; echo met; exit {2}"
    mine, theirs = tmp_path / "a", tmp_path / "b"
    jobs = [job(tmp_path, "a", meet.format(mine, theirs, 0)), job(tmp_path, "b", meet.format(theirs, mine, 3))]
    ended: list[str] = []
    crowd.run(jobs, lambda one: ended.append(one.lab))
    assert sorted(ended) == ["a", "b"]
    assert [one.code for one in jobs] == [0, 3]
    assert jobs[1].log.read_text() == "met\n"


def test_what_takes_longest_begins_first(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "durations.json")
    memory.usual = {"lab : quick": 5.0, "lab : slow": 50.0}
    begun = tmp_path / "begun"
    jobs = [job(tmp_path, name, f"echo {name} >> {begun}") for name in ("quick", "slow", "never-timed")]
    Crowd(1, lambda _: None, memory).run(jobs, lambda _: None)
    assert begun.read_text().split() == ["never-timed", "slow", "quick"]


def test_an_interrupt_ends_what_runs_and_begins_nothing_more(crowd: Crowd, tmp_path: Path) -> None:
    began = tmp_path / "began"
    jobs = [job(tmp_path, name, f"echo {name} >> {began}; exec sleep 60") for name in ("a", "b", "c")]
    threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        crowd.run(jobs, lambda _: None)
    assert time.monotonic() - started < 20
    assert len(began.read_text().split()) == 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(course, "ROOT", tmp_path)
    monkeypatch.setattr(course, "reports_dir", lambda _: tmp_path)
    return tmp_path


def ended_job(folder: Path, code: int, printed: str = "") -> Job:
    made = Job("lab", "first", ["x"], folder / "first.lab.log", code, 1.0)
    made.log.write_text(printed)
    return made


def test_a_failure_says_what_was_seen_and_where_to_look(folder: Path) -> None:
    check = {
        "name": "test_a",
        "statement": "It answers.",
        "outcome": "failed",
        "message": "refused",
        "hint": "endpoints",
    }
    (folder / "first.json").write_text(json.dumps({"checks": [check]}))
    one = Course("kind", 1)._ran(ended_job(folder, 1))
    assert one.outcome == "failed"
    assert one.problems == ["It answers.", "  saw: refused", "  look: endpoints"]
    assert one.told == "1 not true"


def test_a_lab_that_ended_before_its_checks_shows_its_last_lines(folder: Path) -> None:
    one = Course("kind", 1)._ran(ended_job(folder, 2, "first\nfound: no room\n"))
    assert (one.outcome, one.problems) == ("failed", ["first", "found: no room"])


def test_a_lab_is_skipped_with_the_reason_and_all_others_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "unmet", lambda *_: ["the lab needs wings"])
    seen: list[Ended] = []
    ended = Course("kind", 1, seen.append, lambda _: None).run()
    assert seen == ended
    assert {(one.outcome, one.told) for one in ended} == {("skipped", "the lab needs wings")}


def test_a_file_for_test_runners_counts_every_outcome(tmp_path: Path) -> None:
    def check(name: str, outcome: str) -> dict[str, object]:
        return {"name": name, "statement": name, "outcome": outcome, "message": "saw", "hint": "", "seconds": 0.5}

    checks = [check("test_a", "passed"), check("test_b", "failed"), check("test_c", "open")]
    ended = [
        Ended("one", "failed", "", results={"checks": checks}),
        Ended("two", "skipped", "no wings"),
        Ended("three", "failed", "", problems=["no room"]),
    ]
    course.write_junit(tmp_path / "x.xml", ended)
    suites = {suite.name: suite for suite in JUnitXml.fromfile(str(tmp_path / "x.xml"))}
    counted = {name: (one.tests, one.failures, one.errors, one.skipped) for name, one in suites.items()}
    assert counted == {"one": (3, 1, 0, 1), "two": (1, 0, 0, 1), "three": (1, 0, 1, 0)}


def test_two_labs_for_each_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert together.usual_number() == 8


def test_a_lab_that_disturbs_others_runs_when_they_have_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [SimpleNamespace(id=name, lab=SimpleNamespace(needs=None, alone=name != "quiet")) for name in "ab"]
    entries.append(SimpleNamespace(id="quiet", lab=SimpleNamespace(needs=None, alone=False)))
    crowds: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(needs, "unmet", lambda *_: [])
    monkeypatch.setattr(Crowd, "run", lambda self, jobs, _: crowds.append((self.at_once, [job.lab for job in jobs])))
    Course("kind", 4)._each(entries, "lab", lambda _: Ended("x", "passed", ""))  # type: ignore[arg-type]
    assert crowds == [(4, ["quiet"]), (1, ["a", "b"])]


@pytest.mark.parametrize("what", ["run", "prove"])
@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [({}, ["quick", "slow"]), ({"slow": False}, ["quick"]), ({"quick": False}, ["slow"])],
)
def test_quick_and_slow_labs_can_be_run_and_proved_apart(
    what: str, wanted: dict[str, bool], chosen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labs = [SimpleNamespace(id=name, lab=SimpleNamespace(slow=name == "slow")) for name in ("quick", "slow")]
    monkeypatch.setattr(catalogue, "load_all", lambda: labs)
    monkeypatch.setattr(course, "Inspector", lambda _: SimpleNamespace(look_settled=dict, difference_from=lambda _: []))
    seen: list[str] = []
    monkeypatch.setattr(Course, "reset", lambda _: [])

    def each(_: Course, entries: list[SimpleNamespace], *__: object) -> list[Ended]:
        seen.extend(entry.id for entry in entries)
        return []

    monkeypatch.setattr(Course, "_each", each)
    getattr(Course("c", 2, lambda _: None, lambda _: None), what)(**wanted)
    assert seen == chosen
