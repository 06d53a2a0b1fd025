"""The filter plugins: names, keys, addresses, and whose certificate request may be approved."""

from __future__ import annotations

import base64
import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plugins.filter import addons, artifacts, certificates, digest, machines

NODES = {"kubelab-a-worker": "172.30.0.3", "kubelab-a-worker2": "172.30.0.4"}


def test_a_tree_digest_sees_names_contents_and_run_bits(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one")
    seen = {digest.tree_digest(str(tmp_path))}
    (tmp_path / "file").write_text("two")
    seen.add(digest.tree_digest(str(tmp_path)))
    (tmp_path / "file").chmod(0o755)
    seen.add(digest.tree_digest(str(tmp_path)))
    (tmp_path / "file").rename(tmp_path / "other")
    seen.add(digest.tree_digest(str(tmp_path)))
    assert len(seen) == 4


def test_a_tree_digest_does_not_depend_on_where_the_tree_lies(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("same")
    assert digest.tree_digest(str(tmp_path / "here")) == digest.tree_digest(str(tmp_path / "there"))


def test_changing_one_part_leaves_the_folders_of_the_others(tmp_path: Path) -> None:
    for part in ("go/one", "go/two", "pause"):
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "file").write_text("x")
    parts = {"one": {"packages": ["a"]}, "two": {"packages": ["b"]}}
    before = artifacts.part_dirs(parts, str(tmp_path), {"go": {"version": "1"}}, "/cache")
    (tmp_path / "go/two/file").write_text("y")
    after = artifacts.part_dirs(parts, str(tmp_path), {"go": {"version": "1"}}, "/cache")
    assert before["two"] != after["two"]
    assert {key: before[key] for key in ("one", "pause")} == {key: after[key] for key in ("one", "pause")}


def test_images_name_their_files_layer_and_labels() -> None:
    images = [
        {
            "name": "x:1",
            "bin": ["part/server"],
            "as": "etcd",
            "scripts": ["run"],
            "tools": True,
            "config": {"User": "1"},
        }
    ]
    made = artifacts.oci_images(images, {"part": "/cache/part-1"}, "/scripts", "/tools.tar", {"vendor": "kubelab"})
    assert made == [
        {
            "name": "x:1",
            "files": {"/usr/local/bin/etcd": "/cache/part-1/server", "/usr/local/bin/run": "/scripts/run"},
            "config": {"Labels": {"vendor": "kubelab"}, "User": "1"},
            "base": "/tools.tar",
        }
    ]


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


WANTED = """
kind: Deployment
metadata: {name: web, namespace: a, creationTimestamp: null}
spec: {replicas: 2, paused: false, containers: [{name: one}]}
---
kind: Service
metadata: {name: web}
"""
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "a", "creationTimestamp": "today"},
    "spec": {"replicas": 2, "containers": [{"name": "one", "image": "by default"}], "strategy": "by default"},
}
SERVICE: dict[str, Any] = {"kind": "Service", "metadata": {"name": "web"}}


def differing(*live: dict[str, Any]) -> list[str]:
    return addons.objects_that_differ(WANTED, json.dumps({"items": live}))


def test_what_the_cluster_has_beyond_the_manifest_is_no_difference() -> None:
    assert differing(DEPLOYMENT, SERVICE) == []


@pytest.mark.parametrize(
    "spec",
    [
        {**DEPLOYMENT["spec"], "replicas": 3},
        {**DEPLOYMENT["spec"], "paused": True},
        {**DEPLOYMENT["spec"], "containers": [{"name": "other"}]},
        {**DEPLOYMENT["spec"], "containers": [{"name": "one"}, {"name": "two"}]},
        {},
    ],
)
def test_another_value_is_a_difference(spec: dict[str, Any]) -> None:
    assert differing({**DEPLOYMENT, "spec": spec}, SERVICE) == ["Deployment/web"]


def test_what_is_not_there_is_a_difference() -> None:
    assert differing(DEPLOYMENT) == ["Service/web"]
    assert addons.objects_that_differ(WANTED, "") == ["Deployment/web", "Service/web"]
