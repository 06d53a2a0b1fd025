"""Waits with a condition and a limit, and says what it waits for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kubelab.kubectl import Kubectl

STEP = 0.2
LONGEST_REST = 2.0
BUSIEST = 5.0
NEVER_READY = "kubelab.dev/never-ready"
"""Annotation of an object that the lesson shows failing: nobody waits for it."""
WORKLOADS = "pods,deployments,statefulsets,daemonsets,replicasets"

Seen = TypeVar("Seen")


def wait_until(
    look: Callable[[], Seen], done: Callable[[Seen], bool] = bool, seconds: float = 10, step: float = STEP
) -> Seen:
    """Looks again and again until `done` says so or the time is up. Returns what was seen last.

    Who waits lets others work: most looks start a program, so each is followed by a rest of twice its own length, or
    more on a busy machine, and of a fifth of the time waited so far: what has not come by then will not come at once.
    """
    started = time.monotonic()
    deadline = started + seconds
    while True:
        began = time.monotonic()
        seen = look()
        now = time.monotonic()
        if done(seen) or now >= deadline:
            return seen
        time.sleep(min(max(step, 2 * busy() * (now - began), (now - started) / 5), LONGEST_REST))


def busy() -> float:
    """Returns how much more there is to do than this machine has processors for, from 1 to BUSIEST."""
    return min(max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), BUSIEST)


@dataclass
class Patience:
    """One allowance of time for all checks after a change: a cluster settles once, so the first one pays for all."""

    seconds: float
    stretch: Callable[[], float] = lambda: 1.0
    """How many times as long it lasts at the moment."""
    started: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        self.started = time.monotonic()

    @property
    def left(self) -> float:
        return max(0.0, self.started + self.seconds * self.stretch() - time.monotonic())


def unready(objects: list[dict[str, Any]]) -> list[str]:
    """Returns the workloads that are not ready yet, as `kind/name`, without those that never shall be."""
    return [
        f"{item['kind'].lower()}/{item['metadata']['name']}"
        for item in objects
        if NEVER_READY not in item["metadata"].get("annotations", {})
        and not item["metadata"].get("ownerReferences")
        and not _is_ready(item)
    ]


def _is_ready(item: dict[str, Any]) -> bool:
    status, spec = item.get("status", {}), item.get("spec", {})
    if item["kind"] == "Pod":
        conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
        return status.get("phase") == "Succeeded" or conditions.get("Ready") == "True"
    if item["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return False
    if item["kind"] == "DaemonSet":
        return bool(status.get("numberReady", 0) == status.get("desiredNumberScheduled", 0) > 0)
    return bool(status.get("readyReplicas", 0) >= spec.get("replicas", 1))


def wait_ready(kubectl: Kubectl, seconds: float, say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Waits until every workload of the namespace is ready. Returns those that are not, each with its last event."""
    last: list[str] = []

    def look() -> list[str]:
        waiting = unready(kubectl.json(f"get {WORKLOADS}"))
        if waiting and waiting != last:
            last[:] = waiting
            say("waiting for " + ", ".join(waiting))
        return waiting

    missing = wait_until(look, done=lambda waiting: not waiting, seconds=seconds)
    return [f"{name} is not ready: {_last_event(kubectl, name)}" for name in missing]


def _last_event(kubectl: Kubectl, name: str) -> str:
    kind, _, short = name.partition("/")
    fields = f"involvedObject.name={short}"
    events = kubectl.json(f"get events --field-selector {fields} --sort-by .lastTimestamp")
    return f"{events[-1]['reason']}: {events[-1]['message']}" if events else f"no event of this {kind}"
