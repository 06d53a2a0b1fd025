"""What is read without kubectl is what kubectl would have read, and everything else is left to it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from kubelab import api
from kubelab.kubectl import Kubectl
from kubelab.viewpoints import Reachable

PODS = {"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "one", "managedFields": [{}]}}]}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "managedFields": [{}]}}
SETS = {"apiVersion": "apps/v1", "kind": "ReplicaSetList", "items": [{"metadata": {"name": "two"}}]}
NOTHING = {"apiVersion": "v1", "kind": "PersistentVolumeList", "items": []}

ANSWERS: dict[str, Any] = {
    "/api/v1/namespaces/lab-x/pods": PODS,
    "/api/v1/namespaces/lab-x/pods/one": POD,
    "/api/v1/namespaces/lab-x/pods?labelSelector=app%3Dx%2C%21y": PODS,
    "/api/v1/namespaces/other/pods?fieldSelector=status.phase%21%3DRunning": PODS,
    "/api/v1/pods": PODS,
    "/apis/apps/v1/namespaces/lab-x/replicasets": SETS,
    "/api/v1/persistentvolumes": NOTHING,
}


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serve(handler: type[Quiet]) -> Iterator[int]:
    """Answers on a port of this machine as long as the block lasts."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """An API that knows ANSWERS; what it was asked."""
    seen: list[str] = []

    class Handler(Quiet):
        def do_GET(self) -> None:
            seen.append(self.path)
            content = json.dumps(ANSWERS.get(self.path, {"kind": "Status"})).encode()
            self.answer(200 if self.path in ANSWERS else 404, content)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(f"{self.path} {self.headers['Content-Type']} {content.decode()}")
            known = self.path.partition("?")[0] in ANSWERS
            self.answer(201 if known else 403, content if known else b'{"kind": "Status"}')

        def answer(self, code: int, content: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with _serve(Handler) as port:
        _kubeconfig(tmp_path, port, monkeypatch)
        yield seen


def _kubeconfig(folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setattr(api, "kubeconfig", lambda _: path)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubectl that repeats what was typed."""
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho "{\\"typed\\": \\"$*\\"}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


ONE = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}}]
TWO = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "two"}}]


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("get pods", ONE),
        ("get pod", ONE),
        ("get pod one", ONE[0]),
        ("get pods one one", ONE + ONE),
        ("get pods --selector app=x,!y", ONE),
        ("get pods -n other --field-selector status.phase!=Running", ONE),
        ("get pods --all-namespaces", ONE),
        ("get pods,replicasets", ONE + TWO),
        ("get pv", []),
    ],
)
def test_objects_are_read(asked: list[str], command: str, found: object) -> None:
    assert api.read("x", "lab-x", command) == found
    assert set(asked) <= ANSWERS.keys()


@pytest.mark.parametrize(
    "command",
    [
        "get storageclasses",
        "get pods --sort-by .metadata.name",
        "get pods --as somebody",
        "get pods,replicasets one",
        "get pods one --selector app=x",
        "delete pods one",
        "create --filename x.yml",
        "get",
    ],
)
def test_what_is_not_understood_is_left_to_kubectl(asked: list[str], command: str) -> None:
    assert api.read("x", "lab-x", command) is None
    assert asked == []


def test_what_is_not_there_is_left_to_kubectl_for_its_complaint(asked: list[str]) -> None:
    assert api.read("x", "lab-x", "get pod nobody") is None
    assert asked == ["/api/v1/namespaces/lab-x/pods/nobody"]


def test_an_api_that_does_not_answer_is_left_to_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _kubeconfig(tmp_path, 9, monkeypatch)
    assert api.read("x", "lab-x", "get pods") is None


@pytest.mark.parametrize(("dry_run", "query"), [(False, ""), (True, "?dryRun=All")])
def test_an_object_is_created(asked: list[str], dry_run: bool, query: str) -> None:
    assert Kubectl("x", "lab-x").create(POD, dry_run) == POD
    assert asked == [f"/api/v1/namespaces/lab-x/pods{query} application/json {json.dumps(POD)}"]


@pytest.mark.parametrize(
    ("namespace", "content", "requests"),
    [
        ("forbidden", POD, 1),
        ("lab-x", {"kind": "StorageClass", "apiVersion": "storage.k8s.io/v1"}, 0),
        ("lab-x", {"kind": "Service", "apiVersion": "serving.knative.dev/v1"}, 0),
    ],
)
def test_what_is_refused_or_not_known_is_left_to_kubectl(
    asked: list[str], kubectl: None, namespace: str, content: Any, requests: int
) -> None:
    made = Kubectl("x", namespace).create(content, dry_run=True)
    assert made == {"typed": f"--namespace {namespace} create --filename - --output json --dry-run=server"}
    assert len(asked) == requests


EXEC = (
    "/api/v1/namespaces/lab-x/pods/one/exec?command=%2Fbin%2Fsh&command=-c&command=echo+h%C3%A9&stdout=True&stderr=True"
)
ENDED = b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}'
REFUSED = b'{"status": "Failure", "message": "container not found"}'


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kubectl: None) -> Iterator[list[bytes]]:
    """What an API says, channel by channel, of a command in the Pod `one`; of another Pod it knows nothing."""
    messages: list[bytes] = []

    class Handler(Quiet):
        def do_GET(self) -> None:
            if self.path != EXEC:
                self.send_error(404)
                return
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
            self.end_headers()
            for message in messages:
                self.wfile.write(bytes([0x82, len(message)]) + message)
            self.close_connection = True

    with _serve(Handler) as port:
        _kubeconfig(tmp_path, port, monkeypatch)
        yield messages


def test_a_command_runs_in_a_pod(says: list[bytes]) -> None:
    """Also where a letter comes in two pieces."""
    says += [b"\1h\xc3", b"\2oh", b"\1\xa9\n", b"\3" + ENDED]
    done = Reachable("x").pod("one", "lab-x").run("echo h\u00e9")
    assert (done.rc, done.stdout, done.stderr) == (3, "h\u00e9\n", "oh")


def test_a_command_that_succeeds_ends_with_0(says: list[bytes]) -> None:
    says.append(b'\3{"status": "Success"}')
    assert Reachable("x").pod("one", "lab-x").run("echo h\u00e9").rc == 0


@pytest.mark.parametrize(("end", "why"), [([b"\3" + REFUSED], "container not found"), ([], "the connection was lost")])
def test_a_command_whose_end_is_not_known_has_failed(says: list[bytes], end: list[bytes], why: str) -> None:
    """It may have been run, so it is not run again."""
    says += [b"\1some", *end]
    done = Reachable("x").pod("one", "lab-x").run("echo h\u00e9")
    assert (done.rc, done.stdout, done.stderr) == (1, "some", f"error: {why}\n")


def test_a_pod_that_is_not_there_is_left_to_kubectl(says: list[bytes]) -> None:
    assert "-n lab-x exec two -- /bin/sh" in Reachable("x").pod("two", "lab-x").run("true").stdout
