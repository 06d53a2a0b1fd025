"""A shell that means one cluster: our kubectl first on the path, our kubeconfig and no other, a prompt that says so."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from kubelab import company
from kubelab.paths import bin_dir, kubeconfig


def exports(cluster: str) -> str:
    """Returns the lines that a shell evaluates to mean this cluster."""
    folder = shlex.quote(str(bin_dir(cluster)))
    config = shlex.quote(str(kubeconfig(cluster)))
    lines = [f"KUBELAB_CLUSTER={cluster}", f"KUBECONFIG={config}", f'PATH={folder}:"$PATH"']
    lines += [f"{name}={shlex.quote(value)}" for name, value in company.beside_proxy(cluster).items()]
    return "\n".join(f"export {line}" for line in lines)


def startup(cluster: str, shell: str) -> str:
    """Returns what the shell reads at its start: the user's own settings first, so that ours win over them."""
    prompt = f"(kubelab:{cluster})"
    complete = f"command -v kubectl >/dev/null && source <(kubectl completion {shell})"
    if shell == "zsh":
        own = '[ -r "$HOME/.zshrc" ] && source "$HOME/.zshrc"'
        ours = f"{exports(cluster)}\nautoload -Uz compinit && compinit -u -D\n{complete}"
        return f'{own}\n{ours}\nPROMPT="{prompt} $PROMPT"\n'
    own = '[ -r "$HOME/.bashrc" ] && source "$HOME/.bashrc"'
    return f'{own}\n{exports(cluster)}\n{complete}\nPS1="{prompt} ${{PS1:-$ }}"\n'


def command(cluster: str, shell: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Returns the command of the shell and what it adds to the environment; writes its start file into `folder`."""
    kind = Path(shell).name
    if kind == "zsh":
        (folder / ".zshrc").write_text(startup(cluster, kind))
        return [shell, "-i"], {"ZDOTDIR": str(folder)}
    if kind == "bash":
        (folder / "bashrc").write_text(startup(cluster, kind))
        return [shell, "--rcfile", str(folder / "bashrc"), "-i"], {}
    path = f"{bin_dir(cluster)}{os.pathsep}{os.environ['PATH']}"
    ours = {"KUBELAB_CLUSTER": cluster, "KUBECONFIG": str(kubeconfig(cluster)), "PATH": path}
    return [shell, "-i"], {**ours, **company.beside_proxy(cluster), "PS1": f"(kubelab:{cluster}) $ "}


def run(cluster: str) -> int:
    """Runs the user's shell until it ends; returns its exit code."""
    shell = os.environ.get("SHELL") or "/bin/sh"
    with tempfile.TemporaryDirectory(prefix="kubelab-shell-") as folder:
        args, added = command(cluster, shell, Path(folder))
        with subprocess.Popen(args, env={**os.environ, **added}) as process:
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:  # meant for what runs in the shell
                    continue
