"""kubelab: a real Kubernetes cluster on one machine, small lessons on it, and a proof of each of their statements."""

import os
import sys

# Where Python is told to keep no bytecode, every command of ours would compile Ansible anew: a third of its time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
