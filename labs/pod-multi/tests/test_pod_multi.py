"""Lab pod-multi: what two containers of one Pod share, and what each has for itself."""

import secrets

import pytest

START = 20
"""Seconds for a Pod to start or to end, on a busy machine too."""
CRASH = 20
"""Seconds for a container that cannot work to have ended once."""
PROGRAMS = {"writer": "date -Iseconds", "web": "httpd -f"}
"""What only this container runs."""
IN_USE = "address already in use"


def get_pod(kubectl, name):
    """The Pod as the API server describes it, or a failure that names it."""
    found = [item for item in kubectl.pods() if item["metadata"]["name"] == name]
    assert found, f"there is no Pod {name} in namespace {kubectl.namespace}"
    assert found[0]["status"].get("podIP"), f"Pod {name} has no address yet: it is {found[0]['status']['phase']}"
    return found[0]


def containers(item):
    """The state of each container by its name."""
    return {one["name"]: one for one in item["status"].get("containerStatuses", [])}


def running(item):
    return sorted(name for name, one in containers(item).items() if "running" in one["state"])


@pytest.fixture(scope="module")
def clock(kubectl):
    item = get_pod(kubectl, "clock")
    assert set(containers(item)) == set(PROGRAMS), f"the containers of Pod clock are: {', '.join(containers(item))}"
    assert running(item) == sorted(PROGRAMS), f"of Pod clock only this runs: {', '.join(running(item)) or 'nothing'}"
    return item


@pytest.fixture(scope="module")
def url(clock):
    return f"http://{clock['status']['podIP']}:8080"


@pytest.fixture(scope="module")
def mark(clock, inside):
    """A word that nobody can guess, written into the shared folder by one of the containers."""
    word = f"mark-{secrets.token_hex(4)}"
    inside("clock", "writer").output(f"echo {word} > /shared/mark")
    return word


@pytest.fixture(scope="module")
def make_twin(kubectl, clock, eventually):
    """Makes a Pod like clock, on the same node, that may be broken and deleted."""
    metadata = {"name": "clock-twin", "labels": {"run": "clock-twin"}}

    def make():
        kubectl("delete pod clock-twin --ignore-not-found --grace-period 1")
        kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": clock["spec"]})
        seen = eventually(lambda: find_twin(kubectl), lambda item: len(running(item)) == len(PROGRAMS), seconds=START)
        assert len(running(seen)) == len(PROGRAMS), f"of the twin only this runs: {', '.join(running(seen))}"
        return seen

    yield make
    kubectl("delete pod clock-twin --ignore-not-found --grace-period 1 --wait=false")


@pytest.fixture(scope="module")
def twin(make_twin):
    return make_twin()


def find_twin(kubectl):
    return kubectl.json("get pod clock-twin")


def serves(place, word):
    """Whether the history is served, and has this word in it: None while nobody answers."""
    answer = place.get("http://localhost:8080/history")
    return None if answer.status is None else word in answer.body


def test_both_have_the_address_of_the_pod(clock, inside):
    """Both containers have the same address: the one of the Pod.

    `kubectl exec clock -c NAME -- hostname -i` asks one of them.
    """
    said = {name: inside("clock", name).output("hostname -i").strip() for name in PROGRAMS}
    assert set(said.values()) == {clock["status"]["podIP"]}, f"the Pod has {clock['status']['podIP']}, they say {said}"


def test_a_file_of_one_is_read_by_the_other(mark, inside):
    """A file that one container writes into the shared folder is read by the other.

    The folder must be mounted in both: `kubectl describe pod clock` shows Mounts, for each container.
    """
    seen = inside("clock", "web").output("cat /shared/mark").strip()
    assert seen == mark, f"writer wrote {mark}, web read {seen}"


def test_the_history_grows(clock, inside, eventually):
    """The writer adds a line a second, and the web server serves it at once.

    `kubectl exec clock -c web -- tail /shared/history` shows the last lines.
    """

    def count():
        answer = inside("clock", "web").get("http://localhost:8080/history")
        return len(answer.body.splitlines()) if answer.status == 200 else 0

    before = count()
    after = eventually(count, lambda now: now > before > 0, seconds=4)
    assert after > before > 0, f"the history served had {before} lines, and later {after}"


def test_localhost_leads_to_the_other(reach, mark, inside, pod):
    """Inside of the Pod, localhost is one place for both: the writer reaches the web server there.

    In any other Pod localhost is that Pod itself. Does the web server listen? `kubectl logs clock -c web`.
    """
    reach.answers("localhost of Pod clock", "http://localhost:8080/mark", inside("clock", "writer"), by=[mark])
    reach.silent("localhost of another Pod", "http://localhost:8080/mark", pod)


def test_its_address_leads_to_the_one_that_listens(reach, mark, url, pod, nodes):
    """From other Pods and from the nodes, the Pod's address leads to the container that listens on the port.

    Compare the address in `kubectl get pod clock -o wide` with the one you ask.
    """
    reach.answers("Pod clock", f"{url}/mark", [pod, *nodes], by=[mark])


def test_each_has_a_root_of_its_own(clock, inside):
    """Outside of the shared folder each has files of its own: what one writes to /tmp, the other does not see.

    Mounts in `kubectl describe pod clock` says which folders are not a container's own.
    """
    path = f"/tmp/{secrets.token_hex(4)}"
    listing = {name: f"touch {path}-{name}; ls -d {path}-*" for name in PROGRAMS}
    seen = {name: inside("clock", name).output(command).split() for name, command in listing.items()}
    also = {
        name: inside("clock", name).output(f"ls -d {path}-* 2>/dev/null; rm -f {path}-*").split() for name in PROGRAMS
    }
    for name in PROGRAMS:
        assert f"{path}-{name}" in seen[name], f"{name} does not see what it has written itself"
        strange = sorted({*seen[name], *also[name]} - {f"{path}-{name}"})
        assert not strange, f"{name} sees a file of the other container: {', '.join(strange)}"


def test_each_sees_only_its_own_processes(clock, inside):
    """Each sees only its own processes.

    `kubectl exec clock -c NAME -- ps` lists them. A Pod can be told to share them: shareProcessNamespace.
    """
    for name, program in PROGRAMS.items():
        lines = inside("clock", name).output("ps -o args").splitlines()
        assert any(program in line for line in lines), f"{name} does not see its own program: {', '.join(lines)}"
        foreign = [line for line in lines for other in PROGRAMS.values() if other != program and other in line]
        assert not foreign, f"{name} sees a process of the other container: {foreign[0]}"


def test_each_has_a_log_of_its_own(kubectl, url, pod, eventually):
    """Each has a log of its own: a request to the web server is in the log of web and not in the log of writer.

    `kubectl logs clock -c NAME` chooses the container; without -c you see the first one's.
    """
    path = f"/check-{secrets.token_hex(4)}"
    pod.get(url + path)
    seen = eventually(lambda: kubectl("logs clock --container web --tail 100"), lambda log: path in log, seconds=3)
    assert path in seen, f"the request for {path} is not in the log of web"
    assert path not in kubectl("logs clock --container writer --tail 100"), "it is in the log of writer too"


def test_killed_one_starts_again_alone(kubectl, twin, inside, eventually):
    """When one program ends, only its container starts again; the history is still there. (Shown with a twin.)

    The column RESTARTS counts: `kubectl get pod clock`. restartPolicy says whether it is started again.
    """
    web, word = inside("clock-twin", "web"), f"before-{secrets.token_hex(4)}"
    inside("clock-twin", "writer").output(f"echo {word} >> /shared/history")
    assert eventually(lambda: serves(web, word), seconds=3), (
        "the twin's web server does not serve what the writer wrote"
    )
    web.run("killall httpd")  # which may be ended together with the container, and then says 137
    seen = eventually(
        lambda: find_twin(kubectl),
        lambda item: containers(item)["web"]["restartCount"] == 1 and "web" in running(item),
        seconds=CRASH,
    )
    assert "web" in running(seen), "web did not start again"
    restarts = {name: one["restartCount"] for name, one in containers(seen).items()}
    assert restarts == {"web": 1, "writer": 0}, f"the restarts are {restarts}"
    assert seen["metadata"]["uid"] == twin["metadata"]["uid"], "it is another Pod now"
    kept = eventually(lambda: serves(web, word), lambda found: found is not None, seconds=3)
    assert kept, "the line from before is no longer served"


def test_deleted_it_takes_the_folder_along(twin, make_twin, inside, eventually):
    """When the Pod is deleted, the shared folder goes too: the same Pod, made anew, begins an empty history. (A twin.)

    A folder that outlives its Pod is not an emptyDir: look at Volumes in `kubectl describe pod clock`.
    """
    word = f"before-{secrets.token_hex(4)}"
    written = inside("clock-twin", "writer").output(f"echo {word} >> /shared/history; cat /shared/history")
    assert word in written, "the writer of the first twin does not find what it wrote"
    make_twin()
    found = eventually(lambda: serves(inside("clock-twin", "web"), word), lambda seen: seen is not None, seconds=3)
    assert found is False, "the line of the deleted Pod is still there" if found else "the new Pod serves no history"


def test_two_cannot_listen_on_one_port(reach, kubectl, pod, eventually):
    """In Pod quarrel both want port 8080: one answers, the other crashes again and again, and says why.

    `kubectl logs quarrel -c NAME` shows what each of the two said.
    """
    get_pod(kubectl, "quarrel")
    seen = eventually(lambda: get_pod(kubectl, "quarrel"), lambda item: losers(item), seconds=CRASH)
    lost = losers(seen)
    assert lost, f"nobody crashes: {', '.join(running(seen))} run side by side"
    assert len(lost) == 1 < len(containers(seen)), f"these crash: {', '.join(lost)} of {', '.join(containers(seen))}"
    log = eventually(
        lambda: kubectl.run(f"logs quarrel --container {lost[0]}").stdout, lambda said: IN_USE in said, seconds=15
    )
    assert IN_USE in log, f"it crashes for another reason: {', '.join(log.splitlines()[-1:]) or 'it says nothing'}"
    reach.answers("Pod quarrel", f"http://{seen['status']['podIP']}:8080", pod, by=["Hostname: quarrel"])


def losers(item):
    """Those that were started again and have ended again. Its node may have started the other again, too."""
    return [name for name, one in containers(item).items() if one["restartCount"] > 0 and "running" not in one["state"]]


@pytest.mark.task
def test_your_pair_listens_on_two_ports(reach, kubectl, pod):
    """Your Pod pair answers on two ports of one address: version 2.0.0 on 8080 and version 1.0.0 on 9090.

    Two containers, each with its own image; the program reads its port from the variable PORT.
    """
    address = get_pod(kubectl, "pair")["status"]["podIP"]
    for port, version in ((8080, "2.0.0"), (9090, "1.0.0")):
        url = f"http://{address}:{port}"
        reach.answers("your Pod pair", url, pod, by=["Hostname: pair"])
        said = pod.get(url).body.splitlines()
        assert f"Version: {version}" in said, f"on port {port} it said: {', '.join(said)}"
