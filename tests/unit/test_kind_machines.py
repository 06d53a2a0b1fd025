"""Which of kind's machines are as they were written down."""

from __future__ import annotations

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
