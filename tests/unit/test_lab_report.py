"""Results become lines and a table that say what was expected and what was seen."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from kubelab import report
from kubelab.course import Ended
from kubelab.results import Check, Expected, Figure, Probe, Results


def probe(place: str, at: str, expected: Expected, seen: str, ok: bool = True) -> Probe:
    return Probe("ClusterIP", "10.96.1.2:8080", place, at, expected, seen, ok)


def printed(thing: object) -> str:
    console = Console(width=120, record=True, file=StringIO())
    console.print(thing)
    return console.export_text()


def test_the_table_has_a_row_an_address_and_a_column_a_place() -> None:
    text = printed(
        report.reach_table(
            [
                probe("pod", "probe", "answer", "helloworld-a"),
                probe("node", "worker", "answer", "helloworld-a"),
                probe("node", "worker2", "answer", "helloworld-b"),
                probe("outside", "outside", "silence", "no route"),
            ]
        )
    )
    assert "2 nodes" in text
    assert "10.96.1.2:8080" in text
    assert "helloworld-a, helloworld-b" in text
    assert "✔ silence" in text
    assert "no route" in text


def test_what_was_measured_is_a_table() -> None:
    text = printed(report.figure_table([Figure("all nodes Ready", "16.2 s"), Figure("memory of etcd", "90 MiB")]))
    assert all(words in text for words in ("measured", "all nodes Ready", "16.2 s", "memory of etcd", "90 MiB"))


def test_a_place_that_was_not_asked_is_a_dot() -> None:
    assert report.cell([]) == "[dim]·[/]"


def test_a_surprise_names_the_place() -> None:
    cell = report.cell(
        [
            probe("node", "worker", "answer", "helloworld-a"),
            probe("node", "worker2", "answer", "timed out", ok=False),
        ]
    )
    assert "✘" in cell
    assert "worker2: timed out" in cell
    assert "helloworld-a" not in cell


def test_a_later_probe_of_the_same_place_counts() -> None:
    again = [probe("pod", "probe", "answer", "refused", ok=False), probe("pod", "probe", "answer", "helloworld-a")]
    assert "✔" in report.cell(again)


def test_what_is_left_to_the_learner_is_no_failure() -> None:
    results = Results("pod", "kind")
    results.checks = [Check("test_a", "It is so.", "passed"), Check("test_b", "Yours.", "open", "no Pod", task=True)]
    assert results.exit_code == 0
    assert results.broken == {"test_b": "no Pod"}
    assert "1 true, 1 yours to do" in report.summary(results)


def test_nothing_checked_is_a_failure() -> None:
    assert Results("pod", "kind").exit_code == 1


def test_results_are_written_as_data(tmp_path: Path) -> None:
    results = Results("pod", "kind", checks=[Check("test_a", "It is so.", "failed", "saw this")])
    results.write(tmp_path / "reports" / "pod.json")
    content = json.loads((tmp_path / "reports" / "pod.json").read_text())
    assert content["checks"][0]["message"] == "saw this"


def test_what_failed_is_told_again_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Of many labs the failed one is long out of sight when the last has ended."""
    labs = [
        Ended("pvc", "failed", "9 states", 1.0, ["fault no-class: nobody notices"]),
        Ended("pod", "passed", "", 1.0),
    ]
    assert not report.course(labs, 2.0)
    assert "fault no-class: nobody notices" in capsys.readouterr().out
