"""Types every command of a lesson into a shell, as a learner would, and compares what appears with the lesson."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kubelab import playbook
from kubelab.kubectl import environment
from kubelab.lesson import Exchange, Lesson, Step, Translation
from kubelab.paths import ROOT, kubeconfig
from kubelab.terminal import Stuck, Terminal


@dataclass(frozen=True)
class Surprise:
    """A command whose output is not what the lesson shows."""

    exchange: Exchange
    difference: str

    def __str__(self) -> str:
        return f"line {self.exchange.line}: {self.exchange.typed}\n{self.difference}"


def walk(cluster: str, lesson: Lesson, on_command: Callable[[str], None] = lambda _: None) -> list[Surprise]:
    """Runs a lesson from its first to its last command; the kubeconfig it works with is a copy of its own."""
    with tempfile.TemporaryDirectory(prefix="kubelab-lesson-") as folder:
        copy = Path(folder) / "kubeconfig"
        shutil.copyfile(kubeconfig(cluster), copy)
        with Terminal(shell_environment(cluster, copy), str(ROOT)) as terminal:
            return list(_surprises(lesson, terminal, on_command))


def shell_environment(cluster: str, config: Path) -> dict[str, str]:
    """Returns the environment of a shell like that of `invoke shell`: kubectl and `invoke` mean this cluster."""
    kubectl, ours = environment(cluster), playbook.environment()
    path = os.pathsep.join([kubectl["PATH"], ours["PATH"]])
    return {**ours, **kubectl, "PATH": path, "KUBECONFIG": str(config), "KUBELAB_CLUSTER": cluster}


def _surprises(lesson: Lesson, terminal: Terminal, on_command: Callable[[str], None]) -> Iterator[Surprise]:
    translation = Translation()
    for step in lesson.steps:
        for exchange in (step.command, *step.inner):
            typed = translation.typed(exchange.typed)
            on_command(typed)
            try:
                shown = terminal.type(typed)
            except Stuck as stuck:
                yield Surprise(exchange, f"it does not end; so far: {stuck}")
                return
            opens = exchange is step.command and step.inner
            compare = translation.opening_difference if opens else translation.difference
            if difference := compare(exchange.expected, shown):
                yield Surprise(exchange, difference)
        if terminal.inner:
            yield _left_open(step)
            return


def _left_open(step: Step) -> Surprise:
    return Surprise(step.command, "the shell it opens is never left: the transcript lacks an `exit`")
