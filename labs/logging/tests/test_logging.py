"""Lab logging: the lines of all containers in one place."""

import json
import secrets
import shlex

import pytest

QUERY = "select/logsql/query"
COME = 15
"""Seconds in which a line comes to the sink: two, or ten where the container says little and is asked seldom."""


def ask(pod, query):
    """The lines that the sink finds, each with its fields."""
    words = shlex.quote(f"query={query}")
    return [json.loads(line) for line in pod.output(f"curl -sS -m 5 sink:9428/{QUERY} -d {words}").splitlines()]


def who(line):
    return line.get("kubernetes.pod_name", "nobody")


def lines_of(heard, name):
    found = [line for line in heard if who(line) == name]
    assert found, f"in the sink there is no line of {name}"
    return found


def talkers(kubectl):
    found = [pod for pod in kubectl.pods("app=talker") if pod["status"]["phase"] == "Running"]
    assert found, f"there is no talker in namespace {kubectl.namespace}"
    return {pod["metadata"]["name"]: pod for pod in found}


def files_with(node, namespace, text):
    """The logs on a node, of Pods of the namespace, that hold a line."""
    return node.output(
        f"find /var/log/pods -path '*/{namespace}_*' -name '*.log' -exec grep -l {shlex.quote(text)} {{}} +; true"
    ).splitlines()


def add(node, files, text):
    """Adds a line to the youngest of these logs, as the container runtime does."""
    node.output(f"echo $(date -u +%FT%T.%NZ) stdout F {text} >> $(ls -t {files} | head -n 1)")


@pytest.fixture(scope="module")
def workers(reachable):
    return reachable.group("workers")


@pytest.fixture(scope="module")
def word():
    """One that nobody can guess: whatever bears it was written by these checks."""
    return f"word{secrets.token_hex(5)}"


@pytest.fixture(scope="module")
def witness(word):
    return f"witness-{word}"


@pytest.fixture(scope="module")
def written(kubectl, nodes, inside, eventually, word, witness, workers):
    """Lets all be written that the checks look for: names of the Pods in this namespace that did.

    Those are the talkers, and a Pod that nobody will miss. Containers of kube-system say nothing for hours.
    """
    ours = talkers(kubectl)
    for node in nodes:
        name = "kube-proxy" if node.name in workers else "kube-apiserver"
        add(node, f"/var/log/pods/kube-system_{name}-*/{name}/*.log", f"{word} added")
    for name in ours:
        inside(name).output(f"echo {word} into a file > /tmp/{word}; echo {word} said > /proc/1/fd/1")
    script = shlex.quote(f"echo {word} seen; exec sleep infinity")
    kubectl(f"run {witness} --image curlimages/curl:7.68.0 --restart Never --command -- sh -c {script}")
    said = eventually(lambda: kubectl.run(f"logs {witness}").stdout, bool, seconds=60)
    assert said == f"{word} seen\n", f"a Pod that only says a line does not start; its log holds: {said}"
    yield [*ours, witness]
    kubectl(f"delete pod {witness} --ignore-not-found --grace-period 1 --wait=false")
    for name in ours:
        kubectl.run(f"exec {name} -- rm -f /tmp/{word}")


@pytest.fixture(scope="module")
def heard(pod, eventually, word, written):
    """The lines of these Pods that the sink has, once there is one of each or the time is up."""
    found = eventually(
        lambda: ask(pod, word), lambda lines: set(written) <= {who(line) for line in lines}, seconds=COME
    )
    return [line for line in found if who(line) in written]


def test_lines_of_every_worker_come_to_one_place(kubectl, heard, workers):
    """What a Pod writes on any worker can be read in one place, seconds later.

    Does a collector run on each worker, and does it reach the sink? `kubectl get pods -o wide`, `kubectl logs`.
    """
    at = {pod["spec"]["nodeName"]: name for name, pod in talkers(kubectl).items()}
    assert set(workers) <= set(at), f"there is no talker on {', '.join(sorted(set(workers) - set(at)))}"
    for name in at.values():
        lines_of(heard, name)


def test_each_line_says_who_wrote_it(kubectl, heard):
    """Each line comes with the names of its node, namespace, Pod and container, of which the Pod has said nothing.

    Ask the sink for one line without `fields`: it shows all that it knows.
    """
    for name, pod in talkers(kubectl).items():
        told = {key.removeprefix("kubernetes."): value for key, value in lines_of(heard, name)[0].items()}
        truth = {
            "pod_node_name": pod["spec"]["nodeName"],
            "pod_namespace": kubectl.namespace,
            "container_name": "talker",
        }
        wrong = [f"{key} {told.get(key)}, not {value}" for key, value in truth.items() if told.get(key) != value]
        assert not wrong, f"a line of {name} tells {', '.join(wrong)}"


def test_the_same_line_lies_on_the_disk_of_its_node(kubectl, nodes, word, written):
    """The same line lies on the disk of its node, in a file under /var/log/pods, and on no other node.

    The folder is named after namespace, name and UID of the Pod.
    """
    found = {node.name: files_with(node, kubectl.namespace, f"{word} said") for node in nodes}
    for name, pod in talkers(kubectl).items():
        here = pod["spec"]["nodeName"]
        folder = f"{kubectl.namespace}_{name}_{pod['metadata']['uid']}"
        having = [node for node, files in found.items() if any(folder in file for file in files)]
        assert having, f"{here} has nothing of {name} under /var/log/pods"
        assert having == [here], f"{name} runs on {here}, its line lies on {', '.join(having)}"


def test_kubectl_logs_reads_that_file(kubectl, nodes, eventually, word, written):
    """`kubectl logs` shows what stands in that file: a line that is added to it on the node appears too.

    The API server asks the node's kubelet, and kubelet reads the file.
    """
    name, pod = sorted(talkers(kubectl).items())[0]
    (node,) = [one for one in nodes if one.name == pod["spec"]["nodeName"]]
    files = [file for file in files_with(node, kubectl.namespace, f"{word} said") if f"_{name}_" in file]
    assert files, f"{node.name} has nothing of {name} under /var/log/pods"
    add(node, " ".join(files), f"{word} added")
    shown = eventually(lambda: kubectl(f"logs {name} --tail 50"), lambda text: f"{word} added" in text, seconds=10)
    assert f"{word} added" in shown, "kubectl logs does not show the line that was added on the node"


def test_lines_outlive_their_pod(kubectl, pod, heard, word, witness):
    """When a Pod is deleted, `kubectl logs` has nothing of it any more; the sink still has its lines. (A twin.)

    Delete a Pod of yours, and ask both.
    """
    lines_of(heard, witness)
    kubectl(f"delete pod {witness} --ignore-not-found --grace-period 1")
    done = kubectl.run(f"logs {witness}")
    assert "not found" in done.stderr, f"kubectl logs still answers: {done.stdout or done.stderr}"
    lines_of(ask(pod, word), witness)


def test_what_goes_into_a_file_is_not_collected(kubectl, heard, word, inside):
    """What a program writes into a file of its own is in no log: only its standard output and error are.

    The same Pod says a line and writes one into /tmp; look for both.
    """
    name = min(talkers(kubectl))
    collected = [line["_msg"] for line in lines_of(heard, name)]
    assert inside(name).output(f"cat /tmp/{word}") == f"{word} into a file\n", "the file is not there"
    shown = collected + kubectl(f"logs {name} --tail 50").splitlines()
    assert f"{word} into a file" not in shown, "the line that went into a file was collected"


def missing(pod, eventually, query, nodes, seconds=COME):
    """On which of these nodes the sink finds nothing, once it does on all or the time is up."""

    def look():
        return {
            line.get("kubernetes.pod_node_name") for line in ask(pod, f"{query} | uniq by (kubernetes.pod_node_name)")
        }

    return sorted(set(nodes) - eventually(look, lambda seen: set(nodes) <= seen, seconds=seconds))


def test_those_of_kubernetes_itself_are_there(pod, eventually, word, written, workers):
    """The lines of Kubernetes' own containers are there too: those of kube-proxy on every worker.

    Which namespaces does the sink know? `* | uniq by (kubernetes.pod_namespace)` is a question.
    """
    silent = missing(pod, eventually, f'{word} kubernetes.container_name:="kube-proxy"', workers)
    assert not silent, f"the sink has no new line of kube-proxy on {', '.join(silent)}"


def test_only_from_inside_it_is_asked(reach, kubectl, reachable, pod, nodes, outside, word):
    """Pods and nodes may ask the sink; from outside it is not reached, for logs tell a lot.

    PORT(S) of `kubectl get service sink`, and `ports` of its Pod, say who can reach it.
    """
    own = f"{word}sent"
    line = json.dumps({"_msg": own}, separators=(",", ":"))
    pod.output(f"curl -sSf -m 5 sink:9428/insert/jsonline -H Content-Type:application/json -d {shlex.quote(line)}")
    address = kubectl.json("get service sink")["spec"]["clusterIP"]
    path = f":9428/{QUERY}?query={own}|keep+_msg"
    reach.answers("name", f"http://sink{path}", pod, by=[line])
    reach.answers("ClusterIP", f"http://{address}{path}", [pod, *nodes], by=[line])
    reach.silent("ClusterIP", f"http://{address}{path}", outside)
    for node in nodes:
        reach.silent("port of a node", f"http://{reachable.address(node.name)}{path}", outside, by=[line])


@pytest.mark.task
def test_your_collector_reads_the_control_plane_too(kubectl, pod, eventually, word, written, reachable):
    """Your collector runs on the control plane too, so the lines of the API server are in the sink.

    What keeps Pods off that node? `kubectl describe node` names it under Taints.
    """
    control_planes = reachable.group("control_planes")
    somebody_is_there = set(control_planes) & {item["spec"].get("nodeName") for item in kubectl.pods()}
    query = f'{word} kubernetes.container_name:="kube-apiserver"'
    silent = missing(pod, eventually, query, control_planes, COME if somebody_is_there else 0)
    assert not silent, f"the sink has no new line of kube-apiserver on {', '.join(silent)}"
