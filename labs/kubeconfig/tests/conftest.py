"""How the checks of the lab kubeconfig try a file."""

import json
import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kubelab.kubectl import environment


@pytest.fixture(scope="module")
def home():
    """A home of nobody's. What is tried in it opens the cluster, so nothing of it may stay."""
    with TemporaryDirectory(prefix="kubelab-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def ask(run, home):
    """What kubectl prints that has one kubeconfig and nothing else; of what it complains about, the last line."""

    def answer(config, command="get pods -o name", **more):
        path = home / "config"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        settings = {**environment(run.cluster), "HOME": str(home), "KUBECONFIG": str(path), **more}
        words, nothing = ["kubectl", *shlex.split(command)], subprocess.DEVNULL
        done = subprocess.run(words, env=settings, capture_output=True, text=True, timeout=60, stdin=nothing)
        return done.stderr.strip().splitlines()[-1] if done.returncode else done.stdout.strip()

    return answer
