"""Builds the ansible-playbook command, shows it so that it can be copied, and runs it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from invoke.exceptions import Exit

from kubelab.paths import INVENTORY, ROOT, node_inventory
from kubelab.turn import take_turn

INTERRUPTED = 130


@dataclass(frozen=True)
class Result:
    """How many tasks changed something; None when the playbook's own output did not say."""

    changed: int | None


def build_args(
    playbook: str, cluster: str, extra_vars: Mapping[str, Any] | None = None, with_nodes: bool = False
) -> list[str]:
    """Returns the command as a list; every path in it is relative to the repository.

    `with_nodes` adds the generated inventory of the cluster's nodes, for plays that run on them.
    """
    args = ["ansible-playbook", "-i", f"inventory/{cluster}.yml"]
    if with_nodes:
        args += ["-i", str(node_inventory(cluster).relative_to(ROOT))]
    args.append(f"playbooks/{playbook}.yml")
    for key, value in (extra_vars or {}).items():
        args += ["-e", _extra_var(key, value)]
    return args


def _extra_var(key: str, value: Any) -> str:
    """`key=value` is what people type; whatever it would split or turn into a string goes as JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{key}={value}"
    if isinstance(value, str) and re.fullmatch(r"[\w./:@-]+", value):
        return f"{key}={value}"
    return json.dumps({key: value})


def environment() -> dict[str, str]:
    """The environment of every program we start: the tools beside our own Python come first."""
    tools = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def run(
    playbook: str,
    cluster: str,
    extra_vars: Mapping[str, Any] | None = None,
    with_nodes: bool = False,
    often: bool = False,
) -> Result:
    """Prints the command and runs it in the repository. Raises Exit with Ansible's code when it fails.

    Who runs playbooks `often` has Ansible's modules read once for all of them.
    """
    args = build_args(playbook, cluster, extra_vars, with_nodes)
    print(f"$ {shlex.join(args)}", flush=True)
    with _alone(playbook, cluster), tempfile.TemporaryDirectory(prefix="kubelab-") as folder:
        summary = Path(folder) / "summary.json"
        code = _wait(args, {**environment(), "KUBELAB_SUMMARY": str(summary)}, often)
        if code:
            raise Exit(code=code)
        return Result(changed=json.loads(summary.read_text())["changed"] if summary.exists() else None)


@contextmanager
def _alone(playbook: str, cluster: str) -> Iterator[None]:
    """What makes or removes a cluster's machines does so alone; of several clusters see plugins/callback/shared.py."""
    if playbook not in ("up", "upgrade", "down"):
        yield
        return
    with (INVENTORY / f"{cluster}.yml").open() as lock:
        busy = f"another command is making or removing cluster {cluster}; waiting for its end"
        take_turn(lock, partial(print, flush=True), busy)
        yield


class _Fork:
    """What the command does, in a process forked from one that has read Ansible: half the time of a short playbook."""

    def __init__(self, args: list[str], env: dict[str, str]) -> None:
        from multiprocessing import get_context

        context = get_context("forkserver")
        context.set_forkserver_preload(["__main__", "ansible.cli.playbook"])
        self._process = context.Process(target=_play, args=(args, env))
        with chdir(ROOT):  # Ansible reads its configuration there
            self._process.start()
        self.terminate = self._process.terminate

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode or 0


def _play(args: list[str], env: dict[str, str]) -> None:
    from ansible.cli.playbook import main

    os.environ.clear()
    os.environ.update(env)
    main(args)


def _wait(args: list[str], env: dict[str, str], often: bool) -> int:
    """Ctrl-C reaches Ansible too, and we hand on a SIGTERM: it stops first, so that nothing goes on behind our back."""
    asked: list[int] = []
    started: list[_Fork | subprocess.Popen[bytes]] = []

    def hand_on(number: int, _: object) -> None:
        asked.append(number)
        for process in started:
            process.terminate()

    before = signal.signal(signal.SIGTERM, hand_on)
    try:
        process = _Fork(args, env) if often else subprocess.Popen(args, cwd=ROOT, env=env)
        started.append(process)
        if asked:
            process.terminate()
        code = process.wait()
    except KeyboardInterrupt:
        asked.append(signal.SIGINT)
        for process in started:
            process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    if asked:
        raise Exit("stopped; the same command goes on from here", INTERRUPTED)
    return code
