"""What is true of virtual machines beside what tests/cluster looks at."""

import subprocess
from pathlib import Path

import pytest
import yaml

from kubelab import record
from kubelab.paths import state_dir


@pytest.fixture(scope="module")
def machines(cluster):
    return record.load(cluster)["machines"]


def test_every_machine_of_the_record_runs(cluster, machines):
    """And the machine outside, too."""
    for name in machines:
        pid = (state_dir(cluster) / "vm" / name / "pid").read_text().strip()
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        assert any(word.startswith(f"guest={name},") for word in words), f"process {pid} is not {name}"
    assert record.load(cluster)["complete"] is True


def test_every_node_has_a_kernel_and_an_identity_of_its_own(nodes):
    """Machines from one disk must not be taken for one."""
    for file in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        seen = [node.output(f"cat {file}") for node in nodes]
        assert len(set(seen)) == len(nodes), f"{file}: {seen}"


def test_no_part_of_the_control_plane_is_ended_for_being_late(nodes):
    """Emulated, it takes minutes until it is back."""
    for part in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        manifest = yaml.safe_load(nodes[0].output(f"cat /etc/kubernetes/manifests/{part}.yaml"))
        probes = [manifest["spec"]["containers"][0][f"{kind}Probe"] for kind in ("liveness", "startup")]
        assert [probe["failureThreshold"] for probe in probes] == [1000, 1000], part


def test_nothing_listens_for_other_computers(cluster):
    """SSH and the API answer on this machine's own address alone."""
    pid = (state_dir(cluster) / "vm/pid").read_text().strip()
    lines = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [line.split()[3] for line in lines if f"pid={pid}," in line]
    assert ours, "nothing listens at all"
    assert not [address for address in ours if not address.startswith("127.0.0.1:")]
