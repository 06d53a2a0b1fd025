"""Lab scale-out: what is real about a simulated node, and what is not."""

import pytest


def kubelet(kubectl, node):
    """Asks a kubelet how it is, by way of the API server; '' when it does not answer."""
    return kubectl.run(f"get --raw /api/v1/nodes/{node}/proxy/healthz --request-timeout 5s").stdout


def test_a_simulated_node_is_ready_without_a_machine(kubectl, given, nodes):
    """The simulated nodes are Ready, and no kubelet answers there; that of each real node does.

    `kubectl describe node sim-0001` shows who says that it is Ready, and that it has no address.
    """
    deaf = [node.name for node in nodes if kubelet(kubectl, node.name) != "ok"]
    assert not deaf, f"the kubelets of real nodes do not answer either: {', '.join(deaf)}"
    answered = [name for name in given if kubelet(kubectl, name)]
    assert not answered, f"somebody answers as the kubelet of {', '.join(answered)}"


def test_without_the_toleration_no_pod_comes(twins):
    """A Pod that does not tolerate their taint is not placed on simulated nodes, even if it asks for them.

    The events of such a Pod (`kubectl describe pod`) tell what the scheduler thought of the nodes.
    """
    assert not twins.strangers_on, f"it was placed on {twins.strangers_on}"
    assert twins.on, "the same Pod with the toleration was not placed either"
    assert "untolerated taint" in twins.said, f"the scheduler says: {twins.said or 'nothing'}"


def test_nothing_of_the_cluster_goes_there(intruders):
    """Neither kube-proxy nor the Pod network, which run on every node, have a Pod on simulated nodes.

    `kubectl get pods --all-namespaces -o wide` says where each Pod is. A DaemonSet chooses its nodes by their labels.
    """
    assert not intruders, f"there are {len(intruders)}, such as {intruders[0]}"


def test_they_take_no_range_of_the_pod_network(ranges):
    """The simulated nodes share one Pod range, so that they do not use up those that real nodes need.

    `kubectl get nodes -o custom-columns=NAME:.metadata.name,RANGE:.spec.podCIDR`; this cluster has 256 of them.
    """
    assert len(ranges) == 1, f"they have taken {', '.join(ranges)}"


def test_a_simulated_pod_runs_nowhere(nodes, twins, namespace):
    """A Pod on a simulated node is Running and Ready, and no machine has a container of it.

    On a node, `ctr --namespace k8s.io containers list` shows what really runs there.
    """
    assert twins.ready, "the Pod that tolerates the taint does not become Ready"

    def having(pod):
        label = f'labels."io.kubernetes.pod.namespace"=={namespace},labels."io.kubernetes.pod.name"=={pod}'
        look = f"ctr --namespace k8s.io containers list --quiet '{label}'"
        return [node.name for node in nodes if node.output(look).strip()]

    assert len(having("probe")) == 1, "the container of a real Pod is not found, so its absence would prove nothing"
    assert not having("guest"), f"it runs on {', '.join(having('guest'))}"


def test_it_has_no_logs_and_no_shell(kubectl, twins):
    """Neither logs nor exec give anything for a simulated Pod; for a real one they do.

    Both go through the API server to the kubelet of the Pod's node.
    """
    assert twins.ready, "the Pod that tolerates the taint does not become Ready"
    assert kubectl("exec probe -- echo real").strip() == "real"
    for command in ("logs guest", "exec guest -- echo real"):
        done = kubectl.run(command)
        assert done.returncode, f"{command} shows: {done.stdout.strip() or '(nothing)'}"


def test_the_real_pods_answer(web):
    """The Pods of web answer from outside, since they run on real nodes.

    `kubectl get pods --selector app=web -o wide`, and what is behind the Service: `kubectl get endpointslices`.
    """
    assert web


@pytest.mark.task
def test_your_fleet_goes_to_simulated_nodes(fleet):
    """The scheduler has placed the six Pods of fleet on simulated nodes.

    What keeps them Pending? `kubectl describe pods --selector app=fleet` says it.
    """
    assert fleet
