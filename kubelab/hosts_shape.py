"""The shape of a cluster on machines that are there already: its file is an Ansible inventory with their names."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from kubelab.ranges import Range, check_ranges
from kubelab.sources import SHARED, Sources

# The name of a machine becomes the name of its node.
MACHINE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
GROUPS = ("control_planes", "workers", "outside")
# Ansible's own words about a machine or a group pass: how to reach it is the user's matter.
ANSIBLE = "ansible_"


class HostsShape(Sources):
    """What such a file says, in Python's types; the machines are names, by group."""

    example: ClassVar[str] = "hosts.example.yml"

    lb_pool: tuple[IPv4Address, IPv4Address] = Field(alias="cluster_lb_pool")
    api_address: IPv4Address | None = Field(None, alias="cluster_api_address")
    machines: dict[str, list[str]]
    network_pods: Range
    network_services: Range
    network_machines: Range

    @field_validator("lb_pool", mode="before")
    @classmethod
    def _to_span(cls, value: Any) -> tuple[IPv4Address, IPv4Address]:
        try:
            first, last = (IPv4Address(part.strip()) for part in str(value).split("-"))
        except ValueError:
            raise ValueError("must be free addresses like 192.168.1.200-192.168.1.220") from None
        if last < first:
            raise ValueError("must begin with the lower address")
        return first, last

    @field_validator("api_address", mode="before")
    @classmethod
    def _to_address(cls, value: Any) -> IPv4Address:
        try:
            return IPv4Address(str(value))
        except ValueError:
            raise ValueError("must be a free address like 192.168.1.199") from None

    @model_validator(mode="after")
    def _fits(self) -> HostsShape:
        every = [name for group in GROUPS for name in self.machines.get(group, [])]
        for name in every:
            if not MACHINE_NAME.fullmatch(name):
                raise ValueError(f'"{name}" cannot name a node: lower-case letters, digits and dashes, at most 63')
        if twice := sorted({name for name in every if every.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} is in two groups")
        if self.control_planes not in (1, 3):
            raise ValueError(f"control_planes holds {self.control_planes} machines, it must be one or three")
        if self.control_planes > 1 and self.api_address is None:
            raise ValueError("cluster_api_address is missing: several control planes share one address")
        if len(self.machines.get("outside", [])) > 1:
            raise ValueError("outside holds several machines, it must be one or none")
        check_ranges(self.network_pods, self.network_services, None, self.nodes)
        return self

    @property
    def nodes(self) -> int:
        return self.control_planes + self.workers

    @property
    def control_planes(self) -> int:
        return len(self.machines.get("control_planes", []))

    @property
    def workers(self) -> int:
        return len(self.machines.get("workers", []))


def values_of(values: dict[str, Any], children: Any) -> dict[str, Any]:
    """Returns the model's input: variables without Ansible's own, and the names in each group.

    Raises KeyError with (key, allowed keys) for a word that means nothing to us.
    """
    own = {key: value for key, value in values.items() if not str(key).startswith(ANSIBLE)}
    aliases = [field.alias for field in HostsShape.model_fields.values() if field.alias]
    _only(own, [*aliases, *SHARED, "network_pods", "network_services"])
    _only(children, list(GROUPS))
    machines = {}
    for group, content in (children or {}).items():
        _only(content, ["hosts", "vars"])
        hosts = (content or {}).get("hosts") or {}
        for host in hosts.values():
            _only(host, ["node_address", "ansible_host"])
        machines[group] = [str(name) for name in hosts]
    return {**own, "machines": machines}


def _only(content: Any, allowed: list[str]) -> None:
    for key in content or {}:
        if str(key) not in allowed and not str(key).startswith(ANSIBLE):
            raise KeyError(str(key), allowed)
