"""Keeps playbooks of several clusters apart where they would get at the same files or addresses of this machine."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path
from typing import IO, Any

from ansible.plugins.callback import CallbackBase

# ansible-playbook does not know our package, which has no place among the installed ones.
sys.path.append(str(Path(__file__).resolve().parents[2]))
from kubelab.paths import ROOT, cache_dir
from kubelab.turn import take_turn

DOCUMENTATION = """
    name: shared
    type: aggregate
    short_description: one playbook at a time writes into the cache, or takes addresses that are free
    description:
      - Holds a lock from the first task that does one of these to the first that does not. The next playbook waits.
"""

ALONE = (
    "roles/artifacts/tasks/",
    *(f"roles/machines/tasks/{provider}/{name}.yml" for provider in ("kind", "vm") for name in ("new", "record")),
    "roles/machines/tasks/vm/image.yml",
    "roles/test_machines/tasks/present.yml",
)
READS = ("roles/artifacts/tasks/on_demand.yml", "roles/artifacts/tasks/made.yml")
"""They ask what is there; what makes it is in files that they include."""


class CallbackModule(CallbackBase):
    """A callback sees every task before it begins, in the process that lives as long as the playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "shared"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.lock: IO[str] | None = None

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Wait for our turn, or let others have theirs."""
        path = task.get_path().removeprefix(f"{ROOT}/")
        if path.startswith(ALONE) and not path.startswith(READS):
            self.lock = self.lock or self._locked()
        elif self.lock:
            fcntl.flock(self.lock, fcntl.LOCK_UN)  # closing alone would not do: Ansible's workers hold the file too
            self.lock.close()
            self.lock = None

    def _locked(self) -> IO[str]:
        cache_dir().mkdir(parents=True, exist_ok=True)
        lock = (cache_dir() / "shared.lock").open("w")
        busy = "  ...      another cluster is being made on this machine; waiting for its parts"
        take_turn(lock, self._display.display, busy)
        return lock
