"""Ansible filters of the role machine_preflight: what a machine said of itself, what speaks against it as a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

Facts = dict[str, Any]
LISTS = ("nameservers", "addresses", "routes", "ports", "controllers", "foreign")
# What kubeadm and the kubelet listen on: everywhere, and on a control plane.
NODE_PORTS = {"10250", "10256"}
CONTROL_PLANE_PORTS = {"6443", "2379", "2380", "10257", "10259"}
CGROUPS = {"cpu", "cpuset", "memory", "pids"}
OLDEST_KERNEL = (5, 13)


@dataclass
class Problem:
    """One refusal."""

    found: str
    needed: str
    change: str

    def text(self) -> str:
        """Return it as every refusal of ours reads."""
        return f"found:  {self.found}\nneeded: {self.needed}\nchange: {self.change}"


def machine_facts(output: str) -> Facts:
    """Return what `look` printed as a dictionary; keys that occur many times or hold words become lists."""
    facts: Facts = {key: [] for key in LISTS}
    for line in output.replace("\r", "").splitlines():
        key, found, value = line.partition("=")
        if not found:
            continue
        if key in LISTS:
            facts[key] += value.split()
        else:
            facts[key] = value.strip()
    return facts


def machine_problems(machines: dict[str, Facts], wanted: dict[str, Any]) -> list[str]:
    """Return a refusal for everything that speaks against these machines, the same one once for all it applies to.

    `wanted` has control_planes, workers, outside (names), addresses (by name), mark, architecture, memory (of a control
    plane and of a worker), disk, clock, pods, services and pool.
    """
    problems: dict[str, tuple[Problem, list[str]]] = {}
    nodes = [*wanted["control_planes"], *wanted["workers"]]
    for name, facts in machines.items():
        found = _of_node(name, facts, wanted) if name in nodes else _of_outside(name, facts, wanted)
        for problem in [*_of_any(name, facts, wanted), *found]:
            problems.setdefault(problem.found, (problem, []))[1].append(name)
    texts = [Problem(f"{', '.join(names)}: {one.found}", one.needed, one.change) for one, names in problems.values()]
    return [problem.text() for problem in [*texts, *_together(machines, wanted)]]


def _of_any(name: str, facts: Facts, wanted: dict[str, Any]) -> Iterator[Problem]:
    if facts.get("user") != "0":
        yield Problem(
            "no right to become root without a password",
            "root, or an account that may use sudo without a password",
            "on the machine, as root: echo 'ACCOUNT ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/kubelab",
        )
        return
    address = wanted["addresses"][name]
    own = [word.partition("/")[0] for word in facts["addresses"]]
    if address not in own:
        yield Problem(
            f"{address} is none of its addresses ({', '.join(own)})",
            "the address at which the other machines reach it",
            "node_address of the machine in the cluster's file",
        )
    if not facts.get("curl") and name in wanted["outside"]:
        yield Problem("no program curl", "curl: the machine outside asks with it", "sudo apt-get install curl")
    off = float(facts["clock"]) - float(facts["asked"])
    if not -1 < off < wanted["clock"]:
        yield Problem(
            f"its clock is off by {off:+.0f} s",
            f"clocks that agree within {wanted['clock']} s: certificates are judged by them",
            "set the clock: sudo apt-get install systemd-timesyncd, or by hand with date",
        )


def _of_outside(name: str, facts: Facts, wanted: dict[str, Any]) -> Iterator[Problem]:
    if "default" in facts["routes"]:
        yield Problem(
            "a default route on the machine outside",
            "none: a probe from there must end there, not at somebody's machine",
            "on the machine: ip route del default; or leave the group `outside` empty",
        )
    yield from _ranges(facts, wanted)


def _of_node(name: str, facts: Facts, wanted: dict[str, Any]) -> Iterator[Problem]:
    if facts.get("user") != "0":
        return
    if facts.get("mark") == wanted["mark"]:
        return
    if facts.get("mark"):
        yield Problem(
            f"a node of another cluster of kubelab ({facts['mark']})",
            "a machine that is no node yet",
            "run `invoke down` for that cluster, where it was made",
        )
        return
    if facts["foreign"]:
        yield Problem(
            f"there already: {', '.join(facts['foreign'])}",
            "a machine without Kubernetes and without a container runtime: removing ours would remove those",
            "take another machine, or remove them yourself",
        )
    yield from _system(facts, wanted)
    yield from _size(name, facts, wanted)
    ports = NODE_PORTS | (CONTROL_PLANE_PORTS if name in wanted["control_planes"] else set())
    if taken := sorted(ports & set(facts["ports"]), key=int):
        yield Problem(
            f"something listens on port {', '.join(taken)}", "that port for Kubernetes", "see who it is: sudo ss -ltnp"
        )
    yield from _ranges(facts, wanted)


def _system(facts: Facts, wanted: dict[str, Any]) -> Iterator[Problem]:
    if "debian" not in facts["os"].split() or not facts["apt"]:
        yield Problem(f"the system {facts['os'].split()[0]}", "Debian or Ubuntu", "take another machine")
    if not facts["python"]:
        yield Problem("no python3", "python3: Ansible's modules run in it", "sudo apt-get install python3-minimal")
    if not facts["systemd"]:
        yield Problem("no systemd", "systemd: it runs kubelet and containerd", "take another machine")
    if facts["architecture"] != wanted["architecture"]:
        yield Problem(
            f"the architecture {facts['architecture']}",
            f"{wanted['architecture']}, for which this machine builds",
            "run kubelab on a machine like it, or take another machine",
        )
    numbers = facts["kernel"].replace("-", ".").split(".")
    if tuple(int(part) for part in numbers[:2]) < OLDEST_KERNEL:
        yield Problem(
            f"Linux {facts['kernel']}", f"Linux {OLDEST_KERNEL[0]}.{OLDEST_KERNEL[1]}: kube-proxy uses its nftables",
            "a newer kernel, or another machine",
        )  # fmt: skip
    if missing := sorted(CGROUPS - set(facts["controllers"])) if facts["cgroup"] == "1" else []:
        yield Problem(f"no cgroup {', '.join(missing)}", "cgroup v2, or v1 with these", "take another machine")
    if not [address for address in facts["nameservers"] if not address.startswith(("127.", "::1"))]:
        yield Problem(
            f"no name server but itself ({', '.join(facts['nameservers']) or 'none at all'})",
            "one that Pods can ask as well",
            "/etc/resolv.conf of the machine",
        )
    if not facts["overlay"]:
        yield Problem("a kernel without overlayfs", "overlayfs: images are laid over each other", "another kernel")


def _size(name: str, facts: Facts, wanted: dict[str, Any]) -> Iterator[Problem]:
    kind = "control_plane" if name in wanted["control_planes"] else "worker"
    if int(facts["memory"]) < wanted["memory"][kind]:
        yield Problem(
            f"{facts['memory']} MiB of memory", f"{wanted['memory'][kind]} MiB", "give it more, or take another machine"
        )
    if int(facts["disk"]) < wanted["disk"]:
        yield Problem(f"{facts['disk']} MiB free in /var/lib", f"{wanted['disk']} MiB", "free some space there")


def _ranges(facts: Facts, wanted: dict[str, Any]) -> Iterator[Problem]:
    """Nobody may already have a route into the ranges of Pods and Services, nor live in them."""
    words = [word for word in [*facts["routes"], *facts["addresses"]] if word[0].isdigit()]
    for key in ("pods", "services"):
        if clashes := [word for word in words if IPv4Interface(word).network.overlaps(IPv4Network(wanted[key]))]:
            yield Problem(
                f"a route or address in the range of {key} {wanted[key]}: {clashes[0]}",
                "a range that nobody uses yet",
                f"network_{key} in the cluster's file",
            )


def _together(machines: dict[str, Facts], wanted: dict[str, Any]) -> Iterator[Problem]:
    """What only shows when machines are compared."""
    for key, what in (("id", "machine id"), ("address", "address")):
        seen: dict[str, list[str]] = {}
        for name, facts in machines.items():
            value = wanted["addresses"][name] if key == "address" else facts.get("id")
            if value:
                seen.setdefault(value, []).append(name)
        for value, names in seen.items():
            if len(names) > 1:
                yield Problem(
                    f"{', '.join(names)} have the same {what} {value}",
                    "machines that are each another one",
                    "the names in the cluster's file; on a copy: rm /etc/machine-id; systemd-machine-id-setup",
                )
    addresses = {wanted["addresses"][name]: name for name in machines}
    first, last = (IPv4Address(part.strip()) for part in wanted["pool"].split("-"))
    for address, name in addresses.items():
        if _is_address(address) and first <= IPv4Address(address) <= last:
            yield Problem(
                f"{name} has an address in the pool {wanted['pool']}",
                "addresses that nobody has",
                "cluster_lb_pool in the cluster's file",
            )


def _is_address(text: str) -> bool:
    return text.replace(".", "").isdigit()


def listening_ports(name: str, wanted: dict[str, Any]) -> list[str]:
    """Return the ports that a node must be reached on, as `reach.py` wants them: flannel's, kubelet's, the API's."""
    return ["udp/8472", "tcp/10250", *(["tcp/6443"] if name in wanted["control_planes"] else [])]


def asked_ports(name: str, machines: dict[str, Facts], wanted: dict[str, Any]) -> list[str]:
    """Return the ports of all other machines that are no nodes yet, with their addresses."""
    nodes = [*wanted["control_planes"], *wanted["workers"]]
    new = [other for other in nodes if other != name and other in machines and not machines[other].get("mark")]
    return [f"{port}/{wanted['addresses'][other]}" for other in new for port in listening_ports(other, wanted)]


def silent_ports(printed: str, wanted: dict[str, Any]) -> str:
    """Return in words what reach.py printed of a machine: `two on tcp 10250, udp 8472; three on udp 8472`."""
    names = {address: name for name, address in wanted["addresses"].items()}
    silent: dict[str, list[str]] = {}
    for kind, number, address in (target.split("/") for target in printed.split()):
        silent.setdefault(names[address], []).append(f"{kind} {number}")
    return "; ".join(f"{name} on {', '.join(ports)}" for name, ports in silent.items())


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "machine_facts": machine_facts,
            "machine_problems": machine_problems,
            "listening_ports": listening_ports,
            "asked_ports": asked_ports,
            "silent_ports": silent_ports,
        }
