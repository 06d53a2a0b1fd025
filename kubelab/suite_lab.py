"""A step of the suite: somebody adds a lab, fills it with a statement and a fault, and proves it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from kubelab.catalogue import LABS
from kubelab.paths import ROOT
from kubelab.suite_steps import typed

NAME = "made-by-the-suite"

STATEMENT = '''

def test_it_says_where_it_listens(kubectl, url):
    """It says in its log on which port it listens.

    `kubectl logs made-by-the-suite`
    """
    said = kubectl("logs made-by-the-suite")
    assert "listening on port 8080" in said, f"it said: {said}"
'''
NOTICED = "  test_it_says_where_it_listens: listening on port 9090\n"


def made_and_proved(cluster: str) -> str:
    """Returns what went wrong, '' if nothing. The folder is gone afterwards, also that of a run that was killed."""
    shutil.rmtree(LABS / NAME, ignore_errors=True)
    before = _changes()
    try:
        if wrong := typed("invoke", "lab.new", NAME)():
            return wrong
        _fill(LABS / NAME)
        if outside := {line for line in _changes() - before if f"labs/{NAME}" not in line}:
            return f"more than its folder has changed: {', '.join(sorted(outside))}"
        unit = ["pytest", "--quiet", "tests/unit/test_lab_catalogue.py", "tests/unit/test_house_rules.py"]
        for words in (unit, ["invoke", "lab.prove", NAME, "--shared", f"--cluster={cluster}"]):
            if wrong := typed(*words)():
                return wrong
        return ""
    finally:
        shutil.rmtree(LABS / NAME, ignore_errors=True)


def _fill(folder: Path) -> None:
    with next(folder.glob("tests/test_*.py")).open("a") as checks:
        checks.write(STATEMENT)
    with (folder / "faults/wrong-port/fault.yml").open("a") as fault:
        fault.write(NOTICED)


def _changes() -> set[str]:
    """What differs from the last commit; nothing where this is no clone."""
    words = ["git", "status", "--porcelain", "--untracked-files=all"]
    return set(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines())
