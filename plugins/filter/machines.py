"""Ansible filters of the role machines: names and addresses."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

CONNECTION = {"ansible_connection": "community.docker.docker", "ansible_python_interpreter": "/usr/bin/python3"}
GROUPS = ("control_planes", "workers", "outside")
# What reaches a machine. Passwords are no part of it: they stay where the user keeps them.
REACHES = (
    *("host", "port", "user", "connection", "python_interpreter", "ssh_private_key_file", "private_key_file"),
    *("ssh_common_args", "ssh_extra_args", "become_method", "become_user"),
)


def free_subnet(pool: str, prefix: int, taken: list[str]) -> str:
    """Return the first subnet of this prefix in the pool that overlaps nothing taken.

    `taken` holds addresses and ranges in CIDR notation. Raises ValueError when none is free.
    """
    used = [IPv4Network(word, strict=False) for word in taken if word not in ("0.0.0.0", "0.0.0.0/0")]
    for subnet in IPv4Network(pool).subnets(new_prefix=prefix):
        if not any(subnet.overlaps(other) for other in used):
            return str(subnet)
    raise ValueError(f"no free /{prefix} in {pool}: choose another network_machines in group_vars/all/network.yml")


def address_span(subnet: str, first: int, last: int) -> str:
    """Return addresses number first to last of a subnet as MetalLB writes them: a.b.c.d-a.b.c.e."""
    network = IPv4Network(subnet)
    return f"{network[first]}-{network[last]}"


def kind_nodes(name: str, control_planes: int, workers: int) -> list[str]:
    """Return the names kind gives to the nodes of cluster `name`, control planes first."""
    roles = {"control-plane": control_planes, "worker": workers}
    return [f"{name}-{role}{n if n > 1 else ''}" for role, count in roles.items() for n in range(1, int(count) + 1)]


def kind_inventory(lines: list[str]) -> dict[str, Any]:
    """Return an Ansible inventory from lines of `/name address`, as `docker inspect` prints them.

    A container that is stopped has no address: then it is ''.
    """
    groups: dict[str, dict[str, Any]] = {"control_planes": {}, "workers": {}, "outside": {}}
    for line in lines:
        name, _, address = line.lstrip("/").partition(" ")
        group = "outside" if name.endswith("-outside") else "control_planes" if "-control-plane" in name else "workers"
        groups[group][name] = {"node_address": address}
    children: dict[str, Any] = {group: {"hosts": hosts} for group, hosts in groups.items()}
    machines = {"children": children, "vars": CONNECTION}
    return {"all": {"children": {"machines": machines}}}


def machine_address(subnet: str, index: int) -> str:
    """Return the address of machine number `index` (from 0) in a subnet; the first ten are the network's own."""
    return str(IPv4Network(subnet)[11 + int(index)])


def machine_inventory(
    machines: list[dict[str, Any]], subnet: str, connection: dict[str, Any], variables: dict[str, Any]
) -> dict[str, Any]:
    """Return an Ansible inventory of machines with a name and a group each, reached by SSH at their addresses."""
    groups: dict[str, Any] = {}
    for index, machine in enumerate(machines):
        hosts = groups.setdefault(machine["group"], {"hosts": {}})["hosts"]
        hosts[machine["name"]] = {"ansible_host": machine_address(subnet, index)}
    for group in groups.values():
        group["vars"] = dict(connection)
    return {"all": {"vars": variables, "children": groups}}


def hosts_inventory(groups: Mapping[str, Any], hostvars: Mapping[str, Any], state: str) -> dict[str, Any]:
    """Return the generated inventory of machines that the shape file names.

    Besides what reaches a machine it gets its address among the nodes, sudo, one kept connection and a file of known
    hosts of our own (after the user's arguments: ssh takes the first value of an option).
    """
    found: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    number = 0
    for group in GROUPS:
        for name in groups.get(group, []):
            number += 1
            given = hostvars[name]
            reach = {f"ansible_{key}": str(given[f"ansible_{key}"]) for key in REACHES if f"ansible_{key}" in given}
            for key in ("ansible_ssh_private_key_file", "ansible_private_key_file"):
                if key in reach:
                    reach[key] = str(Path(reach[key]).expanduser())
            kept = "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
            known = f"-o UserKnownHostsFile={state}/known_hosts -o StrictHostKeyChecking=accept-new"
            args = f"{reach.get('ansible_ssh_common_args', '')} -o ControlPath={state}/ssh{number} {kept} {known}"
            address = str(given.get("node_address") or _resolved(str(given.get("ansible_host", name))))
            own = {"node_address": address, "ansible_ssh_common_args": args.strip(), "ansible_become": True}
            # Ansible compresses by itself, which takes longer than a local network does.
            own["ansible_ssh_args"] = "-o Compression=no"
            found[group][str(name)] = {**reach, **own}
    children = {group: {"hosts": hosts} for group, hosts in found.items()}
    return {"all": {"children": {"machines": {"children": children}}}}


def _resolved(host: str) -> str:
    """Return the address of a name; an address is its own. What has none stays as it is and will not answer."""
    try:
        return socket.gethostbyname(host)
    except OSError:
        return host


def inventory_machines(inventory: dict[str, Any], only: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the machines of a generated inventory as a list: name, group and variables; those in `only`, if given."""
    machines = inventory["all"]["children"]["machines"]
    return [
        {"name": name, "group": group, "vars": {**machines.get("vars", {}), **variables}}
        for group, content in machines["children"].items()
        for name, variables in content["hosts"].items()
        if not only or name in only
    ]


def machines_listed(inventory: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return what a record says of each machine: its group and its address."""
    return {
        machine["name"]: {"group": machine["group"], "address": machine["vars"]["node_address"]}
        for machine in inventory_machines(inventory)
    }


def machines_away(recorded: dict[str, dict[str, str]], inventory: dict[str, Any], states: dict[str, str]) -> list[str]:
    """Return the names of recorded machines that do not run, or not at the address that the record says."""
    listed = machines_listed(inventory)
    return [name for name, machine in recorded.items() if states[name] != "running" or listed[name] != machine]


def machines_lost(recorded: dict[str, dict[str, str]], inventory: dict[str, Any]) -> list[str]:
    """Return the names of recorded machines that the inventory no longer names, or names differently.

    Control planes are made together, with one address in every certificate: one more is a change too.
    """
    listed = machines_listed(inventory)
    lost = [name for name, machine in recorded.items() if listed.get(name) != machine]
    new = [name for name in listed if name not in recorded and listed[name]["group"] == "control_planes"]
    return sorted(lost + (new if recorded else []))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "free_subnet": free_subnet,
            "address_span": address_span,
            "kind_nodes": kind_nodes,
            "kind_inventory": kind_inventory,
            "hosts_inventory": hosts_inventory,
            "inventory_machines": inventory_machines,
            "machines_listed": machines_listed,
            "machines_away": machines_away,
            "machines_lost": machines_lost,
            "machine_address": machine_address,
            "machine_inventory": machine_inventory,
        }
