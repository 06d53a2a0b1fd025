"""The lessons know nothing of who made the machines."""

import os
import subprocess

import pytest

# The machines share these processors with systemd and SSH of their own: fewer at once than elsewhere.
ALL = ["lab.all", "--jobs=2"]
# Of the slow labs those that do something to machines are always among them; for all: MOLECULE_HOSTS_LABS=slow.
RUNS = {
    "quick": [[*ALL, "--quick"], ["lab", "control-plane-down"], ["lab", "node-failure"]],
    "slow": [[*ALL, "--slow"]],
}


@pytest.mark.parametrize("words", RUNS[os.environ.get("MOLECULE_HOSTS_LABS", "quick")], ids=" ".join)
def test_labs_pass(cluster, words):
    done = subprocess.run(["invoke", *words, f"--cluster={cluster}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
