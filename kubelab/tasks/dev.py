"""For those who change kubelab: is it still right, is it still readable?"""

from __future__ import annotations

import subprocess

from invoke import Context, Exit, task

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


@task(name="test", help={"fast": "lint and unit tests only, in under a minute"})
def run_tests(_: Context, fast: bool = False) -> None:
    """Run everything that must hold before a change lands; a cluster named `test` comes up and goes.

    Examples:
      invoke test --fast
      invoke test
    """
    from kubelab import suite

    steps = suite.fast_steps()
    if not fast:
        steps += suite.cluster_steps()
    if not suite.run(steps):
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
