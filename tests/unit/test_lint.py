"""The linters complain; above all the one whose ways were changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kubelab import lint
from kubelab.paths import ROOT

PLAY = """---
- name: Try
  hosts: localhost
  tasks:
    - name: Ask something
      ansible.builtin.shell: ls | sort
      changed_when: false
"""


def ask(folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "kubelab.ansible_lint", "--nocolor", "--offline", "play.yml"]
    env = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_ansible_lint_still_complains(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    done = ask(tmp_path)
    assert done.returncode != 0
    assert "risky-shell-pipe" in done.stdout + done.stderr
    (tmp_path / "play.yml").write_text(PLAY.replace("ls | sort", "ls && ls"))
    done = ask(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_playbook_is_shown_to_ansible() -> None:
    names = {str(path) for path in lint.playbooks()}
    assert {
        "playbooks/up.yml",
        "playbooks/upgrade.yml",
        "molecule/node/undo.yml",
        "molecule/default/create.yml",
    } <= names
    assert not [name for name in names if name.endswith(("molecule.yml", "inventory.yml"))]
