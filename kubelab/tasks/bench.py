"""What kubelab costs, beside what one would type without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit, task

if TYPE_CHECKING:
    from pathlib import Path

    from kubelab.bench.figures import Figure

COLLECTION = ""


@task(
    help={
        "runs": "how often each is measured (usually 3, about 15 minutes in all)",
        "only": "one of: noop, lab, idle, up",
        "json": "write the figures to this file too",
        "markdown": "print the table as docs/performance.md wants it",
    }
)
def bench(_: Context, runs: str = "3", only: str = "", json: str = "", markdown: bool = False) -> None:
    """Measure up, no-op up, a lab and idle nodes, beside what one would type without kubelab.

    Does it on clusters of its own and removes them. What is compared is measured in turn. Wants a quiet machine.

    Examples:
      invoke bench
      invoke bench --only=lab --runs=5
      invoke bench --markdown
    """
    import os
    from pathlib import Path

    from kubelab import table
    from kubelab.bench import figures, measures
    from kubelab.bench.ledger import FOLDER
    from kubelab.paths import ROOT

    number, names = _asked(runs, only)
    load = os.getloadavg()[0]
    _warn(load)
    files = [FOLDER / "figures.json", *([Path(json).absolute()] if json else [])]

    def keep(found: list[Figure]) -> None:
        _write(files, found, measures.conditions(number, load))

    try:
        found = measures.run(number, names, _say, keep)
    except KeyboardInterrupt:
        raise Exit("stopped; what was made is removed again", 130) from None
    under = measures.conditions(number, load)
    if markdown:
        print(figures.markdown(found, under))
    else:
        table.show(figures.HEADINGS, [figure.row() for figure in found])
        print(f"measured {under}")
    _say(f"single values and what the commands printed: {FOLDER.relative_to(ROOT)}")


def _asked(runs: str, only: str) -> tuple[int, tuple[str, ...]]:
    """Returns the number of runs and the names of what is measured. Refuses what is neither."""
    from kubelab.bench.measures import NAMES
    from kubelab.errors import Refusal, suggest

    if not runs.isdecimal() or int(runs) < 1:
        raise Refusal(f'"{runs}" runs', "a whole number from 1 on", "invoke bench --runs=3")
    if only and only not in NAMES:
        hint = suggest(only, NAMES)
        raise Refusal(f'nothing named "{only}"; {hint}'.rstrip("; "), f"one of: {', '.join(NAMES)}", "--only=NAME")
    return int(runs), (only,) if only else NAMES


def _warn(load: float) -> None:
    """A busy machine is no reason to refuse, but to say that the figures are about something else as well."""
    import os

    if load > (cores := os.cpu_count() or 1) / 2:
        _say(f"this machine is busy (load {load:.1f} on {cores} cores): the figures will say little")


def _write(files: list[Path], figures: list[Figure], conditions: str) -> None:
    import json

    content = {"measured": conditions, "figures": [figure.to_dict() for figure in figures]}
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _say(text: str) -> None:
    """Progress goes to stderr: the table may be read by a program."""
    import sys

    print(text, file=sys.stderr, flush=True)
