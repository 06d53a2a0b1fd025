"""What is read without kubectl is what kubectl would have read, and everything else is left to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from kubelab import api

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


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """An API that knows ANSWERS; what it was asked."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            content = json.dumps(ANSWERS.get(self.path, {"kind": "Status"})).encode()
            self.send_response(200 if self.path in ANSWERS else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    _kubeconfig(tmp_path, server.server_port, monkeypatch)
    yield seen
    server.shutdown()
    server.server_close()


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
