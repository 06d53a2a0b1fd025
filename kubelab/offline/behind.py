"""A company's proxy as the only way out: the registry has a name that nobody knows but the proxy."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tarfile
import threading
from pathlib import Path

from kubelab.behind.proxy import Authority, Proxy
from kubelab.company import AUTHORITY
from kubelab.offline import filled, place
from kubelab.offline.recorder import REGISTRY

PORT = 3128
IMAGE = f"{REGISTRY}/note:1"
TOLD = ("/etc/docker", "/etc/systemd/system")
"""Where an engine of ours is told of a proxy. This machine's own shall not be told of one that goes."""
COMMANDS = (["up"], ["lab", "clusterip"], ["down"])
PULL = ["ctr", "--namespace", "k8s.io", "images", "pull"]
ON_NODE = {
    # containerd pulls, with what it was started with; then clients that are told less do it themselves.
    "a node pulls": ([*PULL, IMAGE], ""),
    "a node without the proxy finds no registry": (
        ["env", "-u", "HTTPS_PROXY", "-u", "https_proxy", *PULL, "--local", IMAGE],
        "no such host",
    ),
    "a node without the authority does not believe it": (
        ["env", "SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/nothing", *PULL, "--local", IMAGE],
        "x509",
    ),
}


class Company:
    """The proxy, at work until the place ends, and what it has seen."""

    def __init__(self, folder: Path, registry: Path) -> None:
        authority = Authority()
        self.folder, self.authority = folder, folder / "authority.pem"
        self.authority.write_bytes(authority.pem)
        self.proxy = Proxy(authority, {REGISTRY: filled.address(registry)})
        listener = socket.create_server((place.NAME_SERVER, PORT))
        threading.Thread(target=lambda: asyncio.run(self.proxy.serve(listener)), daemon=True).start()
        for path in map(Path, TOLD):
            path.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree(path, folder / "told" / path.name, symlinks=True)
            subprocess.run(["mount", "--bind", copy, path], check=True)

    @property
    def settings(self) -> dict[str, str]:
        """What somebody who works there has in the environment."""
        return {"HTTPS_PROXY": f"http://{place.NAME_SERVER}:{PORT}", AUTHORITY: str(self.authority)}

    def ask(self, node: str) -> list[str]:
        """Returns what is wrong: engine and node reach the registry, and a node that is told less says why not."""
        note = self.folder / "note.tar"
        with tarfile.open(note, "w") as tar:
            tar.add(__file__, "note")
        wrong = _asked("the engine takes a note", ["docker", "import", str(note), IMAGE], "")
        wrong += _asked("the engine pushes", ["docker", "push", IMAGE], "")
        for what, (words, complaint) in ON_NODE.items():
            wrong += _asked(what, ["docker", "exec", node, *words], complaint)
        return wrong

    def judged(self) -> list[str]:
        """Returns what is wrong: the proxy was asked for something that is in the cluster or here."""
        seen = sorted(set(self.proxy.seen))
        print(f"the proxy was asked for {', '.join(seen)}", flush=True)
        return [] if seen == [REGISTRY] else [f"the proxy was asked for {', '.join(seen)}"]


def _asked(what: str, words: list[str], complaint: str) -> list[str]:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    held = bool(done.returncode) == bool(complaint) and complaint in said
    print(f" {'✔' if held else '✘'} {what}", flush=True)
    return [] if held else [f"{what}: {said.strip()[-1500:]}"]
