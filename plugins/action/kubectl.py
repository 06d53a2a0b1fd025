"""Ansible action: run kubectl where Ansible runs, within the process that is there.

One call is enough for all objects; kubernetes.core.k8s asks for each of them anew. And ansible.builtin.command packs a
module and starts Python for it each time, which takes three times as long as kubectl.
"""

from __future__ import annotations

import subprocess
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Takes `argv`, the program and its words, and `stdin`; returns what ansible.builtin.command returns."""

    _VALID_ARGS = frozenset({"argv", "stdin"})
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run it, but not in check mode. Failed is what does not end with 0."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        argv = [str(word) for word in self._task.args.get("argv") or ()]
        if not argv:
            raise AnsibleActionFail("kubectl needs argv: the program and its words")
        if self._task.check_mode:
            return result | {"skipped": True, "msg": "check mode: it was not run"}
        done = subprocess.run(argv, input=self._task.args.get("stdin", ""), capture_output=True, text=True, check=False)
        result |= {"cmd": argv, "rc": done.returncode, "changed": True}
        for name, text in {"stdout": done.stdout.rstrip("\r\n"), "stderr": done.stderr.rstrip("\r\n")}.items():
            result |= {name: text, f"{name}_lines": text.splitlines()}
        if done.returncode:
            result |= {"failed": True, "msg": "non-zero return code"}
        return result
