"""What somebody does who has a cluster on machines, pulls a newer kubelab, and upgrades."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from kubelab.lint import tracked
from kubelab.paths import ROOT
from kubelab.suite import changes

CLUSTER = "molecule-upgrade"
BEFORE = "1.36.5"
SILENCE = 5.0
"""Seconds for which a Service may give no answer while its Pods move."""
TABLE = "inventory/group_vars/all/versions.yml"
PATCHES = {"kube-scheduler": {"metadata": {"annotations": {"mine": "kept"}}}}
"""Told to a static Pod besides: kubeadm writes these anew for every version."""
LOCKS = "roles/artifacts/files/go"
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 10
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {matchLabels: {app: web}}
      containers:
        - name: web
          image: gcr.io/google-samples/hello-app:2.0
          readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}
          lifecycle: {preStop: {sleep: {seconds: 3}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """This project as it was when Kubernetes was older: a copy with an earlier version in its table."""
    place = tmp_path_factory.mktemp("kubelab")
    for path in [*tracked(), Path(f"inventory/{CLUSTER}.yml")]:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, place / path)
    text = (place / TABLE).read_text()
    (place / TABLE).write_text(re.sub(r"(kubernetes: \{version: )[\d.]+", rf"\g<1>{BEFORE}", text))
    (place / "inventory/group_vars/control_planes.yml").write_text(f"control_plane_patches: {json.dumps(PATCHES)}\n")
    (place / ".state").mkdir()
    yield place
    shutil.rmtree(place)


def environment(clone):
    """What somebody has who works in that copy: Molecule would have the roles of this one run."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    return {**mine, "PYTHONPATH": str(clone)}


@pytest.fixture(scope="module")
def typed(clone):
    """`typed("invoke", "up", stdin=...)`: the command in that copy, and what it printed."""

    def run(*words, **options):
        return subprocess.run(
            words,
            cwd=clone,
            env=environment(clone),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **options,
        )

    return run


@pytest.fixture(scope="module")
def kubectl(typed, clone):
    def run(words, check=True, **options):
        state = clone / ".state" / CLUSTER
        done = typed(str(state / "bin/kubectl"), "--kubeconfig", str(state / "kubeconfig"), *words.split(), **options)
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout

    return run


def patched(kubectl):
    seen = "get pods -n kube-system -l component=kube-scheduler -o jsonpath={.items[*].metadata.annotations.mine}"
    return set(kubectl(seen).split())


def versions(kubectl, check=True):
    return set(kubectl("get nodes -o jsonpath={.items[*].status.nodeInfo.kubeletVersion}", check).split())


def today():
    return "v" + re.search(r"kubernetes: \{version: ([\d.]+)", (ROOT / TABLE).read_text())[1]


def test_a_cluster_of_an_earlier_version_comes_up(typed, kubectl):
    locked = typed("invoke", "artifacts.lock")
    assert locked.returncode == 0, locked.stdout[-3000:]
    done = typed("invoke", "up", f"--cluster={CLUSTER}")
    assert done.returncode == 0, done.stdout[-5000:]
    assert versions(kubectl) == {f"v{BEFORE}"}
    assert patched(kubectl) == {"kept"}


def test_with_newer_versions_up_says_what_to_do(typed, clone):
    shutil.copy2(ROOT / TABLE, clone / TABLE)
    shutil.copytree(ROOT / LOCKS, clone / LOCKS, dirs_exist_ok=True)
    done = typed("invoke", "up", f"--cluster={CLUSTER}")
    assert done.returncode == 2, done.stdout
    assert f"invoke upgrade --cluster={CLUSTER}" in done.stdout


def test_pods_that_would_be_lost_are_named_and_nothing_is_changed(typed, kubectl):
    kubectl("run --restart Never --image gcr.io/google-samples/hello-app:2.0 lonely")
    done = typed("invoke", "upgrade", f"--cluster={CLUSTER}")
    assert done.returncode == 2, done.stdout
    assert "default/lonely" in done.stdout
    assert versions(kubectl) == {f"v{BEFORE}"}
    kubectl("delete pod lonely --now")


def test_a_service_answers_from_outside_while_it_moves_even_if_it_is_killed_meanwhile(clone, typed, kubectl):
    kubectl("apply -f -", input=WEB)
    kubectl("wait --for condition=Available deployment/web --timeout 120s")
    kubectl("wait --for jsonpath={.status.loadBalancer.ingress[0].ip} service/web --timeout 60s")
    address = kubectl("get service web -o jsonpath={.status.loadBalancer.ingress[0].ip}")
    asks = (
        f"while :; do curl -s -m 1 -o /dev/null http://{address}/ && echo ok $(date +%s.%N) || echo no; sleep 0.1; done"
    )
    with subprocess.Popen(
        ["docker", "exec", f"kubelab-{CLUSTER}-visitor", "sh", "-c", asks], stdout=subprocess.PIPE, text=True
    ) as asker:
        interrupted_once_a_node_has_moved(clone, kubectl)
        done = typed("invoke", "upgrade", f"--cluster={CLUSTER}")
        asker.terminate()
        answers = [float(line.split()[1]) for line in asker.stdout if line.startswith("ok ") and len(line.split()) == 2]
    assert done.returncode == 0, done.stdout[-5000:]
    assert versions(kubectl) == {today()}
    assert patched(kubectl) == {"kept"}
    longest = max(later - earlier for earlier, later in pairwise(answers))
    print(
        f"{len(answers)} answers in {answers[-1] - answers[0]:.0f} s, the longest silence {longest:.1f} s",
        file=sys.stderr,
    )
    assert longest < SILENCE, f"no answer for {longest:.1f} s"
    assert kubectl("get nodes -o jsonpath={.items[*].spec.unschedulable}").strip() == ""


def interrupted_once_a_node_has_moved(clone, kubectl):
    printed = clone / "upgrade.log"
    with (
        printed.open("w") as log,
        subprocess.Popen(
            ["invoke", "upgrade", f"--cluster={CLUSTER}"],
            cwd=clone,
            env=environment(clone),
            stdout=log,
            start_new_session=True,
        ) as process,
    ):
        # The API server of a control plane that moves is away for a while.
        while process.poll() is None and today() not in versions(kubectl, check=False):
            time.sleep(1)
        assert process.poll() is None, f"it ended before it could be killed: {printed.read_text()}"
        os.killpg(process.pid, signal.SIGKILL)


def test_afterwards_up_changes_nothing(typed):
    done = typed("invoke", "up", f"--cluster={CLUSTER}")
    assert changes(done.stdout) == ["0"], done.stdout[-3000:]


def test_down_sets_the_machines_back(typed):
    done = typed("invoke", "down", f"--cluster={CLUSTER}")
    assert done.returncode == 0, done.stdout[-3000:]
