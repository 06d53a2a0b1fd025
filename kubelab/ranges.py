"""Address ranges of a cluster, whatever its machines are: they fit its nodes and do not overlap."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import Annotated, Any

from pydantic import BeforeValidator

# Kubernetes hands every node a /24 of the Pod range, and takes no Service range wider than /12.
NODE_PREFIX = 24
WIDEST_SERVICES = 12


def to_network(value: Any) -> IPv4Network:
    """Returns the range. Raises ValueError in words for people."""
    try:
        return IPv4Network(str(value))
    except ValueError:
        raise ValueError("must be an address range like 10.244.0.0/16") from None


Range = Annotated[IPv4Network, BeforeValidator(to_network)]
"""The type of a key that holds one."""


def check_ranges(pods: IPv4Network, services: IPv4Network, machines: IPv4Network | None, nodes: int) -> None:
    """Raises ValueError where ranges overlap or are too small. `machines` is None where we do not choose theirs."""
    named = {"network_pods": pods, "network_services": services}
    if machines is not None:
        named["network_machines"] = machines
    for (one, first), (other, second) in combinations(named.items(), 2):
        if first.overlaps(second):
            raise ValueError(f"{one} {first} overlaps {other} {second}")
    if pods.num_addresses < nodes * 2 ** (32 - NODE_PREFIX):
        raise ValueError(f"network_pods {pods} is too small: each of {nodes} nodes takes a /{NODE_PREFIX}")
    if not WIDEST_SERVICES <= services.prefixlen <= NODE_PREFIX:
        raise ValueError(f"network_services {services} must be between /{WIDEST_SERVICES} and /{NODE_PREFIX}")
