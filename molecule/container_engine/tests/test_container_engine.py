"""The role container_engine: an engine that answers and runs what kubelab asks of it, on every kind of machine."""

import pytest

testinfra_hosts = ["engines"]

# An image of what the machine has: the smallest program, and what it is linked to.
IMAGE = (
    "tar -C / -c bin lib lib64 usr/lib64 usr/bin/true usr/lib/x86_64-linux-gnu/libc.so.6 "
    "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 | docker import - try"
)


def test_the_engine_answers(host):
    """To the account that asked for it."""
    assert host.check_output("docker info --format '{{.ServerVersion}}'")


def test_a_privileged_container_runs(host):
    """As the nodes of a cluster do, also where the machine lacks a capability."""
    host.check_output(IMAGE)
    host.check_output("docker run --rm --privileged --network none try /usr/bin/true")


def test_it_is_recorded_as_ours(host):
    """Only an engine that kubelab installed is ever configured."""
    assert host.file("/etc/kubelab-engine").contains("kubelab installed")


def test_a_proxy_that_was_is_forgotten(host):
    """An engine that an earlier `up` told of one asks it no more."""
    assert not host.file("/etc/systemd/system/docker.service.d/kubelab.conf").exists
    assert host.check_output("docker info --format '{{.HTTPSProxy}}'") == ""


def test_it_comes_back_after_a_boot(host):
    """Where something boots the machine; elsewhere the next `up` starts it."""
    assert host.service("docker").is_enabled


def test_what_the_machine_lacks_is_taken_out_of_requests(host):
    """By a runtime of our own, on machines that lack a capability and on no other."""
    known = int(host.file("/proc/sys/kernel/cap_last_cap").content_string)
    has = int(host.check_output("sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status"), base=16)
    runtime = host.check_output("docker info --format '{{.DefaultRuntime}}'")
    assert runtime == ("runc" if has == 2 ** (known + 1) - 1 else "kubelab")


@pytest.mark.again
def test_an_account_that_may_not_open_the_socket_is_refused(refused):
    """It is told which group it must be in; nothing is installed a second time."""
    assert "membership in the group docker" in refused(ansible_user="nobody")
