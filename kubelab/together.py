"""Several labs at once, each in a process of its own: they live in namespaces of their own and do not meet."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubelab.paths import ROOT
from kubelab.playbook import environment
from kubelab.progress import Memory, Step, durations_file, in_words

BEAT = 30.0
"""Seconds without news after which is told what is still at work."""


@dataclass
class Job:
    """One command of ours about one lab, and what became of it. `kind` tells runs from proofs in what is remembered."""

    kind: str
    lab: str
    words: Sequence[str]
    log: Path
    code: int | None = None
    seconds: float = 0.0
    started: float = 0.0

    @property
    def step(self) -> Step:
        return Step(self.kind, self.lab, seconds=self.seconds)


@dataclass
class Crowd:
    """Runs jobs side by side, those that usually take longest first, so that none is left over at the end."""

    at_once: int
    say: Callable[[str], None]
    memory: Memory = field(default_factory=lambda: Memory(durations_file()))
    _running: dict[str, tuple[Job, subprocess.Popen[bytes]]] = field(default_factory=dict)
    _ending: threading.Event = field(default_factory=threading.Event)

    def run(self, jobs: Sequence[Job], on_end: Callable[[Job], None]) -> None:
        """Runs all jobs; `on_end` is called for each in the order in which they end."""
        # What was never timed comes first, the last of the course before the first: later labs do more.
        order = list(reversed(jobs))
        order.sort(key=lambda job: -self.memory.usual.get(job.step.key, float("inf")))
        with _terminated_as_interrupt(), ThreadPoolExecutor(max_workers=self.at_once) as pool:
            try:
                waiting: set[Any] = {pool.submit(self._work, job) for job in order}
                while waiting:
                    done, waiting = wait(waiting, timeout=BEAT, return_when=FIRST_COMPLETED)
                    for ended in done:
                        on_end(ended.result())
                    if not done:
                        self._tell(len(jobs) - len(waiting), len(jobs))
            finally:
                self._end()
        self.memory.keep([job.step for job in jobs if job.code == 0])

    def _work(self, job: Job) -> Job:
        if self._ending.is_set():
            return job
        job.started = time.monotonic()
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("wb") as log:
            process = subprocess.Popen(job.words, cwd=ROOT, env=environment(), stdout=log, stderr=subprocess.STDOUT)
            self._running[job.lab] = (job, process)
            job.code = process.wait()
        del self._running[job.lab]
        job.seconds = time.monotonic() - job.started
        return job

    def _tell(self, done: int, total: int) -> None:
        now = time.monotonic()
        busy = ", ".join(f"{lab} ({in_words(now - job.started)})" for lab, (job, _) in sorted(self._running.items()))
        self.say(f"{done} of {total} done; at work: {busy}")

    def _end(self) -> None:
        """Asks what still runs to stop, and lets nothing more begin."""
        self._ending.set()
        for _, process in list(self._running.values()):
            process.terminate()


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """A SIGTERM ends the others too, as Ctrl-C does by itself."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def usual_number() -> int:
    """How many labs at once: they mostly wait for Kubernetes, so two for each processor."""
    return 2 * (os.cpu_count() or 1)
