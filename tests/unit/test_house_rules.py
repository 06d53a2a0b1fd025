"""The rules of the house that no linter knows, over every file of the project."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubelab.lint import tracked
from kubelab.paths import ROOT, cache_dir, common
from kubelab.playbook import environment

FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]
YAML = [path for path in FILES if path.suffix in (".yml", ".yaml")]
ROLES = sorted({path.parts[1] for path in FILES if path.parts[0] == "roles"})
TASK_FILES = [path for path in YAML if "tasks" in path.parts[:-1] or "handlers" in path.parts[:-1]]
SCENARIOS = sorted(path.parent for path in YAML if path.match("molecule/*/molecule.yml"))
PLAYBOOKS = [path for path in YAML if path.parts[0] == "playbooks" or path.parent in SCENARIOS]

VERSIONS: dict[str, dict[str, Any]] = common("versions")["versions"]


def read(path: Path) -> str:
    return (ROOT / path).read_text()


def text_files() -> Iterator[tuple[Path, str]]:
    for path in FILES:
        try:
            yield path, read(path)
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize(("paths", "limit"), [(TASK_FILES, 60), (PLAYBOOKS, 40), (PYTHON, 250)])
def test_files_stay_readable(paths: list[Path], limit: int) -> None:
    long = {str(path): lines for path in paths if (lines := len(read(path).splitlines())) > limit}
    assert not long, f"longer than {limit} lines"


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path}: {node.name}"
        for path in PYTHON
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 40
    ]
    assert not long


@pytest.mark.parametrize("path", [path for path in PYTHON if path.match("plugins/filter/*.py")], ids=str)
def test_a_filter_reads_little_before_it_is_used(path: Path) -> None:
    """Each task of Ansible is a process that reads every file of filters."""
    top = [node for node in ast.parse(read(path)).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in top}
    beside = {other.stem for other in PYTHON if other.parent == path.parent}
    assert {str(name).partition(".")[0] for name in names} <= sys.stdlib_module_names | beside | {"yaml"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_same_bones_as_the_others(role: str) -> None:
    folder = ROOT / "roles" / role
    bones = ["README.md", "defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml"]
    assert not [bone for bone in bones if not (folder / bone).is_file()]


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_spec_of_a_role_agree(role: str) -> None:
    """A `default:` in a spec is documentation only: it must be what defaults/main.yml really sets."""
    folder = ROOT / "roles" / role
    defaults = yaml.safe_load((folder / "defaults/main.yml").read_text()) or {}
    options = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]["main"].get(
        "options", {}
    )
    specified = {name: option["default"] for name, option in options.items() if "default" in option}
    assert specified == defaults
    assert all(name.startswith(f"{role}_") for name in defaults)


def tasks_in(items: Any) -> Iterator[dict[str, Any]]:
    """Yields the tasks of a list of tasks or plays, those in blocks too."""
    for item in items if isinstance(items, list) else []:
        yield item
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
            yield from tasks_in(item.get(part))


def named_by(playbook: Path, nodes: bool) -> Iterator[str]:
    """Yields the roles that a playbook names, those of playbooks that it imports too.

    Not `nodes`: only those of plays for this machine.
    """
    for play in yaml.safe_load(read(playbook)):
        if imported := play.get("ansible.builtin.import_playbook"):
            yield from named_by(Path(os.path.normpath(playbook.parent / imported)), nodes)
        elif nodes or play["hosts"] == "localhost":
            yield from (role if isinstance(role, str) else role["role"] for role in play.get("roles", []))
            for task in tasks_in(play.get("tasks")):
                yield from filter(None, [task.get("ansible.builtin.include_role", {}).get("name")])


CONVERGED = {
    role
    for scenario in SCENARIOS
    if (ROOT / scenario / "converge.yml").is_file()
    # kind makes its nodes itself: what runs on nodes has nothing to run on there.
    for role in named_by(scenario / "converge.yml", nodes=scenario.name != "kind")
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_described_and_tried_by_a_scenario(role: str) -> None:
    """Its page says what it is for and shows how it is used; a Molecule scenario converges with it."""
    purpose, _, example = read(Path(f"roles/{role}/README.md")).partition("```")
    assert purpose.startswith(f"# {role}\n")
    assert len(purpose.split()) > 5
    assert re.search(rf"\b{role}\b", example.partition("```")[0]) or f"playbooks/{role}.yml" in example
    assert role in CONVERGED


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_scenario_shows_that_its_tests_notice(scenario: Path) -> None:
    """What it makes it also undoes; `undone` says which tests must fail then, or `gone` looks at all machines."""
    if (ROOT / scenario / "converge.yml").is_file():
        shown = {path.parent.name: path.read_text() for path in (ROOT / scenario).glob("*/test_*.py")}
        assert "gone" in shown or re.search(r"assert noticed\b", shown.get("undone", ""))


@pytest.mark.parametrize("path", [*TASK_FILES, *PLAYBOOKS], ids=str)
def test_nothing_is_ignored_and_nothing_just_waits(path: Path) -> None:
    for task in tasks_in(yaml.safe_load(read(path))):
        assert "ignore_errors" not in task
        assert not {"ansible.builtin.pause", "pause"} & set(task)
        wait = task.get("ansible.builtin.wait_for")
        assert wait is None or {"host", "port", "path"} & set(wait), "a wait without a condition"


@pytest.mark.parametrize("path", [*TASK_FILES, *PLAYBOOKS], ids=str)
def test_what_comes_one_after_the_other_keeps_its_order(path: Path) -> None:
    """Ansible's filters on sets give another order each time: not for hosts, nor for the words of a command."""
    forgets = r"\b(difference|intersect|union)\(.*(join|loop:)|hosts:.*(difference|intersect|union)\("
    assert not re.search(forgets, read(path))


@pytest.mark.parametrize("path", [*TASK_FILES, *PLAYBOOKS], ids=str)
def test_a_command_says_why_no_module_serves(path: Path) -> None:
    """In a comment on its line or just above, and says when it changes something."""
    lines = read(path).splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\s*(- )?ansible\.builtin\.(command|shell):", line):
            above = lines[number - 2 : number]
            assert "#" in line or any(text.lstrip().startswith("#") for text in above), f"line {number + 1}: no why"
    for task in tasks_in(yaml.safe_load(read(path))):
        if {"ansible.builtin.command", "ansible.builtin.shell", "kubectl"} & set(task):
            call = task.get("ansible.builtin.command") or task.get("ansible.builtin.shell")
            assert "changed_when" in task or (isinstance(call, dict) and "creates" in call), task["name"]


def test_versions_agree_with_the_modules_they_are_built_from() -> None:
    for part, entry in VERSIONS.items():
        if "module" not in entry:
            continue
        wanted = re.compile(
            rf"^\s*(?:require )?{re.escape(entry['module'])} v{re.escape(entry['version'])}\b", re.MULTILINE
        )
        assert wanted.search(read(Path(f"roles/artifacts/files/go/{part}/go.mod"))), part


# go.mod and go.sum are written from the table; lock files and lessons repeat what they show or were computed from.
DERIVED = re.compile(r"go\.(mod|sum)$|^requirements|^inventory/group_vars/all/versions\.yml$|\.md$|^docs/")


def test_a_version_is_written_once() -> None:
    distinct = {entry["version"]: part for part, entry in VERSIONS.items() if entry["version"].count(".") == 2}
    # A round number is anybody's version, also that of a lesson's image.
    distinct = {version: part for version, part in distinct.items() if not version.endswith(".0.0")}
    again = [
        f"{path}: {part} {version}"
        for path, text in text_files()
        if not DERIVED.search(str(path))
        for version, part in distinct.items()
        if re.search(rf"(?<![\d.])v?{re.escape(version)}(?![\d.]*\d)", text)
    ]
    assert not again


# Spelt in halves, so that this file does not find itself.
FOREIGN = [
    "pypi" + ".org",
    "proxy.golang" + ".org",
    "sum.golang" + ".org",
    "deb.debian" + ".org",
    "registry.npmjs" + ".org",
    "files.pythonhosted" + ".org",
    "/work" + "/main",
    "/root" + "/",
    "|| " + "true",
    "TO" + "DO",
    "FIX" + "ME",
]


@pytest.mark.parametrize("word", FOREIGN)
def test_no_file_names_a_registry_or_somebodys_machine_or_leaves_something_undone(word: str) -> None:
    assert not [str(path) for path, text in text_files() if word in text and path.name not in ("go.sum", "go.mod")]


def test_no_test_is_switched_off() -> None:
    """A lab's check may find at run time that it cannot stand where it must look, and says so; nothing else may."""
    never = re.compile(r"mark\.(skip|xfail)\b|pytest\.xfail\(")
    only_labs = re.compile(r"pytest\.skip\(")
    tests = [path for path in PYTHON if path.parts[0] in ("tests", "labs") and path.name != Path(__file__).name]
    assert not [str(path) for path in tests if never.search(read(path))]
    assert not [str(path) for path in tests if path.parts[0] == "tests" and only_labs.search(read(path))]


def test_ansible_cfg_holds_no_variables() -> None:
    assert not re.search(r"extra_vars|\bvars\b", read(Path("ansible.cfg")))


def test_the_cache_folder_is_the_same_for_python_and_ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    args = ["ansible", "-i", "inventory/kind.yml", "localhost", "-m", "ansible.builtin.debug", "-a", "var=cache_dir"]
    done = subprocess.run(args, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    assert str(cache_dir()) in done.stdout
    assert cache_dir() == tmp_path / "kubelab"
