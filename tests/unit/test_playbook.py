"""The command that is printed is the command that is run, and a person can copy it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from invoke import Exit

from kubelab import playbook
from kubelab.paths import ROOT

PYTHON = sys.executable


def text(*args: Any, **more: Any) -> str:
    return shlex.join(playbook.build_args(*args, **more))


def test_up_names_shape_and_playbook() -> None:
    assert text("up", "kind") == "ansible-playbook -i inventory/kind.yml playbooks/up.yml"


def test_numbers_and_words_are_typed_plainly() -> None:
    assert text("lab", "test", {"lab_id": "clusterip", "lab_state": "present", "n": 3}) == (
        "ansible-playbook -i inventory/test.yml playbooks/lab.yml -e lab_id=clusterip -e lab_state=present -e n=3"
    )


@pytest.mark.parametrize("value", [True, ["a"], "two words", "a=b", ""])
def test_what_ansible_would_take_apart_goes_as_json(value: object) -> None:
    import json

    assert playbook.build_args("up", "kind", {"x": value})[-1] == json.dumps({"x": value})


def test_plays_on_nodes_get_the_generated_inventory_second() -> None:
    assert text("lab", "kind", with_nodes=True) == (
        "ansible-playbook -i inventory/kind.yml -i .state/kind/inventory.yml playbooks/lab.yml"
    )


@pytest.fixture
def ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for ansible-playbook, first on the path; tests write what it does."""
    program = tmp_path / "ansible-playbook"
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # a real `up` may hold the locks of the usual ones
    monkeypatch.setattr(playbook, "INVENTORY", tmp_path)
    (tmp_path / "kind.yml").touch()
    program.touch(0o755)
    return program


def test_the_code_of_ansible_is_passed_on(ansible: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ansible.write_text("#!/bin/sh\nexit 2\n")
    with pytest.raises(Exit) as ended:
        playbook.run("up", "kind")
    assert ended.value.code == 2
    assert capfd.readouterr().out == "$ ansible-playbook -i inventory/kind.yml playbooks/up.yml\n"


def test_a_run_says_how_much_it_changed(ansible: Path) -> None:
    ansible.write_text('#!/bin/sh\necho \'{"changed": 3}\' > "$KUBELAB_SUMMARY"\n')
    assert playbook.run("up", "kind").changed == 3


def test_ansible_is_stopped_with_us(ansible: Path, tmp_path: Path) -> None:
    ansible.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    ours_first = f"import sys; sys.executable = {str(tmp_path / 'python')!r}"
    script = f"{ours_first}; from kubelab import playbook; playbook.run('up', 'kind')"
    env = dict(os.environ)
    with subprocess.Popen([PYTHON, "-c", script], cwd=ROOT, env=env) as ours:
        while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
            assert ours.poll() is None
        ours.terminate()
        assert ours.wait(10) == 1  # of Python, for an exception
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_run_that_does_not_say_may_have_changed_anything(ansible: Path) -> None:
    ansible.write_text("#!/bin/sh\n")
    assert playbook.run("up", "kind").changed is None


def test_a_run_of_many_ends_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible itself runs here, with the configuration of the repository, wherever somebody typed the command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yml").write_text("""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: hello}
      changed_when: true
      failed_when: lab_id is defined
""")
    own = os.path.relpath(tmp_path / "own", ROOT / "playbooks")
    assert playbook.run(own, "kind", often=True).changed == 1
    with pytest.raises(Exit) as ended:
        playbook.run(own, "kind", {"lab_id": "pod"}, often=True)
    assert ended.value.code == 2


def test_a_second_up_of_a_cluster_waits_for_the_first() -> None:
    order = []

    def second() -> None:
        with playbook._alone("down", "kind"):
            order.append("second")

    with playbook._alone("up", "kind"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
        for name, cluster in (("lab", "kind"), ("up", "test")):
            with playbook._alone(name, cluster):
                order.append(name)
    thread.join()
    assert order == ["first", "lab", "up", "second"]
