"""Virtual machines: what is made of a shape, how it is reached, and which processes are taken for ours."""

from __future__ import annotations

import re
import socket
import subprocess
from typing import Any

import pytest
import yaml

from kubelab.paths import ROOT
from plugins.filter import virtual_machines

SUBNET = "172.30.4.0/24"


def made(workers: int = 2, api_port: int = 0) -> list[dict[str, Any]]:
    return list(virtual_machines.vm_machines("kubelab-a", 1, workers, SUBNET, api_port).values())


def test_a_shape_makes_its_nodes_and_a_machine_outside_at_addresses_in_order() -> None:
    assert [(each["name"], each["group"], each["address"]) for each in made()] == [
        ("kubelab-a-control-plane", "control_planes", "172.30.4.11"),
        ("kubelab-a-worker", "workers", "172.30.4.12"),
        ("kubelab-a-worker2", "workers", "172.30.4.13"),
        ("kubelab-a-outside", "outside", "172.30.4.14"),
    ]


def test_no_two_machines_share_a_port_or_a_hardware_address() -> None:
    machines = made(workers=9)
    ports = [each["ssh_port"] for each in machines] + [machines[0]["api_port"]]
    assert len(set(ports)) == 12
    assert len({each["mac"] for each in machines}) == 11


def test_the_api_takes_the_port_asked_for() -> None:
    assert made(api_port=6443)[0]["api_port"] == 6443
    assert not [each for each in made()[1:] if "api_port" in each]


def test_a_port_in_use_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert taken.getsockname()[1] not in virtual_machines.free_ports(200)


def test_the_inventory_reaches_each_machine_by_its_port_with_our_key() -> None:
    machines = virtual_machines.vm_machines("kubelab-a", 1, 2, SUBNET, 0)
    record = {"machines": machines, "lb_pool": "172.30.4.200-172.30.4.250"}
    groups = virtual_machines.vm_inventory(record, "/s/vm", "-o Some=thing")["all"]["children"]["machines"]["children"]
    outside = groups["outside"]["hosts"]["kubelab-a-outside"]
    assert outside["ansible_port"] == machines["kubelab-a-outside"]["ssh_port"]
    assert outside["node_address"] == "172.30.4.14"
    assert outside["ansible_ssh_private_key_file"] == "/s/vm/key"
    assert outside["ansible_ssh_common_args"] == "-o Some=thing"
    port = machines["kubelab-a-control-plane"]["api_port"]
    server = groups["control_planes"]["hosts"]["kubelab-a-control-plane"]["control_plane_server"]
    assert server == f"https://127.0.0.1:{port}"
    assert "control_plane_server" not in outside


PROCESSES = """
  101 qemu-system-x86_64 -name guest=kubelab-a-worker2,process=x -m 1 -pidfile /s/a/vm/kubelab-a-worker2/pid
  102 qemu-system-x86_64 -name guest=kubelab-a-network,process=kubelab-a-network -daemonize -pidfile /s/a/vm/pid
  103 qemu-system-x86_64 -name guest=kubelab-a-b-worker,process=x -m 1 -pidfile /s/a-b/vm/kubelab-a-b-worker/pid
  104 qemu-system-x86_64 -name guest=kubelab-aa-worker,process=x -m 1 -pidfile /s/aa/vm/kubelab-aa-worker/pid
  105 qemu-system-x86_64 -name guest=somebody,process=x -m 1 -pidfile /s/a/vm/pid
  106 grep guest=kubelab-a-worker
"""


def test_only_machines_of_exactly_this_name_are_found(tmp_path: Any) -> None:
    """The question of look.yml, asked of a list of processes that we know."""
    tasks = yaml.safe_load((ROOT / "roles/machines/tasks/vm/look.yml").read_text())
    question = tasks[0]["ansible.builtin.shell"]["cmd"].replace("{{ kubelab_name }}", "kubelab-a")
    (tmp_path / "ps").write_text(f"#!/bin/sh\ncat <<'END'{PROCESSES}END\n")
    (tmp_path / "ps").chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", f'PATH="{tmp_path}:$PATH"; {question}'], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "kubelab-a-worker2 101 /s/a/vm/kubelab-a-worker2",
        "kubelab-a-network 102 /s/a/vm",
    ]


@pytest.mark.parametrize("name", ["start", "network"])
def test_what_starts_a_machine_names_it_as_the_question_expects(name: str) -> None:
    text = (ROOT / f"roles/machines/templates/vm/{name}.j2").read_text()
    assert re.search(r"-name guest=\{\{ \S+ \}\}(-network)?,", text)
    assert re.search(r"-pidfile \{\{ __machines_vm_dir \}\}(/\{\{ item\.name \}\})?/pid", text)
