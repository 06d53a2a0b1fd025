"""A registry that somebody has filled, where there is nothing else: the one of the scenario `registry`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import yaml

from kubelab.bundle import wheels
from kubelab.paths import cache_dir, common
from kubelab.waiting import wait_until


def address(registry: Path) -> str:
    """Returns host:port."""
    return str(yaml.safe_load((registry / "registry.yml").read_text())["http"]["addr"])


def lead_to(registry: Path, name: str, tree: Path, home: Path) -> None:
    """Has a copy of the project take all from there, under this name, but for what no registry brings.

    Its cache has that: our own tools, as wheels, and the runtime for hosts that lack capabilities.
    """
    settings = common("sources") | {
        "artifacts_source": "registry",
        "artifacts_registry": name,
        "artifacts_registry_digest": (registry / "digest").read_text().strip(),
    }
    (tree / "inventory/group_vars/all/sources.yml").write_text(f"---\n{yaml.safe_dump(settings)}")
    for brought in (wheels.download(print), *cache_dir().glob("parts/runtime-*")):
        shutil.copytree(brought, home / ".cache/kubelab" / brought.relative_to(cache_dir()))


def serve(registry: Path) -> str:
    """Starts it, to run until the place ends. Returns '', or what is wrong."""
    program = registry / "package/usr/bin/docker-registry"
    log = (registry / "offline.log").open("w")
    # Behind a proxy it does not know its own name.
    env = {**os.environ, "REGISTRY_HTTP_RELATIVEURLS": "true"}
    subprocess.Popen([program, "serve", registry / "registry.yml"], env=env, stdout=log, stderr=subprocess.STDOUT)
    host, _, port = address(registry).rpartition(":")
    return "" if wait_until(lambda: _answers(host, int(port))) else f"the registry does not run; see {log.name}"


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True
