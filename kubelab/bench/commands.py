"""The commands that are measured, and the stopwatch beside them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from invoke.exceptions import Exit

from kubelab import kubectl, record, topology
from kubelab.bench import ledger, reading
from kubelab.bench.ledger import CLUSTER, FOLDER, RAW
from kubelab.paths import ROOT, bin_dir, kubeconfig, state_dir
from kubelab.playbook import environment
from kubelab.waiting import wait_until

ON = f"--cluster={CLUSTER}"
LOGS = FOLDER / "logs"
LAST_LINES = 15
READY_SECONDS = 300
LOOK_EVERY = 0.25


@dataclass(frozen=True)
class Raw:
    """kind without us: the programs, the node image and the configuration of a cluster that `invoke up` has made."""

    kind: Path
    kubectl: Path
    node_image: str
    nodes: int
    config: Path = FOLDER / "kind.yml"
    kubeconfig: Path = FOLDER / "kubeconfig"

    @classmethod
    def like_ours(cls) -> Raw:
        """Reads what `up` used, and writes its configuration for kind again, under the other name."""
        shape = topology.load(CLUSTER)
        programs = bin_dir(CLUSTER)
        image = (record.load(CLUSTER) or {})["node_image"]
        raw = cls((programs / "kind").resolve(), (programs / "kubectl").resolve(), image, shape.nodes)
        storage = programs.resolve().parent / "local_path_provisioner.yaml"
        raw.config.write_text(without_us((state_dir(CLUSTER) / "kind.yml").read_text(), storage))
        return raw

    def create(self) -> list[str]:
        words = [str(self.kind), "create", "cluster", "--image", self.node_image]
        return [*words, "--config", str(self.config), "--kubeconfig", str(self.kubeconfig)]


def without_us(config: str, storage: Path) -> str:
    """Returns our configuration under the raw cluster's name, with the add-ons of kind alone: network, storage."""
    content = yaml.safe_load(config)
    mount = {"hostPath": str(storage), "containerPath": "/kind/manifests/default-storage.yaml", "readOnly": True}
    first, *others = content["nodes"]
    return yaml.safe_dump({**content, "name": RAW, "nodes": [{**first, "extraMounts": [mount]}, *others]})


def raw_environment() -> dict[str, str]:
    return {**environment(), "KIND_EXPERIMENTAL_DOCKER_NETWORK": RAW}


def timed(name: str, words: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """Runs a command to its end; returns the seconds it took. What it prints goes to a log of that name."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    with log.open("w") as output:
        started = time.monotonic()
        code = _wait(words, env or environment(), output.fileno())
        seconds = time.monotonic() - started
    if code:
        end = "\n".join(log.read_text().splitlines()[-LAST_LINES:])
        raise Exit(f"{end}\n`{' '.join(words)}` ended with {code}; all it printed: {log.relative_to(ROOT)}", 1)
    return seconds


def _wait(words: Sequence[str], env: Mapping[str, str], output: int) -> int:
    """Ctrl-C reaches the command too; it is given the time to stop, so that nothing is made after we tidied up."""
    with subprocess.Popen(
        words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    ) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def wait_for_pods(program: Path, config: Path, nodes: int) -> None:
    """Returns as soon as every Pod of a cluster is Ready. Raises Exit when that does not come true in time."""
    ask = "get nodes,pods,deployments,daemonsets --all-namespaces --output json"
    args = [str(program), "--kubeconfig", str(config), "--cache-dir", str(FOLDER / "kubectl-cache"), *ask.split()]

    def look() -> bool:
        done = subprocess.run(args, capture_output=True, text=True, check=False)
        return done.returncode == 0 and reading.every_pod_ready(json.loads(done.stdout)["items"], nodes)

    if not wait_until(look, seconds=READY_SECONDS, step=LOOK_EVERY):
        raise Exit(f"after {READY_SECONDS} s not every Pod is Ready: kubectl --kubeconfig {config} get pods -A", 1)


def up_until_ready(number: int, raw: Raw) -> float:
    """Brings our cluster up; returns the seconds until its checks have passed and every Pod is Ready."""
    started = time.monotonic()
    timed(f"up-{number}-kubelab", ["./invoke", "up", ON])
    wait_for_pods(bin_dir(CLUSTER) / "kubectl", kubeconfig(CLUSTER), raw.nodes)
    return time.monotonic() - started


def kind_until_ready(number: int, raw: Raw) -> tuple[float, float]:
    """Creates the raw cluster; returns the seconds until kind returned, and until every Pod is Ready."""
    started = time.monotonic()
    returned = timed(f"up-{number}-kind", raw.create(), raw_environment())
    wait_for_pods(raw.kubectl, raw.kubeconfig, raw.nodes)
    return returned, time.monotonic() - started


def by_hand(namespace: str, in_a_row: int) -> tuple[list[str], dict[str, str]]:
    """Returns the script beside `invoke lab clusterip`, with as many requests as that has made, and its environment."""
    probes = json.loads((state_dir(CLUSTER) / "reports/clusterip.json").read_text())["probes"]
    places = [probe["place"] for probe in probes]
    words = {
        "NAMESPACE": namespace,
        "MANIFESTS": str(ROOT / "labs/clusterip/manifests"),
        "PROBE_IMAGE": yaml.safe_load((ROOT / "roles/lab/defaults/main.yml").read_text())["lab_probe_image"],
        "FROM_POD": str(places.count("pod")),
        "IN_A_ROW": str(in_a_row),
        "NODES": " ".join(probe["at"] for probe in probes if probe["place"] == "node"),
        "OUTSIDE": f"kubelab-{CLUSTER}-outside",
        "FROM_OUTSIDE": str(places.count("outside")),
    }
    return [str(Path(__file__).parent / "by_hand.sh")], {**kubectl.environment(CLUSTER), **words}


def processor_time(nodes: Sequence[str]) -> float:
    """Returns the processor seconds that these nodes have used so far, from their own cgroups."""
    ask = "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || cat /sys/fs/cgroup/cpu.stat"
    return sum(reading.processor_seconds("\n".join(ledger.docker("exec", node, "sh", "-c", ask))) for node in nodes)


def memory(nodes: Sequence[str]) -> float:
    """Returns the MiB that these nodes use together, file cache that nobody needs left out."""
    usages = ledger.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", *nodes)
    return sum(reading.mebibytes(usage) for usage in usages)
