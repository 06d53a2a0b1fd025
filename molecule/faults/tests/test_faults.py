"""The machines' life from the first `invoke up` to a sound cluster, with everything in between that can go wrong.

The tests stand in the order of that life: each begins where the one before has left the machines.
"""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from kubelab.suite import changes

CLUSTER = "molecule-faults"
CONTROL_PLANE, WORKER, OTHER = (f"kubelab-{CLUSTER}-{name}" for name in ("control-plane", "worker-one", "worker-two"))
UP = ["invoke", "up", f"--cluster={CLUSTER}"]
MINUTES = 60
# Ansible keeps its connections open, so they are cut too.
NO_SSH = "systemctl stop ssh.socket ssh; pkill -KILL sshd; exit 0"


def on(machine, command):
    """Runs a shell command as root on a machine, past SSH."""
    done = subprocess.run(["docker", "exec", machine, "sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{machine}: {command}: {done.stderr}"
    return done.stdout.strip()


def there(machine, path):
    return on(machine, f"if test -e {path}; then echo there; fi") == "there"


def up():
    return subprocess.run(UP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def refused():
    """What `up` says when it says no; every machine is left as it was."""
    done = up()
    assert done.returncode == 2, done.stdout
    assert all(f"{word}:" in done.stdout for word in ("found", "needed", "change")), done.stdout
    return done.stdout


@contextmanager
def up_that_has_come(machine, path, seconds=5 * MINUTES):
    """An `up` at work, as soon as there is this path on a machine; at the end it is waited for."""
    with subprocess.Popen(
        UP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        end = time.monotonic() + seconds
        while not there(machine, path):
            assert process.poll() is None, f"it ended before {path} was on {machine}: {process.stdout.read()}"
            assert time.monotonic() < end, f"{path} did not come to {machine}"
            time.sleep(0.5)
        yield process
        process.output = process.stdout.read()


@pytest.mark.parametrize(
    ("happens", "ends", "cause"),
    [
        pytest.param(
            "cd /usr/local/bin; printf '#!/bin/sh\\nexec /bin/date -d +1hour \"$@\"\\n' > date; chmod +x date",
            "rm /usr/local/bin/date",
            "its clock is off by",
            id="wrong clock",
        ),
        pytest.param(
            "mount -t tmpfs -o size=64m tmpfs /var/lib",
            "umount /var/lib",
            "free in /var/lib",
            id="full disk, seen before",
        ),
        pytest.param(
            "ip route add blackhole {control_plane}",
            "ip route del blackhole {control_plane}",
            "worker-one gets no answer from control-plane on",
            id="control plane out of reach",
        ),
        pytest.param(NO_SSH, "systemctl start ssh", "worker-one does not answer", id="no SSH"),
    ],
)
def test_it_is_refused_with_its_cause_and_nothing_is_changed(happens, ends, cause):
    address = on(CONTROL_PLANE, "hostname -I | cut -d ' ' -f 1")
    on(WORKER, happens.format(control_plane=address))
    said = refused()
    on(WORKER, ends.format(control_plane=address))
    assert cause in said, said
    assert "worker-one" in said, said
    assert not there(WORKER, "/var/lib/kubelab")


def test_a_disk_that_fills_up_meanwhile_is_named():
    on(OTHER, "mkdir -p /opt/kubelab && mount -t tmpfs -o size=16m tmpfs /opt/kubelab")
    done = up()
    on(OTHER, "umount /opt/kubelab")
    assert done.returncode != 0
    assert re.search("No space left|space", done.stdout), done.stdout
    assert "worker-two" in done.stdout


def test_ssh_that_is_lost_in_the_middle_is_named():
    on(WORKER, "rm -rf /opt/kubelab")
    with up_that_has_come(WORKER, "/opt/kubelab/kubernetes-*/kubelet") as process:
        on(WORKER, NO_SSH)
    on(WORKER, "systemctl start ssh")
    assert process.returncode != 0
    assert "worker-one" in process.output
    assert re.search("(?i)unreachable|does not answer", process.output), process.output
    assert "a machine that failed or no longer answers" in process.output, "it went on without the machine"


def test_an_up_that_is_killed_leaves_half_a_control_plane():
    with up_that_has_come(CONTROL_PLANE, "/etc/kubernetes/manifests") as process:
        os.killpg(process.pid, signal.SIGKILL)
    assert not there(CONTROL_PLANE, "/var/lib/kubelab/joined") or not there(WORKER, "/var/lib/kubelab/joined")


def test_a_node_may_reboot_while_it_joins():
    with up_that_has_come(WORKER, "/etc/kubernetes/bootstrap-kubelet.conf", seconds=10 * MINUTES):
        subprocess.run(["docker", "restart", "-t", "0", WORKER], check=True, capture_output=True)
    assert there(CONTROL_PLANE, "/var/lib/kubelab/joined")


def test_after_all_that_up_makes_a_sound_cluster():
    done = up()
    assert done.returncode == 0, done.stdout
    assert re.search(r"^cluster: \d+ true ", done.stdout, re.MULTILINE), done.stdout
    again = up()
    assert changes(again.stdout) == ["0"], again.stdout


def test_a_control_plane_that_is_gone_is_refused_and_back_again_is_fine():
    subprocess.run(["docker", "pause", CONTROL_PLANE], check=True, capture_output=True)
    said = refused()
    subprocess.run(["docker", "unpause", CONTROL_PLANE], check=True, capture_output=True)
    assert "control-plane does not answer" in said
    assert up().returncode == 0
