"""What a playbook prints, from real runs of small ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from kubelab.paths import ROOT
from kubelab.progress import Heartbeat, Memory, Step, in_words
from plugins.callback.shared import CallbackModule

PLAY = """
- name: Speak to machines that this provider has not
  hosts: "{{ [] }}"
  gather_facts: false
- name: Try
  hosts: localhost
  gather_facts: false
  roles: [first, second]
"""
FIRST = """
- name: main | Change something
  ansible.builtin.command: "true"
- name: Look at something
  ansible.builtin.command: "true"
  changed_when: false
- name: Say something
  ansible.builtin.debug: {msg: "said aloud"}
"""


@pytest.fixture
def run(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Runs a playbook whose second role has the given tasks; returns the code and what it printed."""

    def start(second: str, *options: str) -> tuple[int, str]:
        for name, tasks in {"first": FIRST, "second": second}.items():
            folder = tmp_path / "roles" / name / "tasks"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "main.yml").write_text(tasks)
        (tmp_path / "play.yml").write_text(PLAY)
        env = {
            **os.environ,
            "ANSIBLE_ROLES_PATH": str(tmp_path / "roles"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "KUBELAB_SUMMARY": str(tmp_path / "summary.json"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }
        program = str(Path(sys.executable).parent / "ansible-playbook")
        args = [
            program,
            "-i",
            "localhost,",
            "-c",
            "local",
            "play.yml",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            *options,
        ]
        done = subprocess.run(args, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    return start


def test_roles_are_headings_and_only_what_mattered_has_a_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out = run("- {name: Nothing, ansible.builtin.command: 'true', changed_when: false}")
    assert code == 0
    # on a busy machine a step may take a second and get its line
    lines = [line for line in out.splitlines() if line and not line.startswith("  ok ")]
    assert lines[0] == "first"
    assert lines[1].startswith("  changed  Change something (")
    assert lines[2:4] == ["    said aloud", "second"]
    assert lines[4].startswith("recap: ok=4 changed=1 failed=0 in ")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["changed"] == 1
    assert summary["steps"][0]["task"] == "Change something"


def test_a_refusal_is_printed_as_it_was_written(run) -> None:  # type: ignore[no-untyped-def]
    text = "found:  one\\nneeded: two\\nchange: three"
    code, out = run(f'- {{name: Refuse, ansible.builtin.fail: {{msg: "{text}"}}}}')
    assert code == 2
    assert "\nfound:  one\nneeded: two\nchange: three\n" in out
    assert "fatal" not in out


def test_a_failure_names_its_place_and_shows_what_the_program_said(run) -> None:  # type: ignore[no-untyped-def]
    code, out = run("- {name: Break, ansible.builtin.shell: 'echo fine; echo broken >&2; exit 3'}")
    assert code == 2
    assert "  failed   Break\n  in       roles/second/tasks/main.yml:1\n" in out
    assert "  stdout\n    fine\n  stderr\n    broken\n" in out
    assert "recap: ok=3 changed=1 failed=1" in out


def test_of_a_loop_the_item_that_failed_is_named(run) -> None:  # type: ignore[no-untyped-def]
    _, out = run("- {name: Break, ansible.builtin.command: 'test {{ item }} = a', loop: [a, b]}")
    assert "  failed   Break (b)\n" in out
    assert "Break (a)" not in out


def test_verbose_is_the_usual_output_of_ansible(run) -> None:  # type: ignore[no-untyped-def]
    _, out = run("- {name: Nothing, ansible.builtin.command: 'true'}", "-v")
    assert "TASK [second : Nothing]" in out
    assert "PLAY RECAP" in out


def test_a_step_that_takes_long_says_how_long_it_usually_takes(tmp_path: Path) -> None:
    path = tmp_path / "durations.json"
    step = Step("machines", "Create them", started=100.0)
    assert Heartbeat(Memory(path)).text(step, now=120.0) == "  ...      Create them: 20 s so far"
    step.seconds = 35.0
    Memory(path).keep([step, Step("machines", "Look", seconds=0.1)])
    assert Memory(path).usual == {"machines : Create them": 35.0}
    assert Heartbeat(Memory(path)).text(step, now=120.0).endswith("20 s so far, usually 35 s")


def test_a_hint_in_the_name_counts_until_there_is_experience(tmp_path: Path) -> None:
    path = tmp_path / "durations.json"
    step = Step("machines", "Create them (usually 30 s, at most 300 s)", started=0.0, seconds=40.0)
    assert (
        Heartbeat(Memory(path)).text(step, now=20.0).endswith("Create them: 20 s so far, usually 30 s, at most 300 s")
    )
    Memory(path).keep([step])
    assert Heartbeat(Memory(path)).text(step, now=20.0).endswith("Create them: 20 s so far, usually 40 s")


@pytest.mark.parametrize("text", ["", "[]", "[1]", "{", '{"a": "b"'])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, text: str) -> None:
    (tmp_path / "durations.json").write_text(text)
    assert Memory(tmp_path / "durations.json").usual == {}


def test_durations_read_well() -> None:
    assert [in_words(seconds) for seconds in (0.04, 9.94, 59.4, 61, 425.4)] == [
        "0.0 s",
        "9.9 s",
        "59 s",
        "1 min 01 s",
        "7 min 05 s",
    ]


def test_who_writes_what_clusters_share_waits_for_who_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, second = CallbackModule(), CallbackModule()
    order = []

    def begin(playbook: CallbackModule, path: str) -> None:
        playbook.v2_playbook_on_task_start(SimpleNamespace(get_path=lambda: f"{ROOT}/roles/{path}:1"), False)

    def build() -> None:
        begin(second, "artifacts/tasks/main.yml")
        order.append("second builds")

    begin(first, "artifacts/tasks/main.yml")
    thread = threading.Thread(target=build)
    thread.start()
    thread.join(timeout=0.2)
    begin(first, "machines/tasks/kind/record.yml")
    order.append("first takes addresses")
    for reads in ("machines/tasks/kind/look.yml", "artifacts/tasks/on_demand.yml", "artifacts/tasks/made.yml"):
        begin(CallbackModule(), reads)
    begin(first, "addons/tasks/main.yml")
    thread.join(timeout=10)
    assert order == ["first takes addresses", "second builds"]
