"""Fetches with pip, uv, Go and apt where only a company's proxy leads out, with its authority and without.

    python -m kubelab.behind.proof

A part of the test suite: `invoke test --only=company`. Needs root, for a place with no other way out, and mirrors that
answer this machine.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

import yaml

from kubelab.behind.proxy import Authority, Proxy
from kubelab.bootstrap import requirement_block
from kubelab.company import AUTHORITY
from kubelab.errors import Refusal
from kubelab.lint import tracked
from kubelab.paths import ROOT, cache_dir, common

NEW_NETWORK = 0x40000000  # CLONE_NEWNET of linux/sched.h
KEPT = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "GOPROXY", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB")
"""Which mirrors this machine uses. Nothing else of its settings is known there."""
COMPLAINTS = ("certificate", "CERTIFICATE", "x509", "UnknownIssuer")
"""How programs say that they do not believe who answers."""
CLUSTER = ("172.30.0.9", "10.96.0.1", "kubelab-kind-worker", "web.default.svc.cluster.local")
"""A machine, a Service, a node by its name, a Service by its name: of the cluster kind."""

SITE = r"""
set -eo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists,archives}/partial; : > "$work/status"
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Component: main' | head -1)
echo "deb https://${site#*://} {{ versions.debian.version }} main" > "$work/list"
"""
APT = """
apt-get -o Dir::State="$work" -o Dir::State::Status="$work/status" -o Dir::Cache="$work" \
  -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::SourceList="$work/list" -o APT::Update::Error-Mode=any update
"""
MMDEBSTRAP = """
mmdebstrap {{ company_mmdebstrap_extract }} --variant=extract --include=netbase {{ versions.debian.version }} \
  "$work/root.tar" "$(cat "$work/list")"
! tar -tf "$work/root.tar" | grep 99mmdebstrap
"""
PROGRAMS = {
    "uv": 'uv pip install --no-cache --no-deps --target "$HOME/here" idna',
    "go": "go mod download -x github.com/google/uuid@v1.6.0",
    "apt": SITE + APT,
    "mmdebstrap": SITE + MMDEBSTRAP,
}
UV = 'UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=3 uv pip install --no-cache --target "$HOME/there" --default-index'
ASKS = {
    "curl": "curl -sS -m 3 https://{host}:6443/",
    "kubectl": "kubectl --server https://{host}:6443 get --raw / --token none --request-timeout 3s",
    "uv": UV + " https://{host}:6443/ nothing-of-this-name",
}


@dataclass
class Place:
    """A network namespace of the thread that makes it, from which a port of 127.0.0.1 alone leads out: to the proxy."""

    folder: Path
    proxy: Proxy
    listeners: Queue[socket.socket] = field(default_factory=Queue)
    port: int = 0
    wrong: list[str] = field(default_factory=list)

    def make(self) -> None:
        """Sockets and processes of this thread are there from now on; the proxy's other side stays where it was."""
        if ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.listeners.put(listener)

    def serve(self) -> None:
        """For a thread that is begun elsewhere: what the proxy connects to is not in the place."""
        asyncio.run(self.proxy.serve(self.listeners.get()))

    def run(self, words: list[str], believing: bool, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a command with the settings of a company, or with its proxy alone, in an empty home."""
        home = Path(tempfile.mkdtemp(dir=self.folder))
        settings = {"HTTPS_PROXY": f"http://127.0.0.1:{self.port}", "PATH": os.environ["PATH"], "HOME": str(home)}
        settings |= {name: os.environ[name] for name in KEPT if name in os.environ}
        if believing:
            settings[AUTHORITY] = str(self.folder / "authority.pem")
        done = subprocess.run(words, cwd=ROOT, env=settings | more, capture_output=True, text=True, check=False)
        shutil.rmtree(home, ignore_errors=True)
        return done

    def playbook(self, command: str, believing: bool, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs it as a task of a playbook that somebody started by hand."""
        tools = Path(sys.executable).parent
        words = [str(tools / "ansible-playbook"), "-i", "inventory/kind.yml", "kubelab/behind/fetch.yml", "-e"]
        (self.folder / "command.yml").write_text(yaml.safe_dump({"command": command}))
        go = cache_dir() / f"go/go-{common('versions')['versions']['go']['version']}/go/bin"
        path = os.pathsep.join(map(str, (tools, go, *cache_dir().glob("parts/kubernetes-*"), os.environ["PATH"])))
        return self.run([*words, f"@{self.folder}/command.yml"], believing, PATH=path, **more)

    def holds(self, what: str, true: bool, said: str) -> None:
        print(f" {'✔' if true else '✘'} {what}", flush=True)
        if not true:
            self.wrong.append(f"{what}: {said.strip()[-1500:]}")

    def both(self, name: str, first: subprocess.CompletedProcess[str], other: subprocess.CompletedProcess[str]) -> None:
        """What must work with the authority must fail for its absence, and for nothing else."""
        said = first.stdout + first.stderr
        self.holds(f"{name} fetches through the proxy", not first.returncode and "did not finish" not in said, said)
        said = other.stdout + other.stderr
        refused = bool(other.returncode) and any(word in said for word in COMPLAINTS)
        self.holds(f"{name} refuses the proxy's certificate without the authority", refused, said)


def prove(place: Place) -> None:
    place.make()
    out = place.run(["curl", "-sS", "-m", "3", "--noproxy", "*", "http://203.0.113.7/"], False)
    place.holds("nothing leads out but the proxy", out.returncode in (6, 7), out.stderr)
    place.both("the launcher (pip and uv)", *(_launched(place, believing) for believing in (True, False)))
    for name, command in PROGRAMS.items():
        place.both(name, *(place.playbook(command, believing) for believing in (True, False)))
    for name, ask in ASKS.items():
        for past in (True, False):
            before = len(place.proxy.seen)
            asked = " ; ".join(ask.format(host=host) for host in CLUSTER)
            # The control: who thinks that nothing is near asks the proxy for all of them.
            done = place.playbook(asked if past else f"export NO_PROXY= no_proxy=; {asked}", True)
            seen = sorted(set(place.proxy.seen[before:]) & set(CLUSTER))
            what = f"{name} asks the cluster past the proxy" if past else f"the proxy sees {name} when nothing is near"
            place.holds(what, seen == ([] if past else sorted(CLUSTER)), f"{seen} {done.stdout}{done.stderr}")


def _launched(place: Place, believing: bool) -> subprocess.CompletedProcess[str]:
    """The launcher of a copy that nobody has started, with pins for itself only."""
    with tempfile.TemporaryDirectory(dir=place.folder) as folder:
        for path in tracked():
            if path.parts[0] in ("kubelab", "plugins", "inventory", "invoke", "tasks.py"):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, folder / path)
        pins = (ROOT / "requirements.txt").read_text()
        blocks = (requirement_block(name, pins) for name in ("invoke", "uv"))
        (Path(folder) / "requirements.txt").write_text("".join(blocks))
        bootstrap = ["python3", f"{folder}/kubelab/bootstrap.py"]
        return place.run(bootstrap, believing, PIP_RETRIES="0", PIP_VERBOSE="1", UV_HTTP_RETRIES="0")


def main() -> int:
    """Returns 0 when all of it holds."""
    if os.geteuid() != 0:
        raise Refusal("an account that is not root", "root, to make a network namespace", "run it as root")
    # It warns of clients that end a connection.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    authority = Authority()
    with tempfile.TemporaryDirectory(prefix="kubelab-company-") as folder:
        (Path(folder) / "authority.pem").write_bytes(authority.pem)
        place = Place(Path(folder), Proxy(authority))
        threading.Thread(target=place.serve, daemon=True).start()
        # A thread of its own: only it moves into the place.
        thread = threading.Thread(target=prove, args=(place,))
        thread.start()
        thread.join()
    for text in place.wrong:
        print(f"wrong: {text}")
    return 1 if place.wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(refusal.code)
