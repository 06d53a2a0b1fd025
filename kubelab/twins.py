"""Throw-away copies of a lab's Deployments, each behind a port of the nodes: checks may change and break them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubelab.kubectl import Kubectl
from kubelab.prober import Prober
from kubelab.viewpoints import Viewpoint

LABEL = "kubelab.dev/twin"
AGAIN = 10
"""Requests in a row that must be answered before a Deployment counts as listening."""
STEP = 60
"""Seconds for Pods to be replaced, on a busy machine too."""

Object = dict[str, Any]


def image_of(pod: Object) -> str:
    """The image of a Pod's first container; of a Pod template too."""
    return str(pod["spec"]["containers"][0]["image"])


def is_ready(pod: Object, image: str = "") -> bool:
    """Whether a Pod serves and shall go on; with `image`, whether it is also made from that."""
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    stays = "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"
    return stays and image in ("", image_of(pod))


def copy_of(deployment: Object, name: str, replicas: int, **container: Any) -> Object:
    """Returns a Deployment like the given one under another name and label, with changes to its first container."""
    spec = json.loads(json.dumps(deployment["spec"]))
    spec["replicas"], spec["selector"] = replicas, {"matchLabels": {"app": name}}
    spec["template"]["metadata"] = {"labels": {"app": name}}
    spec["template"]["spec"]["containers"][0].update(container)
    metadata = {"name": name, "labels": {LABEL: ""}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@dataclass
class Twin:
    """One copy."""

    name: str
    url: str
    """Leads to it from outside, through a node on which it need not run."""
    kubectl: Kubectl = field(repr=False)
    eventually: Callable[..., Any] = field(repr=False)

    def pods(self) -> dict[str, Object]:
        """Its Pods by name, those that are ending too."""
        return {item["metadata"]["name"]: item for item in self.kubectl.json(f"get pods --selector app={self.name}")}

    def replica_sets(self) -> dict[str, Object]:
        """Its ReplicaSets by image."""
        found = self.kubectl.json(f"get replicasets --selector app={self.name}")
        return {image_of(item["spec"]["template"]): item for item in found}

    def endpoints(self) -> set[str]:
        """The addresses that requests are sent to."""
        slices = self.kubectl.json(f"get endpointslices --selector kubernetes.io/service-name={self.name}")
        ready = [one for item in slices for one in item["endpoints"] or [] if one["conditions"]["ready"]]
        return {address for one in ready for address in one["addresses"]}

    def settle(self, number: int, image: str = "") -> dict[str, Object]:
        """Waits until it has so many Pods, all ready and of this image, and no others. Returns them."""

        def done(found: dict[str, Object]) -> bool:
            return len(found) == number == sum(is_ready(item, image) for item in found.values())

        seen: dict[str, Object] = self.eventually(self.pods, done, seconds=STEP)
        told = [f"{name} ({image_of(one)}{'' if is_ready(one) else ', not ready'})" for name, one in seen.items()]
        assert done(seen), (
            f"{number} Pods of {self.name} shall be ready {image}; there are: {', '.join(told) or 'none'}"
        )
        return seen

    def listen(self, number: int, image: str, place: Viewpoint) -> dict[str, Object]:
        """Waits until its Pods also answer: without a readiness probe nobody says that of them. Returns them."""
        found = self.settle(number, image)
        self.eventually(lambda: len(place.get_many(self.url, AGAIN)) == AGAIN, seconds=STEP)
        return found

    def turn(self, image: str) -> None:
        self.kubectl(f"set image deployment {self.name} *={image}")

    def end_one(self, place: Viewpoint) -> float:
        """Deletes one of its Pods; returns for how many seconds that still answered, asked directly from a Pod."""
        name, item = next((name, item) for name, item in self.pods().items() if is_ready(item))
        address = item["status"]["podIP"]
        with Prober(place, [], self.kubectl).during(name, f"http://{address}:8080") as watch:
            self.kubectl(f"delete pod {name} --wait=false")
            self.eventually(lambda: name not in self.pods() and address not in self.endpoints(), seconds=STEP)
        answered = [request for request in watch.requests if request.name == name]
        return answered[-1].ended - answered[0].sent if answered else 0.0


@dataclass
class Twins:
    """Makes them, all in one namespace, and takes them away again."""

    kubectl: Kubectl
    eventually: Callable[..., Any]
    node_address: str

    def make(self, original: str, replicas: int, **container: Any) -> Twin:
        """Copies a Deployment; `container` says what shall differ in its first container."""
        name = f"{original}-twin-{secrets.token_hex(3)}"
        self.kubectl.create(copy_of(self.kubectl.json(f"get deployment {original}"), name, replicas, **container))
        self.kubectl(f"expose deployment {name} --type NodePort --port 8080 --labels {LABEL}=")
        port = self.kubectl.json(f"get service {name}")["spec"]["ports"][0]["nodePort"]
        return Twin(name, f"http://{self.node_address}:{port}", self.kubectl, self.eventually)

    def remove(self) -> None:
        self.kubectl(f"delete deployments,services --selector {LABEL} --wait=false")
