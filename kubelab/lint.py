"""The linters, each as one command; two at a time, what they complain about printed as they end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from kubelab.paths import ROOT
from kubelab.playbook import environment
from kubelab.progress import in_words


def commands() -> dict[str, list[str]]:
    """Returns what is run, the slowest first."""
    return {
        "ansible-lint": [sys.executable, "-m", "kubelab.ansible_lint", "--nocolor"],
        "ansible syntax": ["ansible-playbook", "--syntax-check", "-i", "localhost,", *map(str, playbooks())],
        "mypy": ["mypy"],
        "ruff check": ["ruff", "check", "--quiet"],
        "ruff format": ["ruff", "format", "--check", "--quiet"],
        "yamllint": ["yamllint", "--strict", "."],
        "shellcheck": ["shellcheck", *map(str, shell_scripts())],
    }


def tracked() -> list[Path]:
    """Returns the project's own files, relative to the repository: what git tracks or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(listing.stdout.split("\0")) - {""})
    return [Path(name) for name in names if (ROOT / name).is_file()]


def playbooks() -> list[Path]:
    """Returns the playbooks, also those that only Molecule runs."""
    data = ("molecule.yml", "inventory.yml", "vars.yml")
    found = [path for path in tracked() if path.match("playbooks/*.yml") or path.match("molecule/*/*.yml")]
    return [path for path in found if path.name not in data]


def shell_scripts() -> Iterator[Path]:
    """Yields the files whose first line names a shell that shellcheck knows; a template is none yet."""
    for path in (path for path in tracked() if path.suffix != ".j2"):
        with (ROOT / path).open("rb") as file:
            first = file.readline(60).split()
        if first[:1] and first[0].startswith(b"#!") and first[-1].split(b"/")[-1] in (b"sh", b"bash"):
            yield path


def run() -> list[str]:
    """Runs all of them. Returns the names of those that complained."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        waiting = {pool.submit(_one, args): name for name, args in commands().items()}
        failed = []
        for done in as_completed(waiting):
            result, seconds = done.result()
            word = "failed" if result.returncode else "ok"
            print(f"  {word:<8} {waiting[done]} ({in_words(seconds)})", flush=True)
            if result.returncode:
                failed.append(waiting[done])
                print(f"{result.stdout}{result.stderr}", flush=True)
    return failed


def _one(args: list[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    started = time.monotonic()
    result = subprocess.run(args, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    return result, time.monotonic() - started
