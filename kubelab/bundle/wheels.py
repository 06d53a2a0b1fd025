"""Our own tools for a machine without a network: the wheels that requirements.txt names."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kubelab.errors import Refusal
from kubelab.paths import ROOT, wheels_dir

PYTHONS = ("3.11", "3.12", "3.13")
"""What the launcher starts with. Few packages have a wheel for each."""
PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux_2_5", "manylinux1")
DOWNLOAD = [
    "download",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
]


def without_conditions(requirements: str) -> str:
    """Returns all requirements as if every condition held: pip asks them of its own Python, not of the one named."""
    return re.sub(r" ; [^\\\n]*", " ", requirements)


def download(say: Callable[[str], None]) -> Path:
    """Returns the folder with the wheels; downloads them, each checked by its digest, unless it is there."""
    folder = wheels_dir()
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    listed = partial / "requirements.txt"
    listed.write_text(without_conditions((ROOT / "requirements.txt").read_text()))
    platforms = [f"--platform={name}_x86_64" for name in PLATFORMS]
    for python in PYTHONS:
        say(f"our tools for Python {python} (usually 15 s)")
        words = [*DOWNLOAD, *platforms, "--implementation=cp", f"--python-version={python}", f"--dest={partial}"]
        if subprocess.run([sys.executable, "-m", "pip", *words, "-r", str(listed)], check=False).returncode:
            raise Refusal(
                found=f"pip, which could not download the tools for Python {python}; its words stand above",
                needed="a package mirror that answers, and pip in .venv",
                change="mend what pip names, then run the same command again: it goes on from here",
            )
    listed.unlink()
    return partial.rename(folder)
