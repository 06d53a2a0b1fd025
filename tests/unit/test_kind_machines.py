"""Which of kind's machines are as they were written down."""

from __future__ import annotations

import jinja2
import yaml

from kubelab.paths import ROOT
from plugins.filter import certificates, machines


def test_a_machine_that_is_stopped_has_no_address() -> None:
    inventory = machines.kind_inventory(["/k-control-plane 10.0.0.2", "/k-worker "])
    assert certificates.node_addresses(inventory) == {"k-control-plane": "10.0.0.2", "k-worker": ""}


def test_only_machines_that_stopped_or_moved_are_started_anew() -> None:
    recorded = machines.machines_listed(machines.kind_inventory(["/k-worker 10.0.0.2", "/k-worker2 10.0.0.3"]))
    running = {"k-worker": "running", "k-worker2": "running", "k": "network"}
    same = machines.kind_inventory(["/k-worker 10.0.0.2", "/k-worker2 10.0.0.3"])
    assert machines.machines_away(recorded, same, running) == []
    assert machines.machines_away(recorded, same, {**running, "k-worker2": "paused"}) == ["k-worker2"]
    moved = machines.kind_inventory(["/k-worker 10.0.0.3", "/k-worker2 "])
    assert machines.machines_away(recorded, moved, {**running, "k-worker2": "exited"}) == ["k-worker", "k-worker2"]


def test_every_node_is_told_of_a_registry_of_ones_own() -> None:
    """By a folder of the cluster's state; without such a registry nothing is mounted."""
    world = jinja2.Environment(trim_blocks=True)
    world.filters["kind_nodes"] = machines.kind_nodes
    template = world.from_string((ROOT / "roles/machines/templates/kind.yml.j2").read_text())
    shape = {"kubelab_name": "k", "cluster_control_planes": 1, "cluster_workers": 2, "state_dir": "/state"}
    mount = {"hostPath": "/state/certs.d", "containerPath": "/etc/containerd/certs.d", "readOnly": True}
    for mirror, mounts in {"http://mirror.example": [mount], "": None}.items():
        nodes = yaml.safe_load(template.render(**shape, registry_mirror=mirror))["nodes"]
        assert [node.get("extraMounts") for node in nodes] == [mounts] * 3
