"""The role test_machines: containers that can be taken for machines."""

import pytest
import testinfra

from kubelab.paths import state_dir

INVENTORY = f"{state_dir('molecule-test-machines')}-machines/inventory.yml"
DEFAULT_ROUTES = "ip route show default"


def machine(name):
    """By SSH, as the inventory says that the role has written."""
    return testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}")


@pytest.mark.parametrize("name", ["one", "visitor"])
def test_it_answers_by_ssh_to_an_account_that_may_use_sudo(name):
    """Under the name that it was given."""
    seen = machine(name)
    assert seen.check_output("hostname") == name
    assert seen.check_output("sudo id --user") == "0"


@pytest.mark.parametrize("name", ["one", "visitor"])
def test_systemd_has_booted_it(name):
    """A role may start services there."""
    assert machine(name).check_output("systemctl is-system-running --wait") == "running"


def test_only_the_isolated_one_has_no_way_out():
    """It reaches its neighbours all the same."""
    assert machine("one").check_output(DEFAULT_ROUTES)
    assert not machine("visitor").check_output(DEFAULT_ROUTES)
    neighbour = machine("one").interface("eth0").addresses[0]
    machine("visitor").check_output("timeout 5 bash -c '</dev/tcp/%s/22'", neighbour)
