"""How long the steps of a playbook take: remembered between runs, told while one is running."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from kubelab.paths import cache_dir

WORTH_REMEMBERING = 5.0  # seconds: a step that had nothing to do is quick and says nothing about the next time
FIRST_BEAT = 10.0
SLOW_BEAT = 30.0  # once a step has run for a minute


def durations_file() -> Path:
    return cache_dir() / "durations.json"


def in_words(seconds: float) -> str:
    """Returns '4.2 s', '48 s' or '7 min 05 s'."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


@dataclass
class Step:
    """One task of a playbook while it runs, and what became of it."""

    role: str
    name: str
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    changed: list[str] = field(default_factory=list)
    failed: bool = False

    @property
    def key(self) -> str:
        return f"{self.role} : {self.name}"


class Memory:
    """Remembers how long each step took, between runs. A file that cannot be read or written is no memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.usual: dict[str, float] = dict(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            self.usual = {}

    def keep(self, steps: list[Step]) -> None:
        long = {step.key: round(step.seconds, 1) for step in steps if step.seconds >= WORTH_REMEMBERING}
        long = {key: seconds for key, seconds in long.items() if self.usual.get(key) != seconds}
        if not long:
            return
        self.usual.update(long)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(self.usual, indent=1, sort_keys=True))
            new.replace(self.path)
        except OSError:
            return


class Heartbeat:
    """Says from a thread of its own what a long step is, how long it has run and how long it usually takes."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.silence = threading.Event()
        self.silence.set()

    def text(self, step: Step, now: float) -> str:
        usual = self.memory.usual.get(step.key)
        name, _, told = step.name.partition(" (usually ")
        hint = f", usually {in_words(usual)}" if usual else f", usually {told.rstrip(')')}" if told else ""
        return f"  ...      {name}: {in_words(now - step.started)} so far{hint}"

    def start(self, step: Step) -> None:
        self.silence = threading.Event()
        threading.Thread(target=self._beat, args=(step, self.silence), daemon=True).start()

    def stop(self) -> None:
        self.silence.set()

    def _beat(self, step: Step, silence: threading.Event) -> None:
        while not silence.wait(FIRST_BEAT if time.monotonic() - step.started < 60 else SLOW_BEAT):
            # Ansible forks while this thread lives: a buffered print could leave its lock taken in the child.
            os.write(1, (self.text(step, time.monotonic()) + "\n").encode())


class Meter:
    """Says now and then how many of how many bytes are done, and how long it may still take."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = self.said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.said < FIRST_BEAT or not done:
            return
        self.said = now
        left = (now - self.started) * (total - done) / done
        print(f"  ...      {self.title}: {done >> 20} of {total >> 20} MiB, {in_words(left)} to go", flush=True)
