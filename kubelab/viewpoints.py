"""The three places from which a check looks: a Pod, the nodes, and outside. testinfra carries the commands."""

from __future__ import annotations

import base64
import re
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml
from testinfra.backend.kubectl import KubectlBackend
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

from kubelab import api, record
from kubelab.paths import kubeconfig, node_inventory

PROBE_POD = "probe"
SECONDS = 2
"""How long one request may take; everything asked is on this machine's own networks."""

_END = re.compile(r"^kubelab-curl-exit=(\d+)$", re.MULTILINE)
_STATUS = re.compile(r"^< HTTP/\S+ (\d+)", re.MULTILINE)
_REASONS = {
    "Connection refused": "refused",
    "No route to host": "no route",
    "Network is unreachable": "no route",
    "Network unreachable": "no route",
    "Could not resolve host": "no such name",
    "timed out": "timed out",
    "Connection reset": "reset",
}


class ViewpointLost(AssertionError):
    """A place could not be asked at all: that proves nothing, neither an answer nor silence."""


@dataclass(frozen=True)
class Answer:
    """What came back for one request: a status and a body, or the reason for silence."""

    status: int | None
    body: str
    reason: str = ""

    def by(self, tokens: list[str]) -> str:
        """Returns the token that the answer carries as a line of its own, '' if none: who answered?"""
        lines = [line.strip() for line in self.body.splitlines()]
        return next((token for token in tokens if token in lines), "")


def short(url: str) -> str:
    """Returns a URL as tables and messages show it."""
    return url.removeprefix("http://").rstrip("/")


def parse_answer(stdout: str, stderr: str) -> Answer | None:
    """Reads the output of `curl -v` and our own last line; None when curl itself was never run."""
    end = _END.search(stderr)
    if end is None:
        return None
    status = _STATUS.findall(stderr)
    if end[1] == "0" and status:
        return Answer(int(status[-1]), stdout)
    reason = next((short for long, short in _REASONS.items() if long in stderr), f"curl exit code {end[1]}")
    return Answer(None, "", reason)


@dataclass
class Viewpoint:
    """One place: `place` is the column of the table it belongs to, `name` says which of them it is."""

    place: str
    name: str
    host: Host
    cluster: Reachable = field(repr=False)

    def run(self, command: str) -> Any:
        """Runs a shell command there; the result has rc, stdout and stderr."""
        return self.host.run(command)

    def output(self, command: str) -> str:
        """Returns what a command prints there. Raises ViewpointLost with its complaint."""
        done = self.run(command)
        if done.rc:
            raise ViewpointLost(f"on {self.name}: {done.stderr.strip() or done.stdout.strip()}")
        return str(done.stdout)

    def get(self, url: str) -> Answer:
        """Sends one GET request from there."""
        done = self.run(f"curl -sv -m {self.cluster.seconds} {shlex.quote(url)}; echo kubelab-curl-exit=$? >&2")
        answer = parse_answer(done.stdout, done.stderr)
        if answer is None:
            raise ViewpointLost(f"cannot look from {self.name}: {done.stderr.strip()}")
        return answer

    def get_many(self, url: str, times: int) -> list[str]:
        """Sends several GET requests, one after the other, until one stays without an answer; returns the bodies."""
        one = f"curl -s -m {self.cluster.seconds} {shlex.quote(url)}"
        loop = f"for i in $(seq {times}); do {one} || break; echo kubelab-end; done"
        return self.output(loop).split("kubelab-end\n")[:-1]

    @cached_property
    def control(self) -> str:
        """'' when this place reaches something that must answer: the API server, known by its certificate."""
        url = f"https://{self.cluster.api_address}:6443/version"
        ca = shlex.quote(self.cluster.ca)
        done = self.run(f"printf %s {ca} | curl -sS -m {2 * self.cluster.seconds} --cacert /dev/stdin {url}")
        return "" if '"gitVersion"' in done.stdout else f"{url} does not answer {self.name}: {done.stderr.strip()}"


@dataclass
class Reachable:
    """What inventory and kubeconfig of a cluster say: who is there, and how to know its API server."""

    name: str

    @cached_property
    def seconds(self) -> float:
        """How long one request may take."""
        return SECONDS * record.pace(self.name)

    @cached_property
    def inventory(self) -> dict[str, Any]:
        """The groups and hosts in the shape of `ansible-inventory --list`, without starting that program."""
        content: dict[str, Any] = {"_meta": {"hostvars": {}}, "all": {"children": []}}
        _collect("all", yaml.safe_load(node_inventory(self.name).read_text())["all"], content, {})
        return content

    @cached_property
    def runner(self) -> AnsibleRunner:
        """testinfra's way from an inventory to hosts: the same for containers, virtual machines and SSH."""
        runner = AnsibleRunner(str(node_inventory(self.name)))
        runner.__dict__["inventory"] = self.inventory
        return runner

    @cached_property
    def ca(self) -> str:
        cluster = yaml.safe_load(kubeconfig(self.name).read_text())["clusters"][0]["cluster"]
        return base64.b64decode(cluster["certificate-authority-data"]).decode()

    @cached_property
    def api_address(self) -> str:
        return self.address(self.group("control_planes")[0])

    def group(self, name: str) -> list[str]:
        return list(self.inventory.get(name, {}).get("hosts", []))

    def address(self, host: str) -> str:
        return str(self.inventory["_meta"]["hostvars"][host]["node_address"])

    def node(self, name: str) -> Viewpoint:
        return Viewpoint("node", name, self.runner.get_host(name), self)

    def nodes(self) -> list[Viewpoint]:
        return [self.node(name) for group in ("control_planes", "workers") for name in self.group(group)]

    def outside(self) -> Viewpoint | None:
        """None where this cluster has no outside: then nothing can be said about it."""
        names = self.group("outside")
        return Viewpoint("outside", "outside", self.runner.get_host(names[0]), self) if names else None

    def pod(self, name: str, namespace: str, container: str | None = None) -> Viewpoint:
        """A running Pod, given or the probe; needs a shell in its image."""
        return Viewpoint("pod", name, Host(InPod(self.name, name, namespace, container)), self)


class InPod(KubectlBackend):  # type: ignore[misc]
    """testinfra's way into a Pod, without starting kubectl for each command."""

    encoding = "utf-8"  # testinfra would ask the Pod's Python, which few have

    def __init__(self, cluster: str, name: str, namespace: str, container: str | None) -> None:
        super().__init__(name, namespace=namespace, container=container)
        self.cluster = cluster

    def run(self, command: str, *args: str, **more: Any) -> Any:
        """Runs a shell command."""
        text = self.get_command(command, *args)
        done = api.execute(self.cluster, self.namespace, self.name, self.container, ["/bin/sh", "-c", text])
        if done is None:
            return super().run(command, *args, **more)
        return self.result(done.code, self.encode(text), done.out, done.err)


def _collect(name: str, group: dict[str, Any], into: dict[str, Any], inherited: dict[str, Any]) -> None:
    """Copies one group of a YAML inventory and its children into `into`; nearer variables win."""
    variables = {**inherited, **(group.get("vars") or {})}
    hosts = group.get("hosts") or {}
    children = group.get("children") or {}
    into[name] = {"hosts": list(hosts), "children": list(children)}
    for host, own in hosts.items():
        hostvars = into["_meta"]["hostvars"]
        hostvars[host] = {**hostvars.get(host, {}), **variables, **(own or {})}
    for child, content in children.items():
        _collect(child, content or {}, into, variables)
