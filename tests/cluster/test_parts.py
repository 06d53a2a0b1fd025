"""What runs is what `invoke artifacts.list` says: the table, the version table and the cluster agree."""

import pytest

from kubelab import record
from kubelab.artifacts import listing
from kubelab.artifacts.images import images_in
from kubelab.artifacts.made import of_this_tree
from kubelab.reach import everywhere

OURS = ("kube-system", "kube-flannel", "local-path-storage", "metallb-system")


@pytest.fixture(scope="module")
def made():
    found = of_this_tree()
    assert found.complete.is_file(), f"what this tree makes is not built here ({found.folder}): `invoke up` builds it"
    return found


@pytest.fixture(scope="module")
def listed(made):
    return listing.items(made)


def test_images_are_the_very_ones_that_are_listed(kubectl, nodes, made, listed):
    """Every node holds the images that `artifacts.list` names, each with its digest, and Pods run those and no others.

    With `--json` it shows whole digests; on the node, `ctr -n k8s.io images ls` does.
    """
    digests = {f"{item.name}:{item.version}": item.digest for item in listed if item.kind == "image"}
    built = [images_in(archive) for archive in map(made.listed, made.archives) if archive.is_file()]
    expected = {image.name: digests[image.name] for image in built[0]}

    def look(node):
        held = dict(line.split()[:3:2] for line in node.output("ctr -n k8s.io images ls").splitlines())
        return [
            f"{node.name} has {held.get(name, 'no')} {name}" for name in expected if held.get(name) != expected[name]
        ]

    wrong = [text for texts in everywhere(look, nodes) for text in texts]
    configs = {image.name: {image.config, image.digest} for images in built for image in images}
    # After an upgrade a node may know an image by its former name, too, and kubelet tells that one.
    listed_ones = set().union(*configs.values())
    for pod in kubectl.json("get pods --all-namespaces"):
        place, status = pod["metadata"]["namespace"], pod["status"]
        for one in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
            name, digest = one["image"], one["imageID"].rpartition("@")[2]
            if digest and digest not in configs.get(name, listed_ones if place in OURS else {digest}):
                wrong.append(f"{place}/{pod['metadata']['name']} runs {digest} as {name}")
    assert not wrong, f"not what is listed: {'; '.join(wrong)}"


def test_nodes_report_the_versions_that_are_listed(run, kubectl, nodes, listed):
    """Every node reports the versions that `artifacts.list` names: kubelet's, containerd's, and of Debian packages.

    `kubectl get nodes -o wide`; on the node, `dpkg-query --show`. Machines that you had have their own.
    """
    versions = {item.name: item.version for item in listed if item.kind == "part"}
    expected = {
        "kubeletVersion": f"v{versions['kubernetes']}",
        "containerRuntimeVersion": f"containerd://{versions['containerd']}",
    }
    reported = {item["metadata"]["name"]: item["status"]["nodeInfo"] for item in kubectl.json("get nodes")}
    wrong = [
        f"{node.name}: {key} is {reported[node.name][key]}"
        for node in nodes
        for key, version in expected.items()
        if reported[node.name][key].removesuffix("-0") != version
    ]
    if record.load(run.cluster)["provider"] == "kind":
        packages = {(item.name, item.version) for item in listed if item.kind == "node package"}

        def look(node):
            said = node.output("dpkg-query -Wf '${Package} ${Version}\\n'")
            held = {tuple(line.split()) for line in said.splitlines()}
            others = [f"{node.name} has {' '.join(one)}" for one in sorted(held - packages)]
            return others + [f"{node.name} has no {' '.join(one)}" for one in sorted(packages - held)]

        wrong += [text for texts in everywhere(look, nodes) for text in texts]
    assert not wrong, f"not what is listed: {'; '.join(wrong)}"
