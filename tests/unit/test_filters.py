"""The filter plugins: names, keys, addresses, and whose certificate request may be approved."""

from __future__ import annotations

import base64
from ipaddress import ip_address
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plugins.filter import certificates, machines, nodes

NODES = {"kubelab-a-worker": "172.30.0.3", "kubelab-a-worker2": "172.30.0.4"}


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ([], "172.30.0.0/24"),
        (["0.0.0.0/0", "172.30.0.0/24"], "172.30.1.0/24"),
        (["172.30.0.1", "172.30.1.0/25"], "172.30.2.0/24"),
        (["172.16.0.0/12"], None),
    ],
)
def test_a_free_subnet_touches_nothing_taken(taken: list[str], free: str | None) -> None:
    if free is None:
        with pytest.raises(ValueError, match="network_machines"):
            machines.free_subnet("172.30.0.0/16", 24, taken)
    else:
        assert machines.free_subnet("172.30.0.0/16", 24, taken) == free


def test_the_address_pool_lies_in_the_upper_half_of_the_subnet() -> None:
    assert machines.address_span("172.30.4.0/24", 200, 250) == "172.30.4.200-172.30.4.250"


def test_nodes_are_named_as_kind_names_them() -> None:
    assert machines.kind_nodes("kubelab-a", 1, 2) == [
        "kubelab-a-control-plane",
        "kubelab-a-worker",
        "kubelab-a-worker2",
    ]
    assert machines.kind_nodes("kubelab-a", 3, 0)[2] == "kubelab-a-control-plane3"


def test_the_inventory_sorts_machines_into_groups() -> None:
    lines = ["/k-control-plane 10.0.0.2", "/k-worker 10.0.0.3", "/k-outside 10.0.0.4"]
    inventory = machines.kind_inventory(lines)
    groups = inventory["all"]["children"]["machines"]["children"]
    assert {group: list(content["hosts"]) for group, content in groups.items()} == {
        "control_planes": ["k-control-plane"],
        "workers": ["k-worker"],
        "outside": ["k-outside"],
    }
    assert certificates.node_addresses(inventory) == {"k-control-plane": "10.0.0.2", "k-worker": "10.0.0.3"}


def test_pods_without_an_owner_are_not_made_anew() -> None:
    owned = {"metadata": {"namespace": "default", "name": "web-1", "ownerReferences": [{"kind": "ReplicaSet"}]}}
    bare = {"metadata": {"namespace": "default", "name": "lonely"}}
    assert nodes.bare_pods({"items": [owned, bare]}) == ["default/lonely"]


def test_machines_are_in_the_groups_asked_for_at_addresses_in_order() -> None:
    listed: list[dict[str, Any]] = [
        {"name": "one", "group": "workers"},
        {"name": "visitor", "group": "outside", "isolated": True},
    ]
    inventory = machines.machine_inventory(
        listed, "10.0.0.0/24", {"ansible_user": "debian"}, {"cluster_provider": "hosts"}
    )
    groups = inventory["all"]["children"]
    assert groups["workers"] == {"hosts": {"one": {"ansible_host": "10.0.0.11"}}, "vars": {"ansible_user": "debian"}}
    assert groups["outside"]["hosts"] == {"visitor": {"ansible_host": "10.0.0.12"}}
    assert inventory["all"]["vars"] == {"cluster_provider": "hosts"}


HOSTVARS = {
    "one": {"ansible_host": "10.0.0.1", "ansible_user": "debian", "ansible_ssh_private_key_file": "~/key", "other": 1},
    "two": {"ansible_host": "10.0.0.2", "node_address": "192.168.1.2", "ansible_ssh_common_args": "-J jump"},
}


def test_machines_of_a_file_are_reached_as_it_says_and_become_nodes_at_their_addresses() -> None:
    inventory = machines.hosts_inventory({"control_planes": ["one"], "workers": ["two"]}, HOSTVARS, "/state")
    one, two = (machine["vars"] for machine in machines.inventory_machines(inventory))
    assert one["ansible_user"] == "debian"
    assert one["node_address"] == "10.0.0.1"
    assert "~" not in one["ansible_ssh_private_key_file"]
    assert "other" not in one
    assert two["node_address"] == "192.168.1.2"
    assert two["ansible_ssh_common_args"].startswith("-J jump -o ControlPath=/state/ssh2 ")
    assert [machine["name"] for machine in machines.inventory_machines(inventory, ["two"])] == ["two"]


def test_a_machine_that_left_the_file_is_missed_and_one_more_worker_is_not() -> None:
    both = machines.hosts_inventory({"control_planes": ["one"], "workers": ["two"]}, HOSTVARS, "/state")
    alone = machines.hosts_inventory({"control_planes": ["one"]}, HOSTVARS, "/state")
    pair = machines.hosts_inventory({"control_planes": ["one", "two"]}, HOSTVARS, "/state")
    recorded = machines.machines_listed(both)
    assert machines.machines_lost(recorded, both) == []
    assert machines.machines_lost(recorded, alone) == ["two"]
    assert machines.machines_lost(machines.machines_listed(alone), both) == []
    assert machines.machines_lost(machines.machines_listed(alone), pair) == ["two"]
    assert machines.machines_lost({}, pair) == []


def test_a_machine_is_recorded_as_it_was() -> None:
    lines = ["package runc", "folder /etc/ssl", "setting net.ipv4.ip_forward=0", "package nftables"]
    assert nodes.machine_record(lines, "m") == {
        "mark": "m",
        "packages": ["runc", "nftables"],
        "folders": ["/etc/ssl"],
        "settings": ["net.ipv4.ip_forward=0"],
    }


def test_a_kubeconfig_is_named_after_the_cluster() -> None:
    text = """
    clusters: [{name: kubernetes, cluster: {server: s}}]
    contexts: [{name: kubernetes-admin@kubernetes, context: {cluster: kubernetes, user: kubernetes-admin}}]
    users: [{name: kubernetes-admin, user: {}}]
    current-context: kubernetes-admin@kubernetes
    """
    config = yaml.safe_load(nodes.kubeconfig_named(text, "kubelab-mine"))
    assert config["current-context"] == config["contexts"][0]["name"] == "kubelab-mine"
    assert config["contexts"][0]["context"] == {"cluster": "kubelab-mine", "user": "kubelab-mine"}
    assert config["clusters"][0]["name"] == config["users"][0]["name"] == "kubelab-mine"


def test_a_join_command_is_taken_apart() -> None:
    said = "kubeadm join 10.0.0.1:6443 --token a.b --discovery-token-ca-cert-hash sha256:c "
    assert nodes.join_words(said) == {
        "apiServerEndpoint": "10.0.0.1:6443",
        "token": "a.b",
        "caCertHashes": ["sha256:c"],
    }


def request_of(
    user: str, common_name: str, names: list[str], addresses: list[str], signer: str = certificates.SIGNER
) -> dict[str, Any]:
    """Return a CertificateSigningRequest as the API lists it."""
    key = ec.generate_private_key(ec.SECP256R1())
    words: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    words += [x509.IPAddress(ip_address(address)) for address in addresses]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    )
    made = builder.add_extension(x509.SubjectAlternativeName(words), critical=False).sign(key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM)
    spec = {"signerName": signer, "username": user, "request": base64.b64encode(pem).decode()}
    return {"metadata": {"name": "csr-1"}, "spec": spec, "status": {}}


OWN = ("system:node:kubelab-a-worker", "system:node:kubelab-a-worker", ["kubelab-a-worker"], ["172.30.0.3"])


def test_a_node_gets_what_it_asks_for_itself() -> None:
    assert certificates.kubelet_requests({"items": [request_of(*OWN)]}, NODES) == ["csr-1"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, "system:node:stranger"),
        (0, "kubelab-a-worker"),
        (0, "system:node:kubelab-a-worker2"),
        (1, "system:node:kubelab-a-worker2"),
        (2, ["kubelab-a-worker", "kubernetes.default"]),
        (3, ["172.30.0.4"]),
        (3, ["10.96.0.1"]),
    ],
)
def test_nobody_gets_a_certificate_for_somebody_else(place: int, value: Any) -> None:
    request: list[Any] = list(OWN)
    request[place] = value
    assert certificates.kubelet_requests({"items": [request_of(*request)]}, NODES) == []


def test_other_signers_and_answered_requests_are_left_alone() -> None:
    other = request_of(*OWN, signer="kubernetes.io/kube-apiserver-client")
    answered = request_of(*OWN)
    answered["status"] = {"conditions": [{"type": "Denied"}]}
    assert certificates.kubelet_requests({"items": [other, answered]}, NODES) == []
    assert certificates.kubelet_requests({"items": [answered]}, NODES, pending=False) == ["csr-1"]
