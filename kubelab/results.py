"""What a run of checks found out, as data: for the terminal, for files and for later reports."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["passed", "failed", "open", "skipped"]
Expected = Literal["answer", "silence"]


@dataclass
class Probe:
    """One request from one place: what was expected and what was seen."""

    label: str
    address: str
    place: str
    at: str
    expected: Expected
    seen: str
    ok: bool


@dataclass
class Outage:
    """What became of the requests that were sent while something happened; `gap` is the longest silence, in seconds."""

    label: str
    address: str
    sent: int
    lost: int
    gap: float
    answered_by: str
    """Who answered the last request, and on which node it runs; '' when nobody did."""


@dataclass
class Figure:
    """Something measured, in words with its unit: how long it took, how much memory it needs."""

    what: str
    value: str


@dataclass
class Check:
    """One statement of the lesson and what became of it."""

    name: str
    statement: str
    outcome: Outcome
    message: str = ""
    hint: str = ""
    seconds: float = 0.0
    task: bool = False


@dataclass(frozen=True)
class Finding:
    """One step of a proof: what was to be shown, what speaks against it, and how long it took."""

    title: str
    problems: list[str]
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.problems


@dataclass
class Results:
    """All checks and probes of one run over one ground."""

    ground: str
    cluster: str
    seconds: float = 0.0
    checks: list[Check] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def with_outcome(self, *outcomes: Outcome) -> list[Check]:
        return [check for check in self.checks if check.outcome in outcomes]

    @property
    def exit_code(self) -> int:
        """0 when nothing failed and something was checked; what is still the learner's to do is no failure."""
        return 1 if self.with_outcome("failed") or not self.checks else 0

    @property
    def broken(self) -> dict[str, str]:
        """Messages of everything that did not hold, the learner's part included, by name of the check."""
        return {check.name: check.message for check in self.with_outcome("failed", "open")}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")
