"""The roles that make a node of a machine, before it joins a cluster."""

import pytest

from kubelab.paths import STATE, common

testinfra_hosts = ["workers"]

VERSIONS = common("versions")["versions"]


def test_it_bears_the_mark_of_its_cluster(host):
    """By which nothing of somebody else's is ever removed."""
    assert host.file("/var/lib/kubelab/mark").content_string == "molecule\n"


def test_packets_are_forwarded_also_after_a_boot(host):
    """Between Pods, and past kube-proxy."""
    assert host.sysctl("net.ipv4.ip_forward") == 1
    assert host.sysctl("net.bridge.bridge-nf-call-iptables") == 1
    assert host.file("/etc/sysctl.d/90-kubelab.conf").contains("net.ipv4.ip_forward = 1")


@pytest.mark.parametrize("package", ["conntrack", "iptables", "nftables", "runc"])
def test_it_has_the_packages_that_kubernetes_calls(host, package):
    """From Debian."""
    assert host.package(package).is_installed


def test_containerd_runs_a_container_of_an_image_that_it_has(host):
    """No registry is asked: the image came with the role."""
    assert host.service("containerd").is_enabled
    image = f"docker.io/kubelab/tools:{VERSIONS['debian']['version']}"
    with host.sudo():
        said = host.check_output(f"timeout 60 ctr --namespace k8s.io run --rm {image} try echo from inside")
    assert said == "from inside"


def test_containerd_does_not_ask_its_containers_all_the_time(host):
    """Every second is usual; nobody reads the answers."""
    assert "stats_collect_period = '60s'" in host.check_output("containerd config dump")


def test_images_that_it_lacks_are_asked_of_a_registry_of_ones_own_first(host):
    """Whatever their name says; there a server that has nothing writes down what it is asked."""
    pull = "timeout 20 ctr images pull --hosts-dir /etc/containerd/certs.d docker.io/library/mine:1 >/dev/null 2>&1"
    with host.sudo():
        asked = host.check_output(
            "timeout 60 sh -c 'cd /tmp; python3 -u -m http.server --bind 127.0.0.1 8971 >asked 2>&1 & server=$!; "
            f"until grep -q Serving asked; do sleep 0.1; done; {pull}; kill $server; cat asked'"
        )
        assert "config_path = '/etc/containerd/certs.d'" in host.check_output("containerd config dump")
    assert "/v2/library/mine/manifests/1?ns=docker.io" in asked


def test_the_machine_trusts_the_authority_of_the_company(host):
    """So do apt, containerd and kubelet, which read Debian's list."""
    authority = (STATE / "molecule-node/authority.pem").read_text().strip()
    assert authority in host.file("/etc/ssl/certs/ca-certificates.crt").content_string


def test_containerd_goes_through_the_proxy_of_the_company(host):
    """A variable without a value is none, and a percent sign is one for systemd too."""
    with host.sudo():
        said = host.check_output("tr '\\0' '\\n' < /proc/$(pgrep -x containerd)/environ")
    assert [line for line in said.splitlines() if "PROXY" in line] == [
        "HTTPS_PROXY=http://user:100%25@proxy.example:3128"
    ]


@pytest.mark.parametrize("program", ["kubelet --version", "kubeadm version --output short", "kubectl version --client"])
def test_the_programs_of_kubernetes_are_of_the_version_that_the_table_names(host, program):
    """The same on every node."""
    assert f"v{VERSIONS['kubernetes']['version']}" in host.check_output(program)


def test_a_boot_starts_kubelet(host):
    """Until kubeadm has told it what to do, it is not started by hand."""
    assert host.service("kubelet").is_enabled


@pytest.mark.again
def test_a_node_of_another_cluster_is_refused(refused):
    """It stays whose it is."""
    assert "another cluster" in refused(node_base_mark="somebody")
