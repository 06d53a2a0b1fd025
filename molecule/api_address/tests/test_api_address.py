"""One address for several control planes: whoever is well has it."""

import pytest
import testinfra
from testinfra.utils.ansible_runner import AnsibleRunner

from kubelab.waiting import wait_until

SECONDS = 30
"""The API is asked every 3 s for 3 s, and has to fail twice; then the others hear of it within 3 s."""


@pytest.fixture(scope="module")
def machines(pytestconfig):
    inventory = pytestconfig.getoption("ansible_inventory")
    names = AnsibleRunner(inventory).get_hosts("control_planes")
    return [testinfra.get_host(f"ansible://{name}?ansible_inventory={inventory}&force_ansible=true") for name in names]


@pytest.fixture(scope="module")
def address(machines):
    return machines[0].check_output("hostname -I").split()[0].rpartition(".")[0] + ".100"


@pytest.fixture(scope="module")
def holders(machines, address):
    return lambda: [machine.check_output(f"ip -4 -oneline address show to {address}") != "" for machine in machines]


def test_the_first_has_it_and_the_other_reaches_it(machines, address, holders):
    assert holders() == [True, False]
    assert machines[1].run(f"ping -c 1 -W 2 {address}").rc == 0


def test_it_goes_to_the_other_when_the_api_of_the_first_is_not_well_and_comes_back(machines, address, holders):
    with machines[0].sudo():
        machines[0].check_output("systemctl kill --signal STOP api")
    seen = wait_until(holders, done=lambda now: now == [False, True], seconds=SECONDS)
    reached = machines[0].run(f"ping -c 1 -W 2 {address}").rc
    with machines[0].sudo():
        machines[0].check_output("systemctl kill --signal CONT api")
    assert seen == [False, True]
    assert reached == 0
    assert wait_until(holders, done=lambda now: now == [True, False], seconds=SECONDS) == [True, False]


def test_a_boot_starts_it(machines):
    assert all(machine.service("keepalived").is_enabled for machine in machines)
