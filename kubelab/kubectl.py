"""The cluster's own kubectl, as a learner would type it, for reading and for prodding. Applying is Ansible's part."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

from kubelab import api, company, record
from kubelab.errors import Refusal
from kubelab.paths import bin_dir, kubeconfig, state_dir

ANSWER_SECONDS = 5


class KubectlError(AssertionError):
    """kubectl ended with an error: a check that meets one has failed. The text is what kubectl wrote."""


def environment(cluster: str) -> dict[str, str]:
    """Returns the environment in which kubectl means this cluster, whatever the user's own settings are."""
    path = os.pathsep.join([str(bin_dir(cluster)), os.environ.get("PATH", os.defpath)])
    cache = str(state_dir(cluster) / "kubectl-cache")
    ours = {"PATH": path, "KUBECONFIG": str(kubeconfig(cluster)), "KUBECACHEDIR": cache}
    return {**os.environ, **company.beside_proxy(cluster), **ours}


def require(cluster: str) -> None:
    """Refuses a cluster that is not up; of one that is, notes that it is used."""
    if not kubeconfig(cluster).is_file():
        option = "" if cluster == "kind" else f" --cluster={cluster}"
        raise Refusal(
            found=f'the cluster "{cluster}" is not up',
            needed="a running cluster: labs live in one",
            change=f"run ./invoke up{option}",
        )
    record.note_use(cluster)


def require_answer(cluster: str, seconds: float = 0) -> None:
    """Refuses a cluster that is not up, or whose API server does not answer, within `seconds` where it may be away."""
    from kubelab.waiting import wait_until

    require(cluster)
    ask = f"get --raw /readyz --request-timeout {ANSWER_SECONDS}s"
    done = wait_until(lambda: Kubectl(cluster).run(ask), lambda seen: not seen.returncode, seconds)
    if done.returncode:
        raise Refusal(
            found=f'the API server of the cluster "{cluster}" does not answer: {done.stderr.strip()}',
            needed="a running cluster: labs live in one",
            change="`invoke status` says what is wrong; `./invoke up` brings it back",
        )


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace of one cluster."""

    cluster: str
    namespace: str = "default"

    def run(self, command: str, seconds: float = 60, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs `kubectl -n <namespace> <command>`, which may read what is `given`; never raises for an exit code."""
        args = ["kubectl", "--namespace", self.namespace, *shlex.split(command)]
        env = environment(self.cluster)
        try:
            return subprocess.run(
                args, env=env, input=given, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"kubectl {command} did not end within {seconds:.0f} s") from error

    def __call__(self, command: str, seconds: float = 60, given: str | None = None) -> str:
        """Returns what kubectl prints. Raises KubectlError with its complaint."""
        done = self.run(command, seconds, given)
        if done.returncode:
            raise KubectlError(done.stderr.strip() or done.stdout.strip() or f"kubectl {command} failed")
        return done.stdout

    def json(self, command: str) -> Any:
        """Returns an object, or the items of a list, as Python data; `command` is one that reads, as `get pods`."""
        found = api.read(self.cluster, self.namespace, command)
        if found is not None:
            return found
        content = json.loads(self(f"{command} -o json"))
        return content["items"] if content.get("kind", "").endswith("List") else content

    def create(self, content: dict[str, Any], dry_run: bool = False) -> Any:
        """Creates an object and returns it as it is then. Raises KubectlError with the API server's complaint."""
        made = api.create(self.cluster, self.namespace, content, dry_run)
        if made is not None:
            return made
        more = " --dry-run=server" if dry_run else ""
        return json.loads(self(f"create --filename - --output json{more}", given=json.dumps(content)))

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        """Returns the Pods that live: those being deleted are left out."""
        found = self.json("get pods" + (f" --selector {selector}" if selector else ""))
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
