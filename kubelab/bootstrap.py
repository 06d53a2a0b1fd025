"""Prepares `.venv` for the launcher. Runs under the system's Python, so it uses the standard library only."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Run as a script, Python looks for modules beside it only. In front: PYTHONPATH may lead to another copy.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from kubelab import company
from kubelab.bundle import archive, unpack
from kubelab.paths import ROOT, cache_dir, requirements_key, wheels_dir

VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements.txt"
STAMP = VENV / ".complete"


class CannotPrepare(Exception):
    """What was found, what is needed and what to type; the launcher ends with exit code 2."""


def say(text: str) -> None:
    """Progress goes to stderr: what a task prints (`shell --print`) may be read by a program."""
    print(f"kubelab: {text}", file=sys.stderr, flush=True)


def stamp_text() -> str:
    """What the launcher compares: the folder that the venv's scripts name, and the pins it was made from."""
    return f"{ROOT}\n{REQUIREMENTS.read_text()}"


def is_complete() -> bool:
    return (VENV / "bin/python").exists() and STAMP.is_file() and STAMP.read_text() == stamp_text()


def may_keep_venv() -> bool:
    """A finished venv of this folder only needs its packages brought up to date; any other is made anew."""
    # One that was made from a bundle has no pip.
    return (VENV / "bin/pip").exists() and STAMP.is_file() and STAMP.read_text().startswith(f"{ROOT}\n")


def requirement_block(name: str, text: str) -> str:
    """The lines of one pinned package with its hashes, so that even the installer is checked."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = next((i for i in range(start + 1, len(lines)) if not lines[i].startswith("    --hash")), len(lines))
    return "\n".join(lines[start:end]).rstrip("\\ ") + "\n"


def as_root() -> list[str] | None:
    """The prefix that makes a command run as root without asking anything, or None."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def ensure_venv_module() -> None:
    """Debian ships `venv` without what it needs; the package that completes it is installed when we may."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    prefix = as_root()
    if prefix is None or not shutil.which("apt-get"):
        raise CannotPrepare(
            f"found:  {sys.executable} cannot make virtual environments\n"
            f"needed: the package {package}\n"
            f"change: sudo apt-get install {package}"
        )
    say(f"installing {package}")
    # sudo hands no variables on.
    words = {"DEBIAN_FRONTEND": "noninteractive", **company.environment(os.environ)}
    apt = [*prefix, "env", *(f"{name}={value}" for name, value in words.items()), "apt-get"]
    command = [*apt, "install", "-qq", "--no-install-recommends", package]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        subprocess.run([*apt, "update", "-qq"], stdout=sys.stderr, check=True)
        subprocess.run(command, stdout=sys.stderr, check=True)


def install() -> None:
    """Brings the venv to exactly the pinned packages; uv does it in seconds, pip is the slower way out."""
    python = str(VENV / "bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes"]
    # A company's certificate authority is known to the system, rarely to what uv ships.
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ, "VIRTUAL_ENV": str(VENV)}
    if "PIP_INDEX_URL" in os.environ:
        environment.setdefault("UV_DEFAULT_INDEX", os.environ["PIP_INDEX_URL"])
    uv_only = VENV / "uv-requirement.txt"
    uv_only.write_text(requirement_block("uv", REQUIREMENTS.read_text()))
    subprocess.run([*pip, "--requirement", str(uv_only)], stdout=sys.stderr, check=True)
    sync = [str(VENV / "bin/uv"), "pip", "sync", "--quiet", "--require-hashes", str(REQUIREMENTS)]
    if subprocess.run(sync, env=environment, stdout=sys.stderr, check=False).returncode:
        say("uv did not finish; trying again with pip, which takes about a minute")
        subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], stdout=sys.stderr, check=True)


def bundle_in(words: Sequence[str]) -> Path | None:
    """Returns the file that `artifacts.unbundle` is to unpack: it has what .venv is made from, too."""
    after = words[words.index("artifacts.unbundle") + 1 :] if "artifacts.unbundle" in words else []
    return next((Path(word) for word in after if not word.startswith("-")), None)


def take_wheels(bundle: Path) -> None:
    """Puts the wheels of a bundle into the cache. Refuses one that is not whole, or of other requirements."""
    say(f"reading {bundle}")
    said = archive.check(bundle)
    if said.requirements != requirements_key():
        raise archive.other_copy(bundle, said, "its requirements.txt is another one")
    wanted = [file for file in unpack.missing(said, cache_dir()) if file.path.startswith("wheels/")]
    unpack.place(bundle, said, wanted, cache_dir())


def install_from(wheels: Path) -> bool:
    """Makes the venv from a folder of wheels and no network. uv comes out of its wheel: Debian's Python lacks pip."""
    wheel = next(wheels.glob("uv-*.whl"))
    if f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" not in REQUIREMENTS.read_text():
        return False
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as packed:
        uv = packed.extract(next(name for name in packed.namelist() if name.endswith("/scripts/uv")), folder)
        Path(uv).chmod(0o755)
        offline = {**os.environ, "VIRTUAL_ENV": str(VENV), "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
        make = [uv, "venv", "--quiet", "--no-config", "--clear", "--python", sys.executable, str(VENV)]
        sync = [uv, "pip", "sync", "--quiet", "--no-config", "--no-index", "--find-links", str(wheels)]
        commands = [make, [*sync, "--require-hashes", str(REQUIREMENTS)]]
        return all(
            not subprocess.run(command, env=offline, stdout=sys.stderr, check=False).returncode for command in commands
        )


@contextmanager
def only_one() -> Iterator[None]:
    """Holds a lock on the repository's folder, which the system drops when this process ends, however it ends."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start is preparing .venv; waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def prepare(words: Sequence[str] = ()) -> None:
    """Makes or updates the venv unless somebody else just did; the stamp is written last."""
    with only_one():
        if is_complete():
            return
        if bundle := bundle_in(words):
            take_wheels(bundle)
        say("preparing .venv from requirements.txt (usually 10 to 60 seconds)")
        if not (wheels_dir().is_dir() and install_from(wheels_dir())):
            ensure_venv_module()
            if not may_keep_venv():
                subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
            STAMP.unlink(missing_ok=True)
            install()
        STAMP.write_text(stamp_text())


def main() -> int:
    company.enter()
    try:
        prepare(sys.argv[1:])
    except (CannotPrepare, archive.Unusable) as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        say(f"could not prepare .venv: `{' '.join(error.cmd)}` ended with {error.returncode}; see its words above")
        say("where a proxy leads out, HTTPS_PROXY and KUBELAB_CA say so: docs/company.md")
        say("where no package mirror answers, a bundle has what is needed: ./invoke artifacts.unbundle FILE")
        return 2
    except KeyboardInterrupt:
        say("stopped; the next start begins again where this one was")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
