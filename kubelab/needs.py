"""What a lab needs of a cluster, compared with the cluster that is there."""

from __future__ import annotations

import shutil

from kubelab import topology
from kubelab.catalogue import Needs
from kubelab.kubectl import Kubectl
from kubelab.status import CONTROL_PLANE_LABEL, LAB_LABEL

# How a cluster shows that it has something: an API path that answers only then, and what was missed otherwise.
_SIGNS = {
    "storage": ("/apis/storage.k8s.io/v1/storageclasses/standard", "a default StorageClass"),
    "load_balancer": ("/api/v1/namespaces/metallb-system", "a load balancer"),
    "metrics": ("/apis/metrics.k8s.io/v1beta1/nodes", "metrics of its nodes"),
}
_NODES_CAN_BE_STOPPED = ("kind", "vm")


def unmet(needs: Needs, cluster: str) -> list[str]:
    """Returns one sentence for everything that the running cluster does not have; empty when the lab can run."""
    reasons = []
    if needs.workers:
        workers = _workers(cluster)
        if workers < needs.workers:
            reasons.append(f"the lab needs {needs.workers} workers, the cluster has {workers}")
    for need, (path, what) in _SIGNS.items():
        if getattr(needs, need) and Kubectl(cluster).run(f"get --raw {path}").returncode:
            reasons.append(f"the lab needs {what}, the cluster has none")
    if needs.node_control and topology.load(cluster).provider not in _NODES_CAN_BE_STOPPED:
        reasons.append("the lab stops and starts nodes, which this provider does not allow")
    missing = [program for program in needs.programs if shutil.which(program) is None]
    reasons += [f"the lab types {program}, which this machine does not have" for program in missing]
    return reasons


def _workers(cluster: str) -> int:
    names = Kubectl(cluster)(f"get nodes --selector !{CONTROL_PLANE_LABEL},!{LAB_LABEL} -o name")
    return len(names.splitlines())
