"""An inventory of the cluster and its nodes, so that before and after a lab can be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kubelab.kubectl import Kubectl
from kubelab.reach import everywhere
from kubelab.viewpoints import Reachable, Viewpoint
from kubelab.waiting import wait_until

SECONDS = 90.0
"""How long kubelet and kube-proxy may take to tidy up after the last object is gone.

What is left of Pods that ended with their node's power goes a minute after kubelet has started again."""

# What comes and goes by itself, whoever does what.
_VOLATILE = {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses"}
_KUBELETS = ("/kubelet-serving", "/kube-apiserver-client-kubelet")
_ADDRESS = re.compile(r"(?<![\d.])\d+(?:\.\d+){3}(?![\d.])")
_VETH = re.compile(r"\bveth[0-9a-f]{8}\b")
_UNLISTABLE = re.compile(r"\.metrics\.k8s\.io$")

# Folders in which labs and volumes leave something, images, rules that forward to Pods and Services, and routes.
# Not /var/log/pods: kubelet sweeps the logs of deleted Pods once a minute, whatever a lab does. Not the chains that the
# first Pod with a port of its node finds missing: whichever Pod that was, the network's plugin keeps them. What is in
# them for one Pod is a chain of its own, and seen. Not empty chains: kube-proxy deletes what it has emptied later.
NODE_QUESTIONS = r"""
for folder in /var/lib/kubelet/pods /var/local-path-provisioner /mnt /srv /opt /tmp; do
  ls -1A "$folder" 2>/dev/null | sed "s|^|folder $folder/|"
done
ctr --namespace k8s.io images list --quiet | sed 's/^/image /'
ip -o route | sed 's/^/route /'
ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/link \1/'
nft -s list ruleset |
  sed -E '/chain .*[{]$/{N; /\n[[:space:]]*[}]$/d}' |
  sed -E '/^[[:space:]]*chain CNI-HOSTPORT-/,/^[[:space:]]*[}]/d; /jump CNI-HOSTPORT-/d; /^[[:space:]]*$/d' |
  tr ',' '\n' | sed -E 's/^[[:space:]]+//; s/^/rule /'
"""

Inventory = dict[str, list[str]]


@dataclass(frozen=True)
class Inspector:
    """Looks at one cluster."""

    cluster: str

    def look(self) -> Inventory:
        """Returns every object of the cluster and the state of every node, as sorted lines by place."""
        states = everywhere(_node_state, Reachable(self.cluster).nodes())
        objects = self._objects()
        owners = pod_addresses(objects)
        nodes = {name: sorted(nameless(line, owners) for line in found) for name, found in states}
        return {"cluster": sorted(line for item in objects for line in lines(item)), **nodes}

    def _objects(self) -> list[dict[str, Any]]:
        kubectl = Kubectl(self.cluster)
        names = kubectl("api-resources --verbs=list -o name").split()
        kinds = [name for name in names if name not in _VOLATILE and not _UNLISTABLE.search(name)]
        found = kubectl.json(f"get {','.join(kinds)} --all-namespaces")
        return [item for item in found if not of_kubelet(item)]

    def look_settled(self, seconds: float = SECONDS) -> Inventory:
        """Returns what is there once nothing changes by itself any more: an earlier lab may just have gone."""
        seen: list[Inventory] = []

        def look() -> Inventory:
            seen.append(self.look())
            return seen[-1]

        return wait_until(look, done=lambda now: len(seen) > 1 and now == seen[-2], seconds=seconds, step=1.0)

    def difference_from(self, before: Inventory, seconds: float = SECONDS) -> list[str]:
        """Returns what is there now and was not, and the other way round; waits for the nodes to tidy up."""
        return wait_until(
            lambda: difference(before, self.look()), done=lambda found: not found, seconds=seconds, step=1.0
        )


def of_kubelet(item: dict[str, Any]) -> bool:
    """A kubelet's request for a certificate: Kubernetes itself removes it an hour after it was approved."""
    return item["kind"] == "CertificateSigningRequest" and str(item["spec"]["signerName"]).endswith(_KUBELETS)


def lines(item: dict[str, Any]) -> list[str]:
    """One object. What a controller made under a random name counts by the name it is made from.

    A node is not removed, but a lab may label or taint it.
    """
    metadata = item["metadata"]
    name = metadata.get("generateName") or metadata["name"]
    line = f"{item['kind']} {metadata.get('namespace', '')}/{name}"
    if item["kind"] != "Node":
        return [line]
    taints = [f"{line} taint {one['key']}:{one['effect']}" for one in item["spec"].get("taints", [])]
    return [line, *taints, *(f"{line} label {key}={value}" for key, value in metadata["labels"].items())]


def pod_addresses(objects: list[dict[str, Any]]) -> dict[str, str]:
    """Returns whose each address of the Pod network is: a Pod gets another one when its node starts again."""
    pods = [item for item in objects if item["kind"] == "Pod" and not item["spec"].get("hostNetwork")]
    return {item["status"]["podIP"]: lines(item)[0] for item in pods if item["status"].get("podIP")}


def nameless(line: str, owners: dict[str, str]) -> str:
    """Returns a line about a node without what is made anew with the network of a Pod that stays."""
    line = _VETH.sub("veth of a Pod", line)
    return _ADDRESS.sub(lambda address: owners.get(address[0], address[0]), line)


def _node_state(node: Viewpoint) -> tuple[str, list[str]]:
    return node.name, node.output(NODE_QUESTIONS).splitlines()


def difference(before: Inventory, after: Inventory) -> list[str]:
    """Returns one line for everything that only one of two inventories has."""
    found = []
    for place in sorted({*before, *after}):
        old, new = before.get(place, []), after.get(place, [])
        found += [f"{place}: left over: {line}" for line in _minus(new, old)]
        found += [f"{place}: missing: {line}" for line in _minus(old, new)]
    return found


def _minus(lines: list[str], others: list[str]) -> list[str]:
    remaining = list(others)
    extra = []
    for line in lines:
        if line in remaining:
            remaining.remove(line)
        else:
            extra.append(line)
    return extra
