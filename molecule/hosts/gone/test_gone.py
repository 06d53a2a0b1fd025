"""After `down` the nodes are what the machine outside always was: all were made alike, that one is never changed."""

import pytest
import testinfra

from kubelab import paths

# What a machine writes by itself.
VOLATILE = ("/proc", "/sys", "/tmp", "/var/tmp", "/var/log", "/var/cache", "/var/lib/apt")
LOOKS = {
    "files": f"find / -xdev \\( {' -o '.join(f'-path {path}' for path in VOLATILE)} \\) -prune -o -print",
    "run": "ls /run | grep -v -e ^sshd -e ^xtables.lock -e ^motd",
    "packages": "dpkg-query --show",
    "links": "ip -oneline link | cut -d: -f2 | cut -d@ -f1",
    "processes": "ps -eo comm | grep -v -e ^ssh -e ^sudo -e ^sh$ -e ^ps$ -e ^sort$ -e ^grep$ | sort -u",
    "settings": "sysctl net.ipv4.ip_forward vm.overcommit_memory kernel.panic fs.inotify.max_user_instances",
}


def seen(cluster, machine):
    host = testinfra.get_host(f"docker://kubelab-{cluster}-{machine}")
    return {what: set(host.check_output(f"{command} | sort").splitlines()) for what, command in LOOKS.items()}


@pytest.mark.parametrize("machine", ["control-plane", "worker-one", "worker-two"])
def test_a_machine_is_as_it_was(cluster, machine):
    before, after = seen(cluster, "visitor"), seen(cluster, machine)
    assert {what: after[what] - before[what] for what in LOOKS} == {what: set() for what in LOOKS}
    assert {what: before[what] - after[what] for what in LOOKS} == {what: set() for what in LOOKS}


def test_nothing_is_known_of_the_cluster_any_more(cluster):
    assert not paths.state_dir(cluster).exists()
