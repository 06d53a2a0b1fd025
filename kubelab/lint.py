"""The linters, each as one command; two at a time, what they complain about printed as they end.

What ansible-lint once found to be well it is not shown again: it starts Ansible for each of eighty playbooks.
"""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from kubelab.paths import ROOT, cache_dir
from kubelab.playbook import environment
from kubelab.progress import in_words


def commands() -> dict[str, list[str]]:
    """Returns what is run, the slowest first."""
    return {
        "ansible-lint": ["ansible-lint", "--nocolor"],
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


def shell_scripts() -> Iterator[Path]:
    """Yields the files whose first line names a shell that shellcheck knows; a template is none yet."""
    for path in (path for path in tracked() if path.suffix != ".j2"):
        with (ROOT / path).open("rb") as file:
            first = file.readline(60).split()
        if first[:1] and first[0].startswith(b"#!") and first[-1].split(b"/")[-1] in (b"sh", b"bash"):
            yield path


def passed_before() -> Path:
    """Returns the file that is there when ansible-lint had no complaint about just these files and its own version."""
    digest = hashlib.sha256()
    for path in tracked():
        if path.suffix in (".yml", ".j2", ".cfg", ".txt") or path.parts[0] == "plugins":
            digest.update(f"{path}\0".encode() + (ROOT / path).read_bytes())
    return cache_dir() / "lint" / digest.hexdigest()[:16]


def run() -> list[str]:
    """Runs all of them. Returns the names of those that complained."""
    linters, well, failed = commands(), passed_before(), []
    if well.is_file():
        del linters["ansible-lint"]
        print("  ok       ansible-lint (these very files passed before)", flush=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        waiting = {pool.submit(_one, args): name for name, args in linters.items()}
        for done in as_completed(waiting):
            result, seconds = done.result()
            word = "failed" if result.returncode else "ok"
            print(f"  {word:<8} {waiting[done]} ({in_words(seconds)})", flush=True)
            if result.returncode:
                failed.append(waiting[done])
                print(f"{result.stdout}{result.stderr}", flush=True)
    if "ansible-lint" not in failed:
        well.parent.mkdir(parents=True, exist_ok=True)
        well.touch()
    return failed


def _one(args: list[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    started = time.monotonic()
    result = subprocess.run(args, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    return result, time.monotonic() - started
