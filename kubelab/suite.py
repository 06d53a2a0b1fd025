"""The test suite as steps: commands a person would type, on a cluster of its own, and nothing left afterwards."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kubelab import suite_lab, table
from kubelab.paths import ROOT, state_dir
from kubelab.playbook import environment
from kubelab.progress import in_words

CLUSTER = "test"
# What a killed run left shows itself only when an engine answers.
ENGINE = ["-i", f"inventory/{CLUSTER}.yml", "playbooks/up.yml", "--tags", "container_engine"]


LAST_LINES = 30
"""So much of a failed command is told again at the end: who reads a log begins there."""


@dataclass
class Step:
    """One thing that must succeed. `run` returns '' or what is wrong."""

    title: str
    run: Callable[[], str]
    needs: str = ""
    """Title of an earlier step without which this one says nothing."""
    outcome: str = "not run"
    wrong: str = ""
    seconds: float = 0.0


def typed(*words: str, judge: Callable[[str], str] = lambda _: "") -> Callable[[], str]:
    """A command of ours as a step: it must end with 0, and `judge` must find nothing wrong with what it printed."""

    def run() -> str:
        print(f"$ {' '.join(words)}", flush=True)
        printed = []
        with subprocess.Popen(
            words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                printed.append(line)
                print(line, end="", flush=True)
            code = process.wait()
        return f"exit code {code}\n{''.join(printed[-LAST_LINES:])}".rstrip() if code else judge("".join(printed))

    return run


def unchanged(printed: str) -> str:
    """Every playbook that ran says at its end that it changed nothing."""
    counts = re.findall(r"^recap: .*changed=(\d+)", printed, re.MULTILINE)
    return "" if counts and set(counts) == {"0"} else f"changed: {', '.join(counts) or 'not said'}"


def fast_steps() -> list[Step]:
    unit = ["pytest", "--numprocesses", "2", "tests/unit"]
    return [Step("lint", typed("invoke", "lint")), Step("unit tests", typed(*unit))]


def cluster_steps() -> Iterator[Step]:
    """Yields the life of a cluster: up, lessons run and proved, up again without a change, down, nothing left."""
    on = f"--cluster={CLUSTER}"
    up, down = "up", "down"
    yield Step("an engine answers", typed("ansible-playbook", *ENGINE))
    yield Step("remove what an earlier run left", clear)
    before = leftovers()
    yield Step(up, typed("invoke", "up", on))
    yield Step("all labs", typed("invoke", "lab.all", on), up)
    yield Step("all labs, once more", typed("invoke", "lab.all", on), up)
    yield Step("checks of all labs are checked", typed("invoke", "lab.prove", on), up)
    yield Step("a new lab is made, filled and proved", lambda: suite_lab.made_and_proved(typed, CLUSTER), up)
    yield Step("checks of the cluster are checked", typed("invoke", "lab.prove-cluster", on), up)
    yield Step("up again changes nothing", typed("invoke", "up", on, judge=unchanged), up)
    yield Step("status finds nothing wrong", typed("invoke", "status", on), up)
    yield Step(down, typed("invoke", "down", on))
    yield Step("down again is fine", typed("invoke", "down", on))
    yield Step("nothing is left", lambda: ", ".join(sorted(leftovers() - before)))


def leftovers() -> set[str]:
    """Returns what a cluster could leave on this machine: containers, networks and volumes of its name, its folder."""
    questions = {
        "container": ["ps", "--all", "--filter", f"name=^kubelab-{CLUSTER}-", "--format", "{{.Names}}"],
        "network": ["network", "ls", "--filter", f"name=^kubelab-{CLUSTER}$", "--format", "{{.Name}}"],
        # Volumes of machines have no name; one that nothing uses any more was left by somebody.
        "volume": ["volume", "ls", "--filter", "dangling=true", "--quiet"],
    }
    found = {f"{state_dir(CLUSTER).relative_to(ROOT)}"} if state_dir(CLUSTER).exists() else set()
    for kind, words in questions.items():
        found |= {f"{kind} {name}" for name in _docker(words)}
    return found


def clear() -> str:
    """Takes down what an earlier run left, also a run from another copy of the project, whose record is not here.

    This is the one place that removes machines without a record: their name is reserved for this suite.
    """
    wrong = typed("invoke", "down", f"--cluster={CLUSTER}")()
    left = sorted(leftovers())
    for kind, remove in {"container": ["rm", "--force", "--volumes"], "network": ["network", "rm"]}.items():
        for name in (text.removeprefix(f"{kind} ") for text in left if text.startswith(f"{kind} ")):
            print(f"removing {kind} {name} of a run that was killed", flush=True)
            _docker([*remove, name])
    return wrong


def _docker(words: list[str]) -> list[str]:
    """An engine that is not there yet has nothing."""
    try:
        return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.split()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []


def run(steps: Iterable[Step]) -> bool:
    """Runs the steps in order, but none whose need failed; prints where the time went. Returns whether all held."""
    done: dict[str, Step] = {}
    for step in steps:
        done[step.title] = step
        print(f"\n=== {step.title}", flush=True)
        if step.needs and done[step.needs].outcome != "ok":
            print(f"not run: {step.needs} failed", flush=True)
            continue
        started = time.monotonic()
        step.wrong = step.run()
        step.seconds = time.monotonic() - started
        step.outcome = "failed" if step.wrong else "ok"
        if step.wrong:
            print(f"failed: {step.title}: {step.wrong.partition(chr(10))[0]}", flush=True)
    _show(list(done.values()))
    return all(step.outcome == "ok" for step in done.values())


def _show(steps: list[Step]) -> None:
    rows = [(step.title, step.outcome, in_words(step.seconds)) for step in steps]
    table.show(("step", "outcome", "time"), [*rows, ("all", "", in_words(sum(step.seconds for step in steps)))])
    for step in steps:
        if step.wrong:
            print(f"=== {step.title}, again: {step.wrong}\n")
    passed = sum(step.outcome == "ok" for step in steps)
    # Alone on a line: what reads test runs by machine looks for it.
    print(f"{passed} passed, {len(steps) - passed} failed")
    sys.stdout.flush()
