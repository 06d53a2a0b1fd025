"""What a person types: help, mistakes, refusals. Never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubelab import completion, subshell, walkthrough
from kubelab.errors import Refusal, suggest
from kubelab.paths import INVENTORY, ROOT

HELPED = [
    "up",
    "status",
    "down",
    "shell",
    "completion",
    "lint",
    "setup",
    "test",
    "lock",
    "artifacts.list",
    "artifacts.sbom",
]
HELPED += ["artifacts.bundle", "artifacts.unbundle", "artifacts.push"]
INVOKE = str(Path(sys.executable).parent / "invoke")


def typed(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([INVOKE, *words], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("task", ["up", "status", "down", "shell"])
def test_an_unknown_cluster_is_refused_by_every_task(task: str) -> None:
    refused = typed(task, "--cluster=knid")
    assert refused.returncode == 2
    assert refused.stderr.startswith('found:  no cluster "knid"; did you mean "kind"?\nneeded: ')
    assert "\nchange: " in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["up", "--workers=many"], 2, '"many" workers'),
        (["up", "--workers=99"], 2, "must be 9 or less"),
        (["artifacts.prune", "--days=x"], 2, '"x" days'),
        (["test", "--only=labz"], 2, 'did you mean "labs"?'),
        (["completion", "bsh"], 2, 'did you mean "bash"?'),
        (["artifacts.bundle", "no/folder/bundle"], 2, "needed: a folder to write the bundle to"),
        (["artifacts.unbundle", "README.md"], 2, "README.md, which is no bundle"),
        (["artifacts.push", "school"], 2, '"school" as a registry'),
        (["lab.happen", "pod", "node-stops"], 2, "this lab leaves the nodes alone"),
        (["upp"], 1, "No idea what 'upp' is!"),
        (["up", "--wrkers=2"], 1, "No idea what '--wrkers' is!"),
    ],
)
def test_a_slip_is_answered_in_words(words: list[str], code: int, said: str) -> None:
    refused = typed(*words)
    assert refused.returncode == code
    assert said in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


@pytest.mark.parametrize("task", HELPED)
def test_help_of_a_task_shows_examples(task: str) -> None:
    helped = typed("--help", task)
    assert helped.returncode == 0
    assert "Examples:" in helped.stdout
    assert f"invoke {task}" in helped.stdout


def test_a_refusal_has_three_lines_and_indents_what_is_longer() -> None:
    refusal = Refusal("one\ntwo", "three", "four")
    assert refusal.text == "found:  one\n        two\nneeded: three\nchange: four"
    assert str(refusal) == refusal.text


def test_only_close_names_are_suggested() -> None:
    assert suggest("knid", ["kind", "test"]) == 'did you mean "kind"?'
    assert suggest("other", ["kind", "test"]) == ""


def complete(line: str) -> list[str]:
    """What Tab offers in bash after this line."""
    words = line.split(" ")
    script = f"""
    source <({INVOKE} completion bash)
    COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
    COMP_CWORD={len(words) - 1}
    COMP_LINE='{line}'
    _kubelab_complete
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{Path(INVOKE).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


def test_tab_knows_clusters_labs_and_tasks() -> None:
    shapes = {path.stem for path in INVENTORY.glob("*.yml")}
    assert set(complete("invoke up --cluster ")) == shapes
    assert complete("invoke up --cluster = te") == ["test"]
    assert set(complete("invoke lab ")) == {path.parent.name for path in ROOT.glob("labs/*/lab.yml")}
    assert complete("invoke lab.prove clusteri") == ["clusterip"]
    assert complete("invoke stat") == ["status"]
    assert "--workers" in complete("invoke up --w")


def test_the_lines_for_zsh_are_its_own() -> None:
    assert "compdef _kubelab_complete invoke" in completion.script("zsh")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose settings would hide ours, were they read last."""
    (tmp_path / ".bashrc").write_text("PATH=/usr/bin:/bin\nKUBECONFIG=/nowhere\nPS1='mine> '\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_shell_means_one_cluster_whatever_the_users_settings_say(home: Path, tmp_path: Path) -> None:
    args, added = subshell.command("mine", "/bin/bash", tmp_path)
    asked = 'echo "$KUBECONFIG"; echo "$PATH"; echo "$KUBELAB_CLUSTER"; echo "$PS1"\n'
    env = {**os.environ, **added}
    done = subprocess.run(args, env=env, input=asked, capture_output=True, text=True, check=False)
    config, path, cluster, prompt = done.stdout.splitlines()[-4:]
    assert config == str(ROOT / ".state/mine/kubeconfig")
    assert path.split(":")[0] == str(ROOT / ".state/mine/bin")
    assert cluster == "mine"
    assert prompt.startswith("(kubelab:mine) mine>")


def test_the_shell_of_a_lesson_means_the_cluster_too(tmp_path: Path) -> None:
    """Both kubectl and invoke, also where nobody has activated the environment of our tools."""
    said = subprocess.run(
        ["sh", "-c", "echo $KUBECONFIG; echo $KUBELAB_CLUSTER; command -v invoke"],
        env=walkthrough.shell_environment("mine", tmp_path / "config"), capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert said[:2] == [str(tmp_path / "config"), "mine"]
    assert said[2].endswith("/invoke")


@pytest.mark.parametrize("task", ["lab", "lab.happen", "lab.reset", "lab.prove", "status"])
def test_a_task_means_the_cluster_of_the_shell_that_it_is_typed_in(task: str) -> None:
    env = {**os.environ, "KUBELAB_CLUSTER": "mine"}
    script = f"from tasks import namespace; print(namespace[{task!r}].body.__defaults__)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert "'mine'" in done.stdout


def test_the_lines_for_eval_are_shell() -> None:
    script = subshell.exports("mine") + '\necho "$KUBECONFIG"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(ROOT / ".state/mine/kubeconfig")


def test_other_shells_get_it_by_their_environment(tmp_path: Path) -> None:
    args, added = subshell.command("mine", "/bin/dash", tmp_path)
    assert args == ["/bin/dash", "-i"]
    assert added["PATH"].startswith(str(ROOT / ".state/mine/bin"))
    assert added["PS1"] == "(kubelab:mine) $ "


def test_zsh_reads_our_lines_after_the_users(tmp_path: Path) -> None:
    _, added = subshell.command("mine", "/bin/zsh", tmp_path)
    lines = (Path(added["ZDOTDIR"]) / ".zshrc").read_text().splitlines()
    assert ".zshrc" in lines[0]
    assert lines[1].startswith("export KUBELAB_CLUSTER=mine")
