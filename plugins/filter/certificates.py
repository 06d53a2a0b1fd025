"""Ansible filters of the role node_certificates: whose request may be approved."""

from __future__ import annotations

import base64
from typing import Any

SIGNER = "kubernetes.io/kubelet-serving"


def node_addresses(inventory: dict[str, Any]) -> dict[str, str]:
    """Return name and address of every node of a generated inventory (the machine outside is none)."""
    groups = inventory["all"]["children"]["machines"]["children"]
    return {
        name: host["node_address"]
        for group in ("control_planes", "workers")
        for name, host in groups[group]["hosts"].items()
    }


def kubelet_requests(requests: dict[str, Any], nodes: dict[str, str], pending: bool = True) -> list[str]:
    """Return the names of certificate requests that a node of ours made for itself.

    A request counts when the node that asks, its subject and every name and address in it are one
    node's (the rule of the signer kubernetes.io/kubelet-serving). With pending, only those that
    nobody has answered yet.
    """
    names = []
    for item in requests["items"]:
        if pending and item.get("status", {}).get("conditions"):
            continue
        if item["spec"]["signerName"] == SIGNER and is_own(item["spec"], nodes):
            names.append(item["metadata"]["name"])
    return names


def is_own(spec: dict[str, Any], nodes: dict[str, str]) -> bool:
    """Tell whether a node asks for itself only."""
    user = spec["username"]
    name = user.removeprefix("system:node:")
    if user == name or name not in nodes:
        return False
    # Ansible reads this file in every process it starts; this takes longer than all the rest.
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    request = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
    common_names = [attribute.value for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    subject = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = set(subject.get_values_for_type(x509.DNSName))
    addresses = {str(address) for address in subject.get_values_for_type(x509.IPAddress)}
    return common_names == [user] and dns <= {name} and addresses <= {nodes[name]}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"node_addresses": node_addresses, "kubelet_requests": kubelet_requests}
