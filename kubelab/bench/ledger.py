"""What a bench makes, written down before it is made: that is removed afterwards, and nothing else."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml
from invoke.exceptions import Exit

from kubelab import record
from kubelab.errors import Refusal
from kubelab.paths import ROOT, STATE
from kubelab.playbook import environment

CLUSTER = "bench"
RAW = f"kubelab-{CLUSTER}-raw"
"""Name of the cluster that kind makes without us, and of its network."""

FOLDER = STATE / "benchmark"
"""Not the state of a cluster: what is measured here outlives the clusters it was measured on."""


@dataclass
class Ledger:
    """Everything that one bench makes. The cluster `bench` has a record of its own."""

    cluster: str = CLUSTER
    containers: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)

    def write(self) -> None:
        path().write_text(yaml.safe_dump(asdict(self), sort_keys=False))


def path() -> Path:
    return FOLDER / "ledger.yml"


def read() -> Ledger | None:
    """Returns the ledger of a bench that did not come to its end, or None."""
    return Ledger(**yaml.safe_load(path().read_text())) if path().is_file() else None


def raw_nodes(control_planes: int, workers: int) -> list[str]:
    """Returns the names that kind gives to the nodes of the raw cluster."""
    counts = {"control-plane": control_planes, "worker": workers}
    return [f"{RAW}-{role}{n if n > 1 else ''}" for role, count in counts.items() for n in range(1, count + 1)]


def present() -> list[str]:
    """Returns the containers and networks on this machine that bear a name of the bench's, sorted."""
    found = docker("ps", "--all", "--filter", f"name=^kubelab-{CLUSTER}-", "--format", "{{.Names}}")
    for network in (f"kubelab-{CLUSTER}", RAW):
        found += docker("network", "ls", "--filter", f"name=^{network}$", "--format", "{{.Name}}")
    return sorted(found)


def refuse_strangers() -> None:
    """Refuses when a cluster of the bench's names is there which no bench of this copy of the project made."""
    begun = [f"the record .state/{CLUSTER}/record.yml"] if record.load(CLUSTER) else []
    with suppress(FileNotFoundError, Exit):  # no engine yet: then nobody has anything in it
        begun += present()
    if begun:
        raise Refusal(
            found=f"a cluster that bears a name of the bench's: {', '.join(begun)}",
            needed=f"the names kubelab-{CLUSTER} and {RAW} free: a bench makes such clusters and removes them",
            change=f"invoke down --cluster={CLUSTER} where that cluster was brought up, or remove what is listed above",
        )


def remove(ledger: Ledger) -> None:
    """Removes what the ledger lists and is there, then the ledger. Raises Exit when something stays."""
    remove_raw(ledger)
    if record.load(ledger.cluster):
        command = ["invoke", "down", f"--cluster={ledger.cluster}"]
        if subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, check=False).returncode:
            raise Exit(f"`{' '.join(command)}` failed: the next bench tries again", 1)
    path().unlink()


def remove_raw(ledger: Ledger) -> None:
    """Removes the cluster that kind made without us: its machines with their volumes, its network, its kubeconfig."""
    there = set(present())
    if machines := sorted(there & set(ledger.containers)):
        docker("rm", "--force", "--volumes", *machines)
    for network in sorted(there & set(ledger.networks)):
        docker("network", "rm", network)
    (FOLDER / "kubeconfig").unlink(missing_ok=True)


def docker(*words: str) -> list[str]:
    """Returns the lines that docker prints. Raises Exit with its complaint."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Exit(f"`docker {' '.join(words)}` failed: {done.stderr.strip()}", 1)
    return done.stdout.splitlines()


@contextmanager
def only_one() -> Iterator[None]:
    """Holds a lock that the system drops when this process ends. Refuses while another bench of this copy runs."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = os.open(FOLDER, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal("a bench that is running", "one at a time: two measure each other", "wait for it") from None
        yield
    finally:
        os.close(folder)
