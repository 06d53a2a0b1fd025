"""The steps of the test suite: what runs in order, what side by side, and the table that tells where the time went."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, repeat

from kubelab import table
from kubelab.paths import ROOT
from kubelab.playbook import environment
from kubelab.progress import in_words

LAST_LINES = 30
"""So much of a failed command is told again at the end: who reads a log begins there."""


@dataclass
class Step:
    """One thing that must succeed. `run` returns '' or what is wrong."""

    title: str
    run: Callable[[], str]
    needs: str = ""
    """Title of an earlier step without which this one says nothing."""
    part: str = ""
    """The part that it belongs to; '' when all parts of its kind need it."""
    beside: bool = False
    """It may run beside its neighbours: it needs nothing of theirs, and no time of its own is judged."""
    outcome: str = "not run"
    wrong: str = ""
    seconds: float = 0.0


def typed(*words: str, judge: Callable[[str], str] = lambda _: "", prefix: str = "") -> Callable[[], str]:
    """A command of ours as a step: it must end with 0, and `judge` must find nothing wrong with what it printed.

    `prefix` begins each line that is shown, to tell it from those of a command beside it.
    """

    def run() -> str:
        print(f"{prefix}$ {' '.join(words)}", flush=True)
        printed = []
        with subprocess.Popen(
            words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                printed.append(line)
                print(f"{prefix}{line}", end="", flush=True)
            code = process.wait()
        return f"exit code {code}\n{''.join(printed[-LAST_LINES:])}".rstrip() if code else judge("".join(printed))

    return run


def run(steps: Iterable[Step]) -> bool:
    """Runs the steps in order, but none whose need failed; prints where the time went. Returns whether all held."""
    started = time.monotonic()
    done: dict[str, Step] = {}
    for beside, some in groupby(steps, key=lambda step: step.beside):
        if beside:
            _side_by_side(list(some), done)
        else:
            for step in some:
                _work(step, done)
    _show(list(done.values()), time.monotonic() - started)
    return all(step.outcome == "ok" for step in done.values())


def _side_by_side(steps: list[Step], done: dict[str, Step]) -> None:
    """Two at once: each mostly waits for one processor. Ctrl-C ends those at work, and no other begins."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            list(pool.map(_work, steps, repeat(done)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _work(step: Step, done: dict[str, Step]) -> None:
    done[step.title] = step
    print(f"\n=== {step.title}", flush=True)
    if step.needs and done[step.needs].outcome != "ok":
        print(f"not run: {step.needs} failed", flush=True)
        return
    started = time.monotonic()
    step.wrong = step.run()
    step.seconds = time.monotonic() - started
    step.outcome = "failed" if step.wrong else "ok"
    print(f"=== {step.title}: {step.outcome}, {in_words(step.seconds)}", flush=True)
    if step.wrong:
        print(f"failed: {step.title}: {step.wrong.partition(chr(10))[0]}", flush=True)


def _show(steps: list[Step], seconds: float) -> None:
    rows = [(step.title, step.outcome, in_words(step.seconds)) for step in steps]
    table.show(("step", "outcome", "time"), [*rows, ("all", "", in_words(seconds))])
    for step in steps:
        if step.wrong:
            print(f"=== {step.title}, again: {step.wrong}\n")
    passed = sum(step.outcome == "ok" for step in steps)
    # Alone on a line: what reads test runs by machine looks for it.
    print(f"{passed} passed, {len(steps) - passed} failed")
    sys.stdout.flush()
