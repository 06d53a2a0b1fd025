"""The lessons know nothing of who made the machines."""

import os
import subprocess

# The machines share these processors with systemd and SSH of their own: fewer at once than elsewhere.
# The slow ones, among them those that do something to machines: MOLECULE_HOSTS_LABS=slow.
ALL = ["lab.all", "--jobs=2", f"--{os.environ.get('MOLECULE_HOSTS_LABS', 'quick')}"]


def test_labs_pass(cluster):
    done = subprocess.run(["invoke", *ALL, f"--cluster={cluster}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
