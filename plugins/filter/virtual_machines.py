"""Ansible filters of the role machines for virtual machines: what is made, and how it is reached."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))
from machines import kind_nodes

FIRST = 11
"""The first ten addresses are the network's own: gateway, name server."""

# kubeadm's own limits suit machines that are not emulated.
PATIENT = ("controlPlaneComponentHealthCheck", "kubeletHealthCheck", "kubernetesAPICall", "tlsBootstrap", "discovery")
TIMEOUTS = dict.fromkeys(PATIENT, "15m0s")
# etcd gives a request up after five seconds and two election timeouts (milliseconds, ten heartbeats each).
ETCD = [{"name": "heartbeat-interval", "value": "2000"}, {"name": "election-timeout", "value": "20000"}]

# A static Pod that answers late is not ended for it: to start it again takes longer than to wait. kubeadm looks at
# readiness every second, by TLS.
_LATE = {"failureThreshold": 1000, "timeoutSeconds": 60}
_READY = {"kube-apiserver": {"readinessProbe": {"periodSeconds": 20, "timeoutSeconds": 60}}}
STATIC_PODS = {
    name: {
        "spec": {"containers": [{"name": name, "livenessProbe": _LATE, "startupProbe": _LATE, **_READY.get(name, {})}]}
    }
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
}
# For eviction a kubelet asks for figures of every container every ten seconds, through all layers.
KUBELET = {
    "localStorageCapacityIsolation": False,
    "evictionHard": {f"{what}.available": "0%" for what in ("memory", "nodefs", "imagefs")},
}


def machine_number(subnet: str, number: int) -> str:
    """Return the address with this number in a subnet."""
    return str(IPv4Network(subnet)[number])


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nothing listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def vm_machines(name: str, control_planes: int, workers: int, subnet: str, api_port: int) -> dict[str, Any]:
    """Return the machines of cluster `name`, by name, with what is theirs alone; api_port 0 takes a free one."""
    names = [*kind_nodes(name, control_planes, workers), f"{name}-outside"]
    *ports, free = free_ports(len(names) + 1)
    network = IPv4Network(subnet)
    machines: dict[str, Any] = {}
    for index, (machine, port) in enumerate(zip(names, ports, strict=True)):
        group = "control_planes" if index < int(control_planes) else "workers"
        machines[machine] = {
            "name": machine,
            "group": "outside" if machine == names[-1] else group,
            "address": str(network[FIRST + index]),
            # The same number as the address has; several clusters never share a switch.
            "mac": f"52:54:00:00:00:{FIRST + index:02x}",
            "ssh_port": port,
        }
    machines[names[0]]["api_port"] = int(api_port) or free
    return machines


def vm_inventory(record: dict[str, Any], folder: str, ssh_args: str) -> dict[str, Any]:
    """Return the Ansible inventory of a record's machines: by SSH, through ports of ours, with the keys in `folder`."""
    common = {
        "ansible_host": "127.0.0.1",
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": f"{folder}/key",
        "ansible_ssh_common_args": ssh_args,
        "cluster_lb_pool": record["lb_pool"],
        # The way to an emulated machine may take seconds; its clock is this machine's.
        "machine_preflight_clock": 30,
        # Nothing has to be remembered of how it was: it goes as a whole.
        "node_base_record": f"{Path(folder).parent}/record.yml",
        "control_plane_timeouts": TIMEOUTS,
        "control_plane_etcd_arguments": ETCD,
        "control_plane_patches": STATIC_PODS,
        "control_plane_kubelet": KUBELET,
        "worker_timeouts": TIMEOUTS,
    }
    groups: dict[str, dict[str, Any]] = {"control_planes": {}, "workers": {}, "outside": {}}
    for name, machine in record["machines"].items():
        own = {"node_address": machine["address"], "ansible_port": machine["ssh_port"]}
        if "api_port" in machine:
            own["control_plane_server"] = f"https://127.0.0.1:{machine['api_port']}"
        groups[machine["group"]][name] = {**common, **own}
    children = {group: {"hosts": hosts} for group, hosts in groups.items()}
    return {"all": {"children": {"machines": {"children": children}}}}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"machine_number": machine_number, "vm_machines": vm_machines, "vm_inventory": vm_inventory}
