"""Lab control-plane-down: what goes on without an API server, and what does not. It stops once, for all checks."""

from types import SimpleNamespace

import pytest

from kubelab.reach import everywhere
from kubelab.twins import is_ready
from kubelab.waiting import wait_until

START = 60
"""Seconds for a Pod or a container to start, on a busy machine too."""
BACK = 150
"""Seconds until what had given up without an API server is at work again."""
WATCHED = 12
"""Seconds during which nothing may come, on a busy machine too: what comes with an API server is there sooner."""
CTR = "ctr --namespace k8s.io"
LABEL = 'labels."io.kubernetes.{}"=={}'
CONTAINER, SANDBOX = (f'labels."io.cri-containerd.kind"=={kind}' for kind in ("container", "sandbox"))


def listed(place, *labels):
    """Ids of the containers with these labels that run on a node, as containerd there says."""
    words = f"{CTR} containers list --quiet '{','.join(labels)}'; echo running; {CTR} tasks list"
    ids, _, tasks = place.output(f"({words}) 2>/dev/null").partition("running\n")
    running = {line.split()[0] for line in tasks.splitlines() if line.endswith("RUNNING")}
    return sorted(set(ids.split()) & running)


@pytest.fixture(scope="module")
def one_pod(kubectl, nodes, eventually):
    """The only Pod of an app, once it is ready; `here` is its node as a place."""
    at = {node.name: node for node in nodes}

    def look(app):
        found = eventually(
            lambda: [item for item in kubectl.pods(f"app={app}") if is_ready(item)],
            lambda pods: len(pods) == 1,
            seconds=START,
        )
        assert len(found) == 1, f"no API server was stopped: of {app} {len(found)} Pods are ready, not one"
        name, status = found[0]["metadata"]["name"], found[0]["status"]["containerStatuses"][0]
        here = at[found[0]["spec"]["nodeName"]]
        container = status["containerID"].removeprefix("containerd://")
        return SimpleNamespace(name=name, here=here, container=container, restarts=status["restartCount"])

    return look


@pytest.fixture(scope="module")
def containerd(nodes, namespace):
    """What runs on nodes, asked there: no API server is needed for that."""

    def of(pod):
        return listed(pod.here, LABEL.format("pod.name", pod.name), CONTAINER) if pod else []

    def part(name):
        return listed(nodes[0], LABEL.format("container.name", name), CONTAINER)

    def pods():
        labels = (LABEL.format("pod.namespace", namespace), SANDBOX)
        return {one for there in everywhere(lambda node: listed(node, *labels), nodes) for one in there}

    return SimpleNamespace(of=of, part=part, pods=pods)


@pytest.fixture(scope="module")
def twins(kubectl):
    """Makes twins of Pods and Jobs, to be killed: what has ended before has to wait, and these are new each time."""
    delete = "delete jobs,pods --ignore-not-found --selector twin"

    def make(kind, name):
        item = kubectl.json(f"get {kind} {name}")
        labels = {"app": f"{name}-twin", "twin": name}
        spec = {key: value for key, value in item["spec"].items() if key != "selector"}
        if "template" in spec:
            spec["template"]["metadata"] = {"labels": labels}
        kubectl.create({**item, "metadata": {"name": f"{name}-twin", "labels": labels}, "spec": spec, "status": None})

    kubectl(delete)
    yield make
    kubectl(delete)


@pytest.fixture(scope="module")
def on_and_off(kubectl, twins, happen, eventually):
    """Stops the API server, and sees to it that it is back at the end, whatever happens in between."""

    def start():
        happen("api-server-starts")
        return eventually(lambda: kubectl.run("get pods"), lambda done: not done.returncode, seconds=BACK)

    yield SimpleNamespace(stop=lambda: happen("api-server-stops"), start=start)
    start()


@pytest.fixture(scope="module")
def killed(kubectl, twins, one_pod):
    """The Pods whose containers will be killed: twins of clock, once and, if it is there, the learner's Job."""
    given = {"clock": "pod", "once": "job", "steady": "job"}
    there = [name for name, kind in given.items() if name != "steady" or not kubectl.run(f"get job {name}").returncode]
    for name in there:
        twins(given[name], name)
    return {name: one_pod(f"{name}-twin") for name in there}


@pytest.fixture(scope="module")
def stopped(run, kubectl, nodes, outside, reachable, killed, prober, containerd, happen, on_and_off, eventually):
    """What was seen while there was no API server, and after it had come back."""
    seen = SimpleNamespace(clock=killed["clock"], once=killed["once"], yours=killed.get("steady"))
    service = kubectl.json("get service web")["spec"]
    url = f"http://{reachable.api_address}:{service['ports'][0]['nodePort']}"
    eventually(lambda: outside.get(url).status)

    with prober.during("there is no API server", url) as seen.watch:
        on_and_off.stop()
        seen.asked = kubectl.run("get pods")
        seen.answers = everywhere(lambda node: node.get(f"http://{service['clusterIP']}:8080"), nodes)
        before = containerd.pods()
        happen("containers-die")
        seen.restarted = eventually(
            lambda: containerd.of(seen.clock), lambda now: now and seen.clock.container not in now, seconds=START
        )
        seen.new = wait_until(lambda: containerd.pods() - before, seconds=WATCHED * run.pace)
        # It takes no more requests at once, but its process may need a moment to end.
        seen.api = eventually(lambda: containerd.part("kube-apiserver"), lambda now: not now, seconds=START)
        seen.etcd = containerd.part("etcd")
        seen.once_again, seen.yours_again = containerd.of(seen.once), containerd.of(seen.yours)
        seen.back = on_and_off.start()
    seen.job = eventually(
        lambda: [item["metadata"]["name"] for item in kubectl.pods("app=once-twin") if is_ready(item)],
        lambda now: bool(now) and (now != [seen.once.name] or bool(seen.once_again)),
        seconds=BACK,
    )
    seen.counted = eventually(
        lambda: kubectl.json("get pod clock-twin")["status"]["containerStatuses"][0]["restartCount"],
        lambda now: now > seen.clock.restarts,
        seconds=START,
    )
    return seen


def test_kubectl_gets_no_answer(stopped):
    """kubectl gets no answer: not a refusal of the API server, but no connection to it.

    Errors of the server begin with `Error from server`; this one is of kubectl itself.
    """
    said = stopped.asked.stderr.strip()
    assert stopped.asked.returncode, f"kubectl was answered: {stopped.asked.stdout}"
    assert "Error from server" not in said, f"a server answered: {said}"
    assert "connect" in said.lower() or "EOF" in said, f"it failed for another reason: {said}"


def test_what_is_stored_is_safe(stopped):
    """The API server is away and etcd runs on: what is written there outlives it.

    `ctr --namespace k8s.io tasks list` on a node lists its containers without asking anybody else.
    """
    assert not stopped.api, "the API server still runs on the control plane"
    assert stopped.etcd, "etcd does not run on the control plane"


def test_the_service_goes_on_answering(stopped):
    """A Service goes on answering outside: not one request is lost while there is no API server.

    Requests go from the node straight to the Pods: kube-proxy has written the rules, and they stay.
    """
    watch = stopped.watch
    assert not watch.lost, f"of {watch.sent} requests {watch.lost} were lost, nobody answered for {watch.gap:.1f} s"


def test_inside_the_service_answers_too(stopped):
    """Its ClusterIP answers every node.

    The rules are on each node: `nft list table ip kube-proxy`.
    """
    silent = [f"{answer.reason}" for answer in stopped.answers if "Hostname: web-" not in answer.body]
    assert not silent, f"on {len(silent)} nodes nobody of web answered: {', '.join(silent)}"


def test_kubelet_restarts_a_killed_container_alone(stopped):
    """A container that is killed is started again on its node: kubelet knows the Pod and asks nobody. (A twin.)

    The new container has another id: `ctr --namespace k8s.io containers list` on the node.
    """
    assert stopped.clock.container not in stopped.restarted, "its container was not killed"
    assert stopped.restarted, f"the container of {stopped.clock.name} was not started again"


def test_nothing_new_is_made_meanwhile(stopped):
    """The Pod of the Job has failed and no other is made: on no node a new Pod began while there was no API server.

    A Job and the scheduler do all their work through the API server; kubelet learns of new Pods only there.
    """
    assert not stopped.once_again, f"{stopped.once.name} was started again where it was: what is its restartPolicy?"
    assert not stopped.new, f"{len(stopped.new)} new Pods began"


def test_afterwards_the_job_gets_its_new_pod(stopped):
    """When the API server is back kubectl is answered, and the Job gets its new Pod.

    `kubectl get pods` shows Error for the Pod that failed. Controllers may take a minute to begin anew.
    """
    assert stopped.back.returncode == 0, f"kubectl is not answered: {stopped.back.stderr}"
    assert stopped.job, "the Job has no Pod that is ready"
    assert stopped.once.name not in stopped.job, "the Job has its old Pod: nothing had to be made"


def test_afterwards_it_is_told_what_happened(stopped):
    """What kubelet did alone it reports later: RESTARTS of the Pod has grown.

    `kubectl get pods`, `kubectl describe pod`.
    """
    before = stopped.clock.restarts
    assert stopped.counted > before, f"{stopped.clock.name} had {before} restarts and still has {stopped.counted}"


@pytest.mark.task
def test_your_job_goes_on_without_an_api_server(stopped):
    """Your Job steady goes on without an API server: when its process is killed, it is started again. (A twin.)

    Which restartPolicy lets kubelet do that? `kubectl explain job.spec.template.spec.restartPolicy`.
    """
    assert stopped.yours, "there is no Job steady"
    assert stopped.yours_again, f"{stopped.yours.name} was not started again while there was no API server"
