"""For those who change kubelab: is it still right, is it still readable?"""

from __future__ import annotations

import subprocess

from invoke import Context, Exit, task

from kubelab.parts import FAST, PARTS

COLLECTION = ""


@task
def lint(_: Context) -> None:
    """Run ruff, mypy, yamllint, ansible-lint and shellcheck over the project.

    Examples:
      invoke lint
    """
    from kubelab import lint

    if failed := lint.run():
        raise Exit(f"complaints: {', '.join(failed)}", 1)


@task
def setup(_: Context) -> None:
    """Make this machine ready for Molecule: a Docker Engine, and the image of the machines that roles are tried on.

    The tools are in .venv, which the launcher has made before any task. Doing it again changes nothing.

    Examples:
      invoke setup
      . .venv/bin/activate && molecule test -s preflight
    """
    from kubelab import playbook

    changed = playbook.run("setup", "test").changed
    print("nothing was missing" if changed == 0 else "what was missing is there now; the lines above say what")
    print("try next:\n  . .venv/bin/activate && molecule test -s preflight")


@task(
    name="test",
    iterable=["only"],
    positional=[],
    help={
        "fast": "lint and unit tests only, in under a minute",
        "only": f"one part; may be said several times: {', '.join(PARTS)}",
    },
)
def run_tests(_: Context, only: list[str], fast: bool = False) -> None:
    """Run everything that must hold before a change lands; a cluster named `test` comes up and goes.

    Examples:
      invoke test --fast
      invoke test --only=roles
      invoke test --only=labs --only=prove    (they share one cluster)
      invoke test
    """
    from kubelab import suite, suite_steps

    parts = FAST if fast else only
    steps = suite.chosen(parts)
    with suite.only_one(parts):
        if not suite_steps.run(steps):
            raise Exit(code=1)


@task
def lock(_: Context) -> None:
    """Write requirements.txt anew from requirements.in, with the hashes of every file of every package.

    Examples:
      invoke lock
    """
    from kubelab.paths import ROOT
    from kubelab.playbook import environment

    words = "uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url"
    env = {**environment(), "UV_CUSTOM_COMPILE_COMMAND": "invoke lock"}
    args = [*words.split(), "requirements.in", "--output-file", "requirements.txt"]
    code = subprocess.run(args, cwd=ROOT, env=env, check=False).returncode
    if code:
        raise Exit(code=code)
    print("requirements.txt is up to date; the next ./invoke brings .venv to it")
