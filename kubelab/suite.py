"""The test suite as steps: commands a person would type, on a cluster of its own, and nothing left afterwards."""

from __future__ import annotations

import fcntl
import re
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from kubelab import suite_lab, suite_offline
from kubelab.errors import Refusal, unknown
from kubelab.parts import FAST, ON_REQUEST, PARTS
from kubelab.paths import ROOT, cache_dir, state_dir
from kubelab.suite_steps import Step, typed

CLUSTER = "test"
UP_TO = ["ansible-playbook", "-i", f"inventory/{CLUSTER}.yml", "playbooks/up.yml", "--tags"]
MOLECULE = ["molecule", "test", "--no-command-borders", "--no-report", "--scenario-name"]

NO_API_SERVER = ["control-plane-down", "api-server-stops"]


def changes(printed: str) -> list[str]:
    """Returns how much each playbook that ran says at its end that it changed."""
    return re.findall(r"^recap: .*changed=(\d+)", printed, re.MULTILINE)


def unchanged(printed: str) -> str:
    """Every playbook that ran says at its end that it changed nothing."""
    counts = changes(printed)
    return "" if counts and set(counts) == {"0"} else f"changed: {', '.join(counts) or 'not said'}"


def chosen(only: Collection[str]) -> list[Step]:
    """Returns the steps of these parts, of all parts for none, with what they need. Refuses other names."""
    for name in only:
        if name not in PARTS:
            raise unknown("part", name, list(PARTS), "the name, or leave --only out: then everything runs")
    wanted = set(only or PARTS.keys() - ON_REQUEST)
    kinds = [steps for steps in (steps_alone(), steps_of_a_cluster()) if wanted & {step.part for step in steps}]
    return [step for steps in kinds for step in steps if not step.part or step.part in wanted]


@contextmanager
def only_one(only: Collection[str]) -> Iterator[None]:
    """Refuses while another run is at work, also from another copy of the project: it would lose its machines."""
    if only and set(only) <= set(FAST):
        yield
        return
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "test.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(
                found="another `invoke test` at work on this machine",
                needed=f"one at a time: it owns the cluster {CLUSTER} and the machines of the scenarios",
                change=f"wait for its end; {' and '.join(f'--only={part}' for part in FAST)} run beside it",
            ) from None
        yield


def steps_alone() -> list[Step]:
    """Returns what needs no cluster."""
    unit = ["pytest", "--numprocesses", "2", "tests/unit"]
    scenarios = {path.parent.name for path in ROOT.glob("molecule/*/tests")}
    # lab stands in the cluster of the steps below; those that make a cluster are a part each.
    roles = sorted(scenarios - {"lab"} - PARTS.keys())
    clusters = sorted((scenarios & PARTS.keys()) - {"registry"})
    return [
        Step("lint", typed("invoke", "lint"), part="lint"),
        Step("unit tests", typed(*unit), part="unit"),
        Step("what the scenarios of roles start from", typed("invoke", "setup"), part="roles"),
        # Built now, with both processors: otherwise beside scenarios that count seconds.
        Step("all parts are there", typed(*UP_TO, "artifacts"), part="roles"),
        _beside_others("registry", "registry"),  # the longest first, so that none is left over
        *(_beside_others(name, "roles") for name in roles),
        *(Step(f"scenario {name}", typed(*MOLECULE, name), part=name) for name in clusters),
        Step(
            "scenario hosts with slow labs",
            typed("env", "MOLECULE_HOSTS_LABS=slow", *MOLECULE, "hosts"),
            part="hosts-slow",
        ),
        Step("where only a company's proxy leads out", typed("python", "-m", "kubelab.behind.proof"), part="company"),
        Step("a cluster behind a company's proxy", suite_offline.behind_a_proxy, part="company"),
        Step("a cluster from a bundle alone", suite_offline.from_a_bundle, part="offline"),
        Step("a cluster from a registry alone", suite_offline.from_a_registry, part="offline-registry"),
    ]


def _beside_others(name: str, part: str) -> Step:
    return Step(f"scenario {name}", typed(*MOLECULE, name, prefix=f"{name} | "), part=part, beside=True)


def steps_of_a_cluster() -> list[Step]:
    """Returns the life of a cluster: up, lessons run and proved, up again without a change, down, nothing left."""
    on = f"--cluster={CLUSTER}"
    up, down, restarted = "up", "down", "the machines come back at other addresses"
    before: set[str] = set()

    def look() -> str:
        before.update(leftovers())
        return ""

    return [
        # What a killed run left shows itself only when an engine answers.
        Step("an engine answers", typed(*UP_TO, "container_engine")),
        Step("remove what an earlier run left", clear),
        Step("look at what is here", look),
        Step(up, typed("invoke", "up", on)),
        Step("scenario lab", typed("env", f"MOLECULE_LAB_CLUSTER={CLUSTER}", *MOLECULE, "lab"), up, "labs"),
        Step("all labs", typed("invoke", "lab.all", on), up, "labs"),
        Step("checks of the labs are checked", typed("invoke", "lab.prove", "--quick", on), up, "prove"),
        Step("checks of slow labs are checked", typed("invoke", "lab.prove", "--slow", on), up, "prove-slow"),
        Step("a new lab is made, filled and proved", lambda: suite_lab.made_and_proved(CLUSTER), up, "new-lab"),
        Step("checks of the cluster are checked", typed("invoke", "lab.prove-cluster", on), up, "prove-cluster"),
        Step("up again changes nothing", typed("invoke", "up", on, judge=unchanged), up, "cluster"),
        # Then the lab is killed: nobody takes it back but the next up.
        Step("a lab takes the API server away", typed("invoke", "lab.happen", *NO_API_SERVER, on), up, "cluster"),
        Step(restarted, restart, up, "cluster"),
        Step("up puts them back, and all is sound", typed("invoke", "up", on), restarted, "cluster"),
        Step("status finds nothing wrong", typed("invoke", "status", on), up),
        Step(down, typed("invoke", "down", on)),
        Step("down again is fine", typed("invoke", "down", on), part="cluster"),
        Step("nothing is left", lambda: ", ".join(sorted(leftovers() - before))),
    ]


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


def restart() -> str:
    """Stops all machines and starts all but one in another order, so that they come back at others' addresses."""
    names = sorted(text.removeprefix("container ") for text in leftovers() if text.startswith("container "))
    if sorted(_docker(["stop", "-t", "5", *names])) != names:
        return "not all of them stopped"
    started = names[-2::-1]
    return "" if _docker(["start", *started]) == started else "not all of them started"


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
