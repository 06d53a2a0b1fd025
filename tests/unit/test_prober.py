"""Requests that were sent while something happened: what is counted, and what counts as silence."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from kubelab import prober, report
from kubelab.prober import Prober, Request, longest_silence, parse
from kubelab.results import Outage
from kubelab.viewpoints import Answer

PRINTED = """\
10.0 10.1 0 Hello, world!,Version: 2.0.0,Hostname: one,
10.2 12.2 28
12.3 12.4 7
12.5 12.6 0 Hello, world!,Version: 2.0.0,Hostname: two,
12.7 12.8
"""


def test_each_line_is_a_request_and_an_unfinished_one_is_none() -> None:
    requests = parse(PRINTED)
    assert [request.name for request in requests] == ["one", "", "", "two"]
    assert [request.body is None for request in requests] == [False, True, True, False]


@pytest.mark.parametrize(
    ("answered", "silence"),
    [([True, True], 0.0), ([True, False, True], 2.0), ([False, False], 2.0), ([False, True, False, False, True], 3.0)],
)
def test_silence_lasts_from_the_first_lost_request_to_the_next_answer(answered: list[bool], silence: float) -> None:
    requests = [Request(n, n + 1.0, "x" if good else None) for n, good in enumerate(answered)]
    assert longest_silence(requests) == silence


@dataclass
class Here:
    """This machine as a place; `answer` is what curl would give back."""

    body: str | None
    name: str = "here"
    cluster: Any = field(default_factory=lambda: SimpleNamespace(seconds=1))

    def get(self, url: str) -> Answer:
        return Answer(200, self.body) if self.body else Answer(None, "", "refused")

    def run(self, command: str) -> Any:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        return SimpleNamespace(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)


def test_requests_are_sent_as_long_as_something_happens(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text("Hello\nHostname: one\n")
    outages: list[Outage] = []
    kubectl: Any = SimpleNamespace(run=lambda _: SimpleNamespace(stdout="worker\n"))
    place: Any = Here("Hello")
    with Prober(place, outages, kubectl).during("the page goes away for a while", f"file://{page}") as watch:
        time.sleep(0.5)
        page.rename(tmp_path / "away")
        time.sleep(0.5)
        (tmp_path / "away").rename(page)
        time.sleep(0.5)
    assert watch.names == ["one"]
    assert 0 < watch.lost < watch.sent
    assert 0.3 < watch.gap < 1.0
    assert [(one.lost, one.answered_by) for one in outages] == [(watch.lost, "one on worker")]


def test_what_does_not_answer_beforehand_cannot_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober, "BEFORE", 0)
    place: Any = Here(None)
    watching = Prober(place, [], SimpleNamespace()).during("x", "http://nowhere")  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="does not answer before anything happens: refused"), watching:
        pass


def test_the_table_says_what_it_cost() -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(report.outage_table([Outage("a node stops", "x:80", 90, 4, 2.5, "two on worker2")]))
    text = console.export_text()
    assert all(words in text for words in ("a node stops", "90", "4", "2.5 s", "two on worker2"))
