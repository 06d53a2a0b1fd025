"""Ansible filters of the role machines: names and addresses."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

CONNECTION = {"ansible_connection": "community.docker.docker", "ansible_python_interpreter": "/usr/bin/python3"}


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
    """Return an Ansible inventory from lines of `/name address`, as `docker inspect` prints them."""
    groups: dict[str, dict[str, Any]] = {"control_planes": {}, "workers": {}, "outside": {}}
    for line in lines:
        name, address = line.lstrip("/").split()
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


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "free_subnet": free_subnet,
            "address_span": address_span,
            "kind_nodes": kind_nodes,
            "kind_inventory": kind_inventory,
            "machine_address": machine_address,
            "machine_inventory": machine_inventory,
        }
