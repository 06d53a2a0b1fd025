"""What a bench measures, one function each, and the order in which it does so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubelab import topology
from kubelab.bench import commands, ledger
from kubelab.bench.commands import ON, Raw, timed
from kubelab.bench.figures import Figure, alternate
from kubelab.bench.ledger import CLUSTER, Ledger
from kubelab.kubectl import Kubectl
from kubelab.paths import common
from kubelab.progress import in_words

Say = Callable[[str], None]

BY_HAND = "bench-clusterip"
IN_A_ROW = 30
"""Requests that lab clusterip sends in one go, and that its report does not list."""

IDLE_AFTER = 120.0
"""Seconds since the last change, after which a cluster has nothing left to do for it."""
IDLE_FOR = 30.0


@dataclass
class Bench:
    """One run of the bench, with a cluster `bench` that is up when the first measurement begins."""

    runs: int
    say: Say
    book: Ledger
    raw: Raw

    def noop(self) -> list[Figure]:
        """`invoke up` on a cluster that is up: what typing it once too often costs."""
        timed("noop-0", ["./invoke", "up", ON])
        seconds = [self._told("no-op up", n, timed(f"noop-{n}", ["./invoke", "up", ON])) for n in self._numbers]
        return [Figure("no-op `up`", "s", seconds, goal="≤ 5 s")]

    def lab(self) -> list[Figure]:
        """`invoke lab clusterip` beside the same kubectl commands in a shell script, on the same cluster."""

        def ours(number: int) -> float:
            seconds = timed(f"lab-{number}-kubelab", ["./invoke", "lab", "clusterip", ON])
            timed(f"lab-{number}-reset", ["./invoke", "lab.reset", "clusterip", ON])
            return self._told("lab clusterip", number, seconds)

        def script(number: int) -> float:
            words, env = commands.by_hand(BY_HAND, IN_A_ROW)
            seconds = timed(f"lab-{number}-script", words, env)
            Kubectl(CLUSTER)(f"delete namespace {BY_HAND} --wait", seconds=120)
            return self._told("the same in a script", number, seconds)

        mine, other = alternate(self.runs, ours, script)
        return [Figure("`lab clusterip` / kubectl in a script", "s", mine, other, goal="≤ 15 s")]

    def idle(self) -> list[Figure]:
        """Memory and processor time of nodes on which nobody does anything."""
        shape = topology.load(CLUSTER)
        nodes = [name.replace(ledger.RAW, f"kubelab-{CLUSTER}") for name in self.book.containers]
        self.say(f"leaving the cluster alone for {in_words(IDLE_AFTER)}")
        time.sleep(IDLE_AFTER)  # to be idle is to let time pass: there is no condition to wait for
        used, busy = [], []
        for number in self._numbers:
            before, started = commands.processor_time(nodes), time.monotonic()
            time.sleep(IDLE_FOR)
            seconds = time.monotonic() - started
            busy.append(100 * (commands.processor_time(nodes) - before) / seconds)
            used.append(commands.memory(nodes))
            self.say(f"idle {number} of {self.runs}: {used[-1]:.0f} MiB, {busy[-1]:.1f} % of one core")
        return [
            Figure(f"memory of {shape.nodes} idle nodes", "MiB", used, goal="≤ 1229 MiB"),
            Figure(f"processor time of {shape.nodes} idle nodes", "% of a core", busy),
        ]

    def up(self) -> list[Figure]:
        """Warm `invoke up` beside `kind create cluster` with the same image, size and configuration."""
        returned: list[float] = []
        timed("up-0-down", ["./invoke", "down", ON])

        def ours(number: int) -> float:
            seconds = commands.up_until_ready(number, self.raw)
            timed(f"up-{number}-down", ["./invoke", "down", ON])
            return self._told("up", number, seconds)

        def kind(number: int) -> float:
            back, seconds = commands.kind_until_ready(number, self.raw)
            returned.append(back)
            ledger.remove_raw(self.book)
            return self._told("kind create cluster", number, seconds)

        mine, other = alternate(self.runs, ours, kind)
        return [
            Figure("warm `up` / `kind create cluster`", "s", mine, other, goal="ratio ≤ 1.3"),
            Figure("of that, until kind returned", "s", other=returned),
        ]

    @property
    def _numbers(self) -> range:
        return range(1, self.runs + 1)

    def _told(self, what: str, number: int, seconds: float) -> float:
        self.say(f"{what} {number} of {self.runs}: {in_words(seconds)}")
        return seconds


# `up` comes last, because it begins by taking down the cluster that the others measure.
NAMES = ("noop", "lab", "idle", "up")


def run(runs: int, names: Sequence[str], say: Say, keep: Callable[[list[Figure]], None]) -> list[Figure]:
    """Measures these and removes what it made, whatever happens. `keep` gets all figures after each measurement."""
    shape = topology.load(CLUSTER)
    figures: list[Figure] = []
    with ledger.only_one():
        if left := ledger.read():
            say("removing what an interrupted bench left")
            ledger.remove(left)
        ledger.refuse_strangers()
        book = Ledger(containers=ledger.raw_nodes(shape.control_planes, shape.workers), networks=[ledger.RAW])
        book.write()
        try:
            say("bringing up the cluster once unmeasured, so that all is warm")
            timed("prepare", ["./invoke", "up", ON])
            bench = Bench(runs, say, book, Raw.like_ours())
            for name in [known for known in NAMES if known in names]:
                figures += getattr(bench, name)()
                keep(figures)
        finally:
            say("removing what was made")
            ledger.remove(book)
    return figures


def conditions(runs: int, load: float) -> str:
    """Returns under which conditions it was measured, as a part of a sentence; `load` is the one at the start."""
    versions = common("versions")["versions"]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    engine = "".join(ledger.docker("version", "--format", "{{.Server.Version}}"))
    kernel = ".".join(os.uname().release.split(".")[:2])
    return (
        f"{time.strftime('%Y-%m-%d')}, {runs} {'run' if runs == 1 else 'runs'}, "
        f"on {os.cpu_count()} cores and {pages / 1024**3:.1f} GiB of memory, Linux {kernel}, "
        f"Docker {engine}, Kubernetes v{versions['kubernetes']['version']}, load at the start {load:.1f}"
    )
