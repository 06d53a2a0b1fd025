"""Lab monitoring: what `kubectl top` shows, where the figures come from, and who may ask for them."""

import json
import re
from collections import namedtuple
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest

FIRST, NEXT = 90, 60
"""Seconds until a new Pod has figures, for which it takes two looks at it, and until there are later ones."""
LIMIT = 200
ROUGHLY = 0.5
"""A figure is a mean over some seconds; a counter is read at others, and on a busy machine they differ."""
SECONDS = {"ms": 0.001, "s": 1, "m": 60}
UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "Mi": 2**20}
TWIN = "lab-monitoring-metrics-server"
ACCOUNTS = ("default", "scraper")
AUTHORITY = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
OTHER = "requestheader-client-ca-file"
LABEL = "kubelab.dev/lab=monitoring"

Use = namedtuple("Use", "cpu begun", defaults=[0, 0])
"""Thousandths of a processor, and since when this is the mean."""


def amount(text):
    """A quantity of Kubernetes as a number."""
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * UNITS.get(unit, 1)


def timestamp(text):
    return datetime.fromisoformat(text).timestamp()


def use_of(item):
    window = sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([\d.]+)(ms|[ms])", item["window"]))
    begun = timestamp(item["timestamp"]) - window
    return Use(1000 * sum(amount(one["usage"]["cpu"]) for one in item["containers"]), begun)


@pytest.fixture(scope="module")
def look(kubectl, namespace):
    """Reads what the Pods of the lab use, by name."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"
    return lambda: {one["metadata"]["name"]: use_of(one) for one in json.loads(kubectl(f"get --raw {path}"))["items"]}


def running(kubectl, name):
    found = [item for item in kubectl.pods() if item["metadata"]["name"] == name]
    assert found, f"there is no Pod {name} in namespace {kubectl.namespace}"
    assert found[0]["status"]["phase"] == "Running", f"Pod {name} does not run: it is {found[0]['status']['phase']}"
    return found[0]


@pytest.fixture(scope="module")
def figures(kubectl, look, eventually):
    """There are figures of both Pods, and not those of earlier ones of the same name."""
    begun = {name: timestamp(running(kubectl, name)["status"]["startTime"]) for name in ("burner", "idler")}

    def missing():
        seen = look()
        return [name for name, since in begun.items() if name not in seen or seen[name].begun < since]

    assert not (left := eventually(missing, lambda names: not names, seconds=FIRST)), f"no figures yet of {left}"


@pytest.fixture(scope="module")
def ask(figures, inside, reachable):
    """Asks the kubelet of a node from idler: curl's exit code, the status, what it says."""

    def send(node, *options, read=""):
        url = f"https://{reachable.address(node.name)}:10250/metrics/resource"
        curl = ["curl", "-s", "-m", "10", "-w", r"'\n%{http_code}'", *options, url]
        done = inside("idler").run(f"printf %s '{read}' | {' '.join(curl)}")
        said, _, status = done.stdout.rpartition("\n")
        return done.rc, status, said

    return send


@pytest.fixture(scope="module")
def tokens(kubectl):
    """A new token of each ServiceAccount: a kubelet remembers for a while what the last one was allowed."""
    return {name: f"-H 'Authorization: Bearer {kubectl(f'create token {name}').strip()}'" for name in ACCOUNTS}


def test_every_node_is_measured(kubectl, figures, nodes):
    """`kubectl top nodes` shows for every node how much processor and memory it uses, and none of it is zero.

    Nothing to see? `kubectl logs -n kube-system deployment/metrics-server` says which kubelet does not answer.
    """
    shown = {line.split()[0]: line.split() for line in kubectl("top nodes --no-headers").splitlines()}
    for node in nodes:
        assert node.name in shown, f"these nodes are shown: {', '.join(shown)}; {node.name} is not"
        _, cores, _, memory, _ = shown[node.name]
        assert min(amount(cores), amount(memory)) > 0, f"{node.name} uses {cores} and {memory}"


def test_the_burner_is_first(kubectl, figures):
    """`kubectl top pods` sorted by processor: burner comes first.

    `kubectl top pods --sort-by cpu`. What does the Pod at the top do? `kubectl describe pod` shows its command.
    """
    names = [line.split()[0] for line in kubectl("top pods --sort-by cpu --no-headers").splitlines()]
    assert names[0] == "burner", f"{names[0]} comes first, of {', '.join(names)}"


def test_it_uses_what_its_limit_allows(figures, look, eventually):
    """burner would take a whole processor; it gets what its limit allows, 200 thousandths, and no more.

    `kubectl get pod burner -o yaml` shows the limit, `kubectl top pod burner` the use.
    """
    used = eventually(lambda: look().get("burner", Use()).cpu, lambda cpu: LIMIT / 2 < cpu < LIMIT * 1.15, seconds=NEXT)
    assert LIMIT / 2 < used < LIMIT * 1.15, f"burner uses {used:.0f}m, its limit should be {LIMIT}m"


@pytest.fixture(scope="module")
def observed(kubectl, ask, tokens, look, nodes, eventually):
    """Over the same half minute: what is shown of burner, what its node counted, and what its kubelet told."""
    item = running(kubectl, "burner")
    node = next(one for one in nodes if one.name == item["spec"]["nodeName"])

    def both():
        return count(node, item["metadata"]["uid"]), tell(ask, node, tokens["scraper"])

    counted, told = both()
    shown = eventually(lambda: look().get("burner", Use()), lambda use: use.begun >= counted[0], seconds=NEXT)
    assert shown.begun >= counted[0], "there were no later figures of burner"
    later, told_later = both()
    return SimpleNamespace(node=node.name, shown=shown.cpu, counted=rate(counted, later), told=(told, told_later))


def rate(first, last):
    """Thousandths of a processor between two looks; kubelet seldom counts anew what does next to nothing."""
    seconds = last[0] - first[0]
    return 1000 * (last[1] - first[1]) / seconds if seconds else 0.0


def tell(ask, node, token):
    """What a kubelet tells of burner: when, and how many seconds of processor it has used; or its refusal."""
    _, status, said = ask(node, f"--cacert {AUTHORITY}", token)
    found = re.search(r'^pod_cpu_usage_seconds_total{namespace="lab-monitoring",pod="burner"} (\S+) (\d+)', said, re.M)
    return (int(found[2]) / 1000, float(found[1])) if found else status


def assert_same(shown, other, by):
    assert other > 1, f"{by} counted next to nothing for burner: {other:.1f}m"
    assert abs(shown - other) < ROUGHLY * other, f"{by} says {other:.0f}m for burner, shown are {shown:.0f}m"


def test_its_node_counts_the_same(observed):
    """The figure of burner is no guess: its node counts the time that the Pod has used, and says the same.

    On the node each Pod has a folder below /sys/fs/cgroup; cpu.stat (or cpuacct.usage) in it only ever grows.
    """
    assert_same(observed.shown, observed.counted, observed.node)


def test_what_kubelet_says_is_what_top_shows(observed):
    """What the kubelet of the node tells is what `kubectl top` shows: metrics-server only collects it.

    pod_cpu_usage_seconds_total of /metrics/resource grows by as many seconds as the Pod has used.
    """
    refused = [one for one in observed.told if isinstance(one, str)]
    assert not refused, f"the kubelet of {observed.node} does not tell: {refused[0]}"
    assert_same(observed.shown, rate(*observed.told), f"the kubelet of {observed.node}")


def count(node, uid):
    """The time on the node, and the seconds of processor that a Pod has used there, whichever cgroups the node has."""
    folders = f"$(find /sys/fs/cgroup -type d -name '*pod{uid.replace('-', '_')}.slice' -o -type d -name 'pod{uid}')"
    read = f"for at in {folders}; do cat $at/cpuacct.usage || sed -n 's/usage_usec .*/&000/p' $at/cpu.stat; done"
    clock, *found = node.output(f"date +%s.%N; ({read}) 2>/dev/null | head -n 1").split()
    assert found, f"{node.name} has no cgroup of the Pod {uid}"
    return float(clock), float(found[-1]) / 1e9


def test_kubelet_wants_to_know_who_asks(ask, nodes, tokens):
    """The figures come from the kubelet of each node, and it gives them only to who may: 401, 403, 200.

    Without a token nobody is known (401); the token of default may not (403); that of scraper may read nodes/metrics.
    """
    for node in nodes:
        for whose, expected in {"nobody": "401", "default": "403", "scraper": "200"}.items():
            _, status, _ = ask(node, "--insecure", tokens.get(whose, ""))
            assert status == expected, f"{node.name}, with the token of {whose}, expected {expected}, saw {status}"


def test_the_cluster_vouches_for_each_kubelet(kubectl, ask, nodes):
    """Whoever asks can be sure of the kubelet: the cluster's authority has signed its certificate, no other one has.

    `curl --cacert` names the authority; curl ends with 60 where it has not signed. Its certificate is in every Pod.
    """
    another = kubectl.json("get configmap extension-apiserver-authentication --namespace kube-system")["data"][OTHER]
    for node in nodes:
        code, status, _ = ask(node, f"--cacert {AUTHORITY}")
        assert (code, status) == (0, "401"), f"{node.name}, with the cluster's authority: curl ends with {code}"
        code, _, _ = ask(node, "--cacert /dev/stdin", read=another)
        assert code == 60, f"{node.name}, with another authority: curl ends with {code}"


@pytest.fixture
def suspicious(kubectl, figures):
    """A metrics-server like the one that runs, but it trusts another authority, for a moment."""
    spec = kubectl.json("get deployment metrics-server --namespace kube-system")["spec"]["template"]["spec"]
    container = spec["containers"][0]
    container["args"] = [one for one in container["args"] if "--kubelet-certificate-authority" not in one]
    container["args"].append(f"--kubelet-certificate-authority=/other/{OTHER}")
    container["volumeMounts"] = [*container.get("volumeMounts", []), {"name": "other", "mountPath": "/other"}]
    other = {"name": "other", "configMap": {"name": "extension-apiserver-authentication"}}
    spec["volumes"] = [*spec.get("volumes", []), other]
    metadata = {"name": TWIN, "labels": dict([LABEL.split("=")])}
    delete = f"delete pods --namespace kube-system --selector {LABEL} --grace-period 1"
    kubectl(delete)
    there = replace(kubectl, namespace="kube-system")
    there.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    yield lambda: kubectl.run(f"logs {TWIN} --namespace kube-system").stdout
    kubectl(delete)


def test_metrics_server_verifies_it_too(suspicious, nodes, eventually):
    """metrics-server verifies it too: one that trusts another authority gets no figures. (A twin, for a moment.)

    `kubectl get deployment metrics-server -n kube-system -o yaml`: what do its args say about certificates?
    """

    def accepted(log):
        refusals = [line for line in log.splitlines() if "certificate signed by unknown authority" in line]
        return [node.name for node in nodes if not any(f'node="{node.name}"' in line for line in refusals)]

    log = eventually(suspicious, lambda text: not accepted(text), seconds=NEXT)
    assert not accepted(log), f"it does not refuse the kubelet of {', '.join(accepted(log))}: {log.splitlines()[-1:]}"


@pytest.mark.task
def test_your_pod_half_uses_half(kubectl, look, figures, eventually):
    """Your Pod half uses about half as much processor as the limit of burner: 100 thousandths.

    It burns as burner does; something in its manifest holds it back.
    """
    since = timestamp(running(kubectl, "half")["status"]["startTime"])
    seen = eventually(
        lambda: look().get("half", Use()), lambda use: use.begun >= since and 40 < use.cpu < 140, seconds=NEXT
    )
    assert seen.begun >= since, "there are no figures of half yet"
    assert 40 < seen.cpu < 140, f"half uses {seen.cpu:.0f}m"
