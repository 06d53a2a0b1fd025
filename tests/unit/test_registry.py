"""A registry answers in two seconds or is not used; a silent pull ends; an image of another version gives nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jinja2
import pytest
import yaml

from kubelab import registry, sources
from kubelab.errors import Refusal
from kubelab.paths import ROOT, common

DIGEST = "sha256:" + "a" * 64
Serve = Callable[[int], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Returns the name of a registry that answers every question with such a status."""
    servers = []

    def start(status: int) -> str:
        class Answers(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                right = self.path == f"/v2/class/kubelab/node/manifests/{DIGEST}"
                self.send_response(status if right else 500)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Answers))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "said"), [(200, ""), (401, ""), (404, "answers 404 Not Found"), (503, "answers 503")]
)
def test_a_registry_is_asked_for_the_very_image(serve: Serve, status: int, said: str) -> None:
    """One that wants to know who asks is left to the engine, which has logged in or not."""
    why_not = registry.why_not(f"{serve(status)}/class/kubelab/node@{DIGEST}")
    assert said in why_not if said else not why_not, why_not


def test_one_that_is_not_there_is_said_so_at_once() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        began = time.monotonic()
        said = registry.why_not(f"127.0.0.1:{nobody.getsockname()[1]}/kubelab/node@{DIGEST}")
    assert "Connection refused" in said
    assert time.monotonic() - began < 1


def test_one_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        said = registry.why_not(f"127.0.0.1:{silent.getsockname()[1]}/kubelab/node@{DIGEST}", seconds=0.4)
    assert said.endswith("does not answer within 0.4 s")
    assert 0.3 < time.monotonic() - began < 2


def test_who_answers_in_one_way_is_not_kept_waiting_for_the_other() -> None:
    """As a host whose firewall lets only one port through."""
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            kept.extend([server.accept()[0], server.accept()[0]])
            for asking in kept:
                if asking.recv(1, socket.MSG_PEEK) == b"H":  # the other one begins with what TLS begins with
                    asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        began = time.monotonic()
        assert registry.why_not(f"127.0.0.1:{server.getsockname()[1]}/kubelab/node@{DIGEST}", seconds=5) == ""
    assert time.monotonic() - began < 3


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a small program in the place of docker; returns the file into which it writes what it was asked."""

    def replace(script: str) -> Path:
        program = tmp_path / "bin/docker"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n{script}\n')
        program.chmod(0o755)
        return tmp_path / "asked"

    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return replace


def test_a_pull_takes_the_time_it_needs_as_long_as_something_comes(docker: Callable[[str], Path]) -> None:
    asked = docker("for piece in 1 2 3 4 5 6; do [ -t 1 ] && echo $piece; sleep 0.2; done")
    assert registry.pull("there/kubelab/node@sha256:1", silence=0.9) == ""
    assert asked.read_text() == "pull there/kubelab/node@sha256:1\n"


def test_a_pull_that_falls_silent_ends(docker: Callable[[str], Path]) -> None:
    docker("echo Downloading; exec sleep 20")
    began = time.monotonic()
    assert registry.pull("x", silence=0.3) == "for 0.3 s nothing came"
    assert time.monotonic() - began < 5


def test_a_pull_that_fails_says_why(docker: Callable[[str], Path]) -> None:
    docker(r"printf 'a: Downloading\r\033[1Aa: more\n'; printf 'manifest unknown\033[K\n'; exit 1")
    assert registry.pull("x", silence=5) == "manifest unknown"


# What is taken out of an image


ENGINE = """
case $1 in
  create) echo box ;;
  cp) if [ "$2" = box:/kubelab ]; then
        mkdir -p "$3/bin" "$3/labs"; touch "$3/bin/kind" "$3/flannel.yaml" "$3/labs/kwok-1.tar"; STOP
      else [ -d "$3" ] && touch "$3/kubectl"; fi ;;
esac
"""


def take_out(folder: Path, pulled_key: str = "key") -> int:
    """Runs the command of the role, as Ansible would fill it in."""
    tasks = yaml.safe_load((ROOT / "roles/artifacts/tasks/registry.yml").read_text())
    (text,) = [one["ansible.builtin.shell"]["cmd"] for one in tasks if "ansible.builtin.shell" in one]
    world = jinja2.Environment()
    world.filters |= {"quote": lambda text: f"'{text}'", "dirname": os.path.dirname}
    values = {
        "pulled": "there/node@sha256:1",
        "pulled_key": pulled_key,
        "key": "key",
        "dir": folder,
        "cache": folder.parent.parent / "parts",
        "from": "registry",
    }
    filled = world.from_string(text).render(
        {f"__artifacts_{name}": value for name, value in values.items()}, artifacts_node_image="kubelab/node:key"
    )
    return subprocess.run(["sh", "-c", filled], check=False).returncode


def test_what_a_machine_needs_is_taken_out_of_the_image(docker: Callable[[str], Path], tmp_path: Path) -> None:
    asked = docker(ENGINE.replace("STOP", ""))
    assert take_out(tmp_path / "nodes/key") == 0
    found = {str(path.relative_to(tmp_path / "nodes")) for path in (tmp_path / "nodes").rglob("*") if path.is_file()}
    assert (tmp_path / "parts/kwok-1.tar").is_file()
    assert found == {f"key/{name}" for name in ("bin/kind", "bin/kubectl", "flannel.yaml", "from", "complete")}
    assert asked.read_text().splitlines()[-3:] == [
        "tag there/node@sha256:1 kubelab/node:key",
        "rm box",
        "image rm --no-prune there/node@sha256:1",
    ]


def test_what_was_begun_and_not_ended_does_not_bear_the_name(docker: Callable[[str], Path], tmp_path: Path) -> None:
    """Neither in the cache nor in the engine; the next time is whole."""
    asked = docker(ENGINE.replace("STOP", "exit 1"))
    assert take_out(tmp_path / "nodes/key") != 0
    assert not (tmp_path / "nodes/key").exists()
    assert "tag" not in asked.read_text()
    docker(ENGINE.replace("STOP", ""))
    assert take_out(tmp_path / "nodes/key") == 0
    assert (tmp_path / "nodes/key/complete").is_file()


def test_nothing_is_taken_out_of_an_image_of_another_version(docker: Callable[[str], Path], tmp_path: Path) -> None:
    asked = docker(ENGINE.replace("STOP", ""))
    assert take_out(tmp_path / "nodes/key", pulled_key="other") == 0
    assert not (tmp_path / "nodes").exists()
    assert asked.read_text() == "image rm --no-prune there/node@sha256:1\n"


# What is written about registries


def test_the_role_alone_does_what_the_project_does() -> None:
    """Its defaults are those of the inventory, where people write."""
    written = common("sources")
    defaults = yaml.safe_load((ROOT / "roles/artifacts/defaults/main.yml").read_text())
    assert {name: defaults.get(name, "") for name in written} == written
    assert set(written) == set(sources.SHARED)


@pytest.mark.parametrize(
    "name", ["127.0.0.1:5000", "registry.example", "localhost/class", "host:5000/a/b", "ghcr.io/me"]
)
def test_names_of_registries_are_known(name: str) -> None:
    sources.require_registry(name)


@pytest.mark.parametrize(
    "name", ["", "host", "https://host.example", "host.example/", "Host.example", "host.example:x"]
)
def test_what_the_engine_would_take_for_something_else_is_refused(name: str) -> None:
    """A first word without dot and port is a folder in the registry of Docker's maker."""
    with pytest.raises(Refusal, match="as a registry"):
        sources.require_registry(name)
