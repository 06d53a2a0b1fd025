"""The Ansible action that runs kubectl."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from kubelab.paths import ROOT


def ran(tmp_path: Path, *words: str, **arguments: object) -> tuple[int, str]:
    """Returns exit code and what the task registered, of a playbook with this action alone."""
    tasks = [{"kubectl": arguments, "register": "done"}, {"ansible.builtin.debug": {"var": "done"}}]
    playbook = tmp_path / "playbook.json"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "json"}
    typed = ["ansible-playbook", "-i", "localhost,", "--connection", "local", str(playbook), *words]
    done = subprocess.run(typed, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_it_gives_the_program_its_input_and_returns_its_output(tmp_path: Path) -> None:
    code, said = ran(tmp_path, argv=["sh", "-c", "cat; echo b; echo c >&2"], stdin="a\n")
    assert code == 0, said
    result = json.loads(said)["plays"][0]["tasks"][0]["hosts"]["localhost"]
    assert (result["rc"], result["stdout_lines"], result["stderr"], result["changed"]) == (0, ["a", "b"], "c", True)


@pytest.mark.parametrize("arguments", [{"argv": ["false"]}, {"argv": []}, {"argv": ["true"], "chdir": "/"}], ids=str)
def test_what_fails_has_failed(tmp_path: Path, arguments: dict[str, object]) -> None:
    assert ran(tmp_path, **arguments)[0] == 2


def test_in_check_mode_nothing_is_run(tmp_path: Path) -> None:
    file = tmp_path / "made"
    assert ran(tmp_path, "--check", argv=["touch", str(file)])[0] == 0
    assert not file.exists()
