"""Figures measured several times, beside what they are compared with: statistics and tables, nothing that runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

HEADINGS = ("measured", "kubelab", "without kubelab", "ratio, pair by pair", "goal")
NOTHING = "-"


@dataclass
class Figure:
    """One thing measured in several runs. Number n of `ours` and number n of `other` were measured one after the other.

    Without `other` there is nothing to compare with; without `ours` it explains a part of another figure.
    """

    title: str
    unit: str
    ours: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    goal: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours divided by the other, pair by pair; empty when one of them was not measured."""
        if not self.ours or not self.other:
            return []
        return [mine / theirs for mine, theirs in zip(self.ours, self.other, strict=True)]

    def row(self) -> tuple[str, ...]:
        """Returns the words of one line of the table."""
        number = _number(self.unit)
        return self.title, spread(self.ours, number), spread(self.other, number), pairs(self.ratios), self.goal

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratios": [round(ratio, 3) for ratio in self.ratios]}


def spread(values: Sequence[float], number: Callable[[float], str]) -> str:
    """Returns '12.3 s (11.9 to 13.0)': the median, the least and the most."""
    if not values:
        return NOTHING
    middle = number(median(values))
    if len(values) == 1:
        return middle
    least, most = (number(value).split(" ")[0] for value in (min(values), max(values)))
    return f"{middle} ({least} to {most})"


def pairs(ratios: Sequence[float]) -> str:
    """Returns '1.21 (1.18, 1.21, 1.30)': the median, then every pair in the order in which it was measured."""
    if not ratios:
        return NOTHING
    middle = f"{median(ratios):.2f}"
    return middle if len(ratios) == 1 else f"{middle} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})"


def _number(unit: str) -> Callable[[float], str]:
    digits = 0 if unit == "MiB" else 1
    return lambda value: f"{value:.{digits}f} {unit}"


def alternate(
    runs: int, ours: Callable[[int], float], other: Callable[[int], float]
) -> tuple[list[float], list[float]]:
    """Measures both in turn, every second pair the other way round, so that neither always finds a warmer machine."""
    seen: tuple[list[float], list[float]] = ([], [])
    for number in range(1, runs + 1):
        sides = [(seen[0], ours), (seen[1], other)]
        for values, measure in sides if number % 2 else reversed(sides):
            values.append(measure(number))
    return seen


def markdown(figures: Sequence[Figure], conditions: str) -> str:
    """Returns the table as docs/performance.md shows it, and below it where it was measured."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(figure.row() for figure in figures)]
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([*lines, "", f"Measured {conditions}.", ""])
