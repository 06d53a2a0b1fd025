"""./invoke on a machine that has nothing but Python."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from kubelab import bootstrap
from kubelab.bundle import making
from kubelab.bundle.archive import Manifest
from kubelab.paths import ROOT

PINS = (ROOT / "requirements.txt").read_text()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what the launcher needs, with pins for itself only: enough to start, and quick."""
    folder = tmp_path / "clone"
    (folder / "kubelab/bundle").mkdir(parents=True)
    modules = ["__init__", "bootstrap", "company", "paths", "turn"]
    modules += [f"bundle/{module}" for module in ("__init__", "archive", "unpack")]
    for name in ("invoke", *(f"kubelab/{module}.py" for module in modules)):
        shutil.copy(ROOT / name, folder / name)
    pins = "".join(bootstrap.requirement_block(name, PINS) for name in ("invoke", "uv"))
    (folder / "requirements.txt").write_text(pins)
    (folder / "tasks.py").write_text(
        "from invoke import task\n\n\n@task\ndef hello(c):\n    print('hello from tasks')\n"
    )
    return folder


def start(
    clone: Path, *words: str, cwd: Path | None = None, path: str = "", more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": path or os.environ["PATH"], **(more or {})}
    return subprocess.run([clone / "invoke", *words], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_the_first_start_prepares_and_the_next_does_not(clone: Path, tmp_path: Path) -> None:
    starts = [
        subprocess.Popen([clone / "invoke", "hello"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate() for process in starts]
    assert [out for out, _ in said] == ["hello from tasks\n"] * 2
    # Both began on a folder without .venv: one prepared it, the other waited for that one.
    assert sum("preparing .venv from" in error for _, error in said) == 1
    again = start(clone, "hello", cwd=tmp_path)
    assert (again.stdout, again.stderr, again.returncode) == ("hello from tasks\n", "", 0)
    link = tmp_path / "inv"
    link.symlink_to(clone / "invoke")
    assert subprocess.run([link, "hello"], capture_output=True, text=True, check=True).stdout == "hello from tasks\n"


def only_with(tmp_path: Path, python: str) -> str:
    """A path on which nothing is found but what a minimal system has, and this python3."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cat", "cmp", "dirname", "readlink"):
        (folder / name).symlink_to(shutil.which(name) or name)
    if python:
        (folder / "python3").write_text(python)
        (folder / "python3").chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("python", "found"),
    [("", "no python3"), ('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 || exit 1\n', "Python 3.9.2")],
)
def test_without_a_python_that_fits_it_says_what_to_do(clone: Path, tmp_path: Path, python: str, found: str) -> None:
    refused = start(clone, "hello", path=only_with(tmp_path, python))
    assert refused.returncode == 2
    assert f"found:  {found}" in refused.stderr
    assert "needed: Python 3.11, 3.12 or 3.13" in refused.stderr
    assert "change: install" in refused.stderr
    assert not (clone / ".venv").exists()


def test_without_venv_and_without_rights_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(bootstrap, "as_root", lambda: None)
    with pytest.raises(bootstrap.CannotPrepare, match=r"change: sudo apt-get install python3\.\d+-venv"):
        bootstrap.ensure_venv_module()


def test_venv_is_installed_where_we_may(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[list[str]] = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(bootstrap, "as_root", lambda: ["sudo", "-n"])
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")

    def run(args: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        typed.append(args)
        return subprocess.CompletedProcess(args, 0)

    monkeypatch.setattr("subprocess.run", run)
    bootstrap.ensure_venv_module()
    assert len(typed) == 1
    assert typed[0][:4] == ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
    assert typed[0][-5:-3] == ["apt-get", "install"]
    assert typed[0][-1].endswith("-venv")


def test_the_installer_itself_is_pinned_with_its_hashes() -> None:
    block = bootstrap.requirement_block("uv", PINS)
    assert block.startswith("uv==")
    assert "--hash=sha256:" in block
    assert block.count("==") == 1


def test_a_venv_of_another_folder_is_not_kept(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "VENV", clone / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", clone / ".venv/.complete")
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").touch()
    assert not bootstrap.may_keep_venv()
    bootstrap.STAMP.write_text(f"{ROOT}\nold pins\n")
    assert not bootstrap.may_keep_venv(), "made from a bundle: it cannot install"
    (clone / ".venv/bin/pip").touch()
    assert bootstrap.may_keep_venv()
    assert not bootstrap.is_complete()
    bootstrap.STAMP.write_text(f"/elsewhere\n{PINS}")
    assert not bootstrap.may_keep_venv()


def test_what_cannot_be_installed_ends_without_a_traceback(clone: Path) -> None:
    pins = (clone / "requirements.txt").read_text()
    (clone / "requirements.txt").write_text(re.sub(r"sha256:\w{4}", "sha256:0000", pins))
    refused = start(clone, "hello")
    assert refused.returncode == 2
    assert "could not prepare .venv" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (clone / ".venv/.complete").exists()


@pytest.fixture
def bundle(clone: Path, tmp_path: Path) -> Path:
    """A bundle of the wheels of the clone's two pins."""
    pins = clone / "requirements.txt"
    key = hashlib.sha256(pins.read_bytes()).hexdigest()[:16]
    wheels = tmp_path / "source/wheels" / key
    # A .venv that was made from a bundle has no pip, but uv, which makes one that has.
    subprocess.run(["uv", "venv", "--quiet", "--seed", tmp_path / "with-pip"], check=True)
    words = ["download", "--quiet", "--no-deps", "--require-hashes", f"--dest={wheels}", f"--requirement={pins}"]
    subprocess.run([tmp_path / "with-pip/bin/pip", *words], check=True)
    manifest = Manifest("key", key, "abc", {}, making.files([wheels], tmp_path / "source"))
    making.write(tmp_path / "bundle", manifest, tmp_path / "source")
    (clone / "tasks.py").write_text(
        "from invoke import Collection, task\n\n\n@task\ndef unbundle(c, file):\n    print('unpacks', file)\n\n\n"
        "namespace = Collection()\nnamespace.add_collection(Collection('artifacts', unbundle))\n"
    )
    return tmp_path / "bundle"


def without_a_network(tmp_path: Path) -> dict[str, str]:
    """No mirror answers, and no cache has what was downloaded before."""
    nobody = "http://127.0.0.1:9"
    caches = {name: str(tmp_path / "cache") for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR", "PIP_CACHE_DIR")}
    return {**caches, "PIP_INDEX_URL": nobody, "PIP_FIND_LINKS": "", "UV_DEFAULT_INDEX": nobody, "PIP_RETRIES": "0"}


def test_a_bundle_is_all_that_the_first_start_needs(clone: Path, bundle: Path, tmp_path: Path) -> None:
    offline = without_a_network(tmp_path)
    first = start(clone, "artifacts.unbundle", "bundle", cwd=tmp_path, more=offline)
    assert (first.stdout, first.returncode) == ("unpacks bundle\n", 0), first.stderr
    shutil.rmtree(clone / ".venv")
    again = start(clone, "--version", more=offline)
    assert again.returncode == 0, "the cache keeps what .venv is made from"
    assert "preparing .venv" in again.stderr


def test_a_bundle_that_is_damaged_or_of_other_pins_makes_no_venv(clone: Path, bundle: Path, tmp_path: Path) -> None:
    offline = without_a_network(tmp_path)
    pins = (clone / "requirements.txt").read_text()
    (clone / "requirements.txt").write_text(f"{pins}# changed\n")
    other = start(clone, "artifacts.unbundle", str(bundle), more=offline)
    (clone / "requirements.txt").write_text(pins)
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)
    damaged = start(clone, "artifacts.unbundle", str(bundle), more=offline)
    assert "its requirements.txt is another one\nneeded: " in other.stderr
    assert "is damaged" in damaged.stderr
    assert other.returncode == damaged.returncode == 2
    assert not (clone / ".venv").exists()
    assert not (tmp_path / "cache/kubelab").exists()
