"""What the roles of playbooks/up.yml do beside what tests/cluster looks at."""

import subprocess

from kubelab import record


def test_every_machine_of_the_record_runs(cluster):
    """And the machine outside, too."""
    names = record.load(cluster)["containers"]
    words = ["docker", "inspect", "--format", "{{.Name}} {{.State.Status}}", *names]
    seen = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    assert sorted(seen) == sorted(f"/{name} running" for name in names)
    assert record.load(cluster)["complete"] is True


def test_every_kubelet_shows_a_certificate_that_the_cluster_signed(kubectl, nodes):
    """Else `kubectl logs` and `kubectl exec` fail for that node; nothing is told to skip the check."""
    for node in nodes:
        seen = kubectl.run(f"get --raw /api/v1/nodes/{node.name}/proxy/healthz")
        assert seen.stdout == "ok", f"{node.name}: {seen.stderr}"


def test_containerd_does_not_ask_its_containers_all_the_time(nodes):
    """Every second is usual; nobody reads the answers."""
    for node in nodes:
        assert "stats_collect_period = '60s'" in node.output("containerd config dump"), node.name
