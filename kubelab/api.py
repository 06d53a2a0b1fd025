"""Asks the API in this process, as `kubectl get -o json`, `kubectl create` and `kubectl exec` would.

The checks look again and again, and kubectl takes ten times the processor for each look: to start it was a quarter of
all that both processors did while the labs were proved. What is not understood here, or not found, is left to kubectl,
also for its complaint.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from kubelab.paths import kubeconfig

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

LIMIT = 10
"""Seconds for an answer; then kubectl is asked."""
ONCE = 60
"""The same for what must not be done twice: an emulated API server may be as late as that."""
KINDS = {
    "api/v1": "configmap event node persistentvolume persistentvolumeclaim pod service",
    "apis/apps/v1": "daemonset deployment replicaset statefulset",
    "apis/autoscaling/v2": "horizontalpodautoscaler",
    "apis/coordination.k8s.io/v1": "lease",
    "apis/discovery.k8s.io/v1": "endpointslice",
}
PATHS = {kind: path for path, kinds in KINDS.items() for kind in kinds.split()}
IN_NO_NAMESPACE = {"node", "persistentvolume"}
SHORT = {"pv": "persistentvolume", "pvc": "persistentvolumeclaim"}


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    out: bytes
    err: bytes


def read(cluster: str, namespace: str, command: str) -> Any:
    """Returns what `kubectl <command>` finds: an object where one is named, else a list. None: ask kubectl."""
    verb, *words = shlex.split(command)
    try:
        given, more = _words().parse_known_args(words)
    except argparse.ArgumentError:
        return None
    about_all = given.selector or given.field_selector or given.all_namespaces or len(given.kinds or []) != 1
    if verb != "get" or more or not given.kinds or (given.names and about_all):
        return None
    try:
        found = list(_found(_client(kubeconfig(cluster)), namespace, given))
    except Exception:  # whatever it is, kubectl meets it too, and says it as a learner would see it
        return None
    return found[0] if len(given.names) == 1 else found


@cache
def _words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("kinds", nargs="?", type=lambda text: [_kind(word) for word in text.split(",")])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--selector", "-l")
    parser.add_argument("--field-selector")
    parser.add_argument("--namespace", "-n")
    parser.add_argument("--all-namespaces", "-A", action="store_true")
    return parser


def _kind(word: str) -> str:
    kind = SHORT.get(word, word.removesuffix("s"))
    if kind not in PATHS:
        raise argparse.ArgumentTypeError(word)
    return kind


def _found(client: ApiClient, namespace: str, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    selectors = {"labelSelector": given.selector, "fieldSelector": given.field_selector}
    query = urlencode({name: text for name, text in selectors.items() if text})
    for kind in given.kinds:
        path = _path(kind, "" if given.all_namespaces else given.namespace or namespace)
        for name in given.names or [""]:
            content = _call(client, "GET", f"{path}/{name}".rstrip("/") + (query and f"?{query}"))
            what = {"apiVersion": content["apiVersion"], "kind": content["kind"].removesuffix("List")}
            for one in [content] if name else content["items"]:
                one["metadata"].pop("managedFields", None)  # kubectl does not show them either
                yield what | one


def _path(kind: str, namespace: str) -> str:
    """Where the objects of a kind are: those of one namespace, or, with '', of all."""
    place = f"namespaces/{namespace}/" if namespace and kind not in IN_NO_NAMESPACE else ""
    return f"/{PATHS[kind]}/{place}{kind}s"


def create(cluster: str, namespace: str, content: dict[str, Any], dry_run: bool = False) -> Any:
    """Creates an object and returns it as it is then, in a dry run as it would be. None: ask kubectl."""
    kind, version = content["kind"].lower(), content["apiVersion"]
    if PATHS.get(kind) != f"api{'s' if '/' in version else ''}/{version}":
        return None
    query = "?dryRun=All" if dry_run else ""
    try:
        return _call(_client(kubeconfig(cluster)), "POST", _path(kind, namespace) + query, content)
    except Exception:  # as above
        return None


def execute(cluster: str, namespace: str, pod: str, container: str | None, words: list[str]) -> Ended | None:
    """Runs a command in a container, which has to be named where there are several. None: ask kubectl."""
    from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDOUT_CHANNEL, websocket_call
    from websocket import WebSocketException, setdefaulttimeout

    setdefaulttimeout(ONCE)  # for each of its steps, not for the command
    settings = _client(kubeconfig(cluster)).configuration
    asked = {"command": words, "container": container or [], "stdout": True, "stderr": True}
    url = f"{settings.host}/api/v1/namespaces/{namespace}/pods/{pod}/exec?{urlencode(asked, doseq=True)}"
    try:
        more = {"binary": True, "capture_all": False, "_preload_content": False}
        stream = websocket_call(settings, "GET", url, **more)  # type: ignore[no-untyped-call]
    except Exception:  # as above: nothing has been run
        return None
    try:
        stream.run_forever()
    except (WebSocketException, OSError):
        pass  # it has not said how the command ended then
    finally:
        stream.close()
    out, err, end = (stream.read_channel(number) for number in (STDOUT_CHANNEL, STDERR_CHANNEL, ERROR_CHANNEL))
    code, complaint = _end(end)
    return Ended(code, out, err + complaint)


def _end(said: bytes) -> tuple[int, bytes]:
    """Reads the Status with which the API server ends: the command's exit code, or 1 and why there is none."""
    status = json.loads(said or b'{"message": "the connection was lost"}')
    causes = {one.get("reason"): one.get("message") for one in status.get("details", {}).get("causes", [])}
    if status.get("status") == "Success" or "ExitCode" in causes:
        return int(causes.get("ExitCode", 0)), b""
    return 1, f"error: {status.get('message')}\n".encode()


def _call(client: ApiClient, method: str, path: str, body: Any = None) -> dict[str, Any]:
    headers, seconds = {"Content-Type": "application/json"}, ONCE if body else LIMIT
    response = client.call_api(method, client.configuration.host + path, headers, body, _request_timeout=seconds)
    content: dict[str, Any] = json.loads(response.read())  # type: ignore[no-untyped-call]
    if response.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise ValueError(content)
    return content


@cache
def _client(path: Path) -> ApiClient:
    """One connection for all questions, kept while the process lives. No proxy leads to a cluster of ours."""
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import load_kube_config

    # Without any proxy, that of the environment would be asked for a command in a Pod.
    settings = Configuration(retries=0, proxy="http://unused", no_proxy="*")
    load_kube_config(config_file=str(path), client_configuration=settings)  # type: ignore[no-untyped-call]
    return ApiClient(settings)
