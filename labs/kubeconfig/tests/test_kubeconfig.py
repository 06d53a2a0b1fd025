"""Lab kubeconfig: the file from which kubectl learns which cluster it talks to, and as whom."""

import base64
import json
import re
import subprocess
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from kubelab.paths import kubeconfig
from kubelab.reach import everywhere

CA, HELLO = "certificate-authority-data", "pod/helloworld"
NOBODY_LISTENS = "https://127.0.0.1:1"
WHOAMI = "auth whoami -o jsonpath={.status.userInfo.username}"


def build(cluster, user, **context):
    """A kubeconfig of one cluster, one user and the context that joins them."""
    return {
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "it", "context": {"cluster": "here", "user": "me", **context}}],
        "current-context": "it",
    }


@pytest.fixture(scope="module")
def facts(run, namespace, ask):
    """The three facts of our own file, once they alone have been enough to see what is in this lab."""
    ours = yaml.safe_load(kubeconfig(run.cluster).read_text())
    there, me = ours["clusters"][0]["cluster"], ours["users"][0]["user"]
    cluster = {key: there[key] for key in ("server", CA)}
    user = {key: me[key] for key in ("client-certificate-data", "client-key-data")}
    found = ask(build(cluster, user, namespace=namespace))
    assert HELLO in found, f"server, CA and client certificate of our file do not lead to helloworld: {found}"
    return SimpleNamespace(cluster=cluster, user=user)


@pytest.fixture(scope="module")
def look(facts, ask, namespace):
    """Asks with the facts of our own file, some of them exchanged."""
    ours = partial(build, namespace=namespace)
    return lambda cluster=(), user=facts.user, **more: ask(ours({**facts.cluster, **dict(cluster)}, user), **more)


@pytest.fixture(scope="module")
def curl(facts, namespace):
    """Asks from another place, where there is no kubectl; by the CA of our file the server is known there too."""
    trust = f"echo {facts.cluster[CA]} | base64 -d | curl -sS -m 10 --cacert /dev/stdin"
    path = f"api/v1/namespaces/{namespace}"
    return lambda place, host, what, header="": place.run(f"{trust} {header} https://{host}/{path}/{what} 2>&1").stdout


def test_three_facts_are_enough(look):
    """Where the server is, by which CA it is known, and a client certificate: with these three kubectl is at work.

    `kubectl config view` shows the file; --raw shows what is left out otherwise.
    """
    for missing in ("server", CA):
        assert HELLO not in look({missing: ""}), f"kubectl does as well without {missing}"


def test_a_wrong_server_is_a_connection_error(look):
    """With a wrong server there is no connection: kubectl reaches nobody who could say yes or no.

    Is the port right, is the machine up? The error names the address that was tried.
    """
    answer = look({"server": NOBODY_LISTENS})
    assert "refused" in answer, f"where nobody listens kubectl says: {answer}"


def test_a_wrong_ca_is_a_certificate_error(look, kubectl):
    """With the CA of somebody else, or under a name that the server has not, kubectl breaks off: that is not the one.

    A cluster that was made anew under the same address has a new CA: an old file fails like this.
    """
    # A sound CA too: by it the API server proves who it is to servers that stand behind it.
    others = kubectl.json("get configmap extension-apiserver-authentication -n kube-system")["data"]
    answer = look({CA: base64.b64encode(others["requestheader-client-ca-file"].encode()).decode()})
    assert "unknown authority" in answer, f"with another CA kubectl says: {answer}"
    answer = look({"tls-server-name": "nobody.example"})
    assert "not nobody.example" in answer, f"called by another name, kubectl says: {answer}"


def test_credentials_that_nobody_issued_are_401(look):
    """With credentials that the cluster did not issue the answer is 401: the server does not know who that is.

    `kubectl -v 6 ...` shows the status of each answer. Tokens and certificates end one day, then it is the same.
    """
    answer = look(user={"token": "nobody-issued-this"})
    assert "You must be logged in to the server" in answer, f"with a token that nobody issued kubectl says: {answer}"


def test_without_credentials_you_are_anonymous(curl, pod):
    """Without any credentials you are system:anonymous to our API server, and that user may do next to nothing: 403.

    A server may refuse such requests altogether; then it is 401 here too.
    """
    answer = curl(pod, "kubernetes.default.svc", "pods")
    assert 'User \\"system:anonymous\\" cannot list' in answer, f"without credentials it says: {answer[:200]}"


def test_a_known_user_without_rights_is_403(look, kubectl, namespace):
    """The visitor is known by name, but may not list Pods: 403, and the message says who may not do what.

    Nothing is wrong with the file then: somebody has to give the user rights.
    """
    user = {"token": kubectl("create token visitor").strip()}
    name = f"system:serviceaccount:{namespace}:visitor"
    who, answer = look(user=user, command=WHOAMI), look(user=user)
    assert who == name, f"the visitor is not known: {who}"
    assert f'(Forbidden): pods is forbidden: User "{name}" cannot list' in answer, f"the visitor gets: {answer}"


def test_the_certificate_says_who_you_are(facts, look):
    """User and groups are nowhere else than in the client certificate: its CN is the name, its O are the groups.

    `openssl x509 -noout -subject` reads a certificate, `kubectl auth whoami` asks the server.
    """
    pem = base64.b64decode(facts.user["client-certificate-data"]).decode()
    read = ["openssl", "x509", "-noout", "-subject", "-nameopt", "multiline"]
    subject = subprocess.run(read, input=pem, capture_output=True, text=True, check=True).stdout
    names, groups = (re.findall(rf"{kind}Name\s+= (.+)", subject) for kind in ("common", "organization"))
    who = json.loads(look(command="auth whoami -o json"))["status"]["userInfo"]
    assert [who["username"]] == names, f"the certificate says {names}, the API server {who['username']}"
    assert set(groups) <= set(who["groups"]), f"the certificate says {groups}, the API server {who['groups']}"


def test_a_context_joins_cluster_user_and_namespace(facts, kubectl, ask, namespace):
    """A context joins a cluster, a user and a namespace; the current one counts where none is named.

    `kubectl config get-contexts` lists them, a star marks the current one.
    """
    config = build(facts.cluster, facts.user, namespace=namespace)
    config["users"].append({"name": "guest", "user": {"token": kubectl("create token visitor").strip()}})
    for name, user, place in (("guest", "guest", namespace), ("system", "me", "kube-system")):
        config["contexts"].append({"name": name, "context": {"cluster": "here", "user": user, "namespace": place}})
    here, system = ask(config), ask(config, "get pods -o name --context system")
    assert HELLO in here, f"the current context does not lead to this namespace: {here}"
    assert "kube-apiserver" in system, f"context system does not lead to kube-system: {system}"
    who = ask({**config, "current-context": "guest"}, WHOAMI)
    assert who.endswith(":visitor"), f"with guest as the current context you are {who}"


def test_one_ca_proves_it_from_everywhere(curl, kubectl, pod, outside):
    """The API server has another address for each place, and everywhere the CA of the file proves that it is the one.

    A Pod calls it kubernetes.default.svc; outside it is an address of a node. Its certificate holds them all.
    """
    uid = kubectl("get pod helloworld -o jsonpath={.metadata.uid}")
    header = f"-H 'Authorization: Bearer {kubectl('create token clerk').strip()}'"
    for place, host in ((pod, "kubernetes.default.svc"), (outside, f"{outside.cluster.api_address}:6443")):
        answer = curl(place, host, "pods/helloworld", header)
        assert uid in answer, f"from {place.name}, https://{host} says: {answer}"


@pytest.mark.usefixtures("facts")
def test_every_kubelet_has_a_kubeconfig_too(nodes):
    """Each kubelet has a kubeconfig of its own: with that of its node you are system:node: and the node's name.

    /etc/kubernetes/kubelet.conf. What the scheduler and the controllers log in with lies beside it.
    """
    ask = f'cache=$(mktemp -d); KUBECACHEDIR="$cache" kubectl --kubeconfig /etc/kubernetes/kubelet.conf {WHOAMI}'
    names = everywhere(lambda node: node.output(f'{ask}; rm -r "$cache"'), nodes)
    assert names == [f"system:node:{node.name}" for node in nodes], f"on the nodes one is {', '.join(names)}"


def test_your_own_file_stays_as_it_is(run, facts, ask, home, namespace):
    """kubectl changes the file that KUBECONFIG names and no other: yours, in ~/.kube/config, stays as it is.

    Without KUBECONFIG it is read and changed: that is why `invoke shell` sets it.
    """
    own, copy = home / ".kube" / "config", home / "copy"
    own.parent.mkdir()
    own.write_text(json.dumps(build({"server": NOBODY_LISTENS}, {"token": "none"})))
    copy.write_text(json.dumps(build(facts.cluster, facts.user)))
    others = [own, kubeconfig(run.cluster), Path.home() / ".kube" / "config"]
    before = {path: path.read_bytes() for path in others if path.exists()}
    ask("", f"config set-context --current --namespace {namespace}", KUBECONFIG=str(copy))
    found = ask("", KUBECONFIG=str(copy))
    assert HELLO in found, f"kubectl does not change and follow the file that KUBECONFIG names: {found}"
    found = ask("", KUBECONFIG="")
    assert "refused" in found, f"without KUBECONFIG, ~/.kube/config is not read: {found}"
    after = {path: path.read_bytes() for path in others if path.exists()}
    assert after == before, f"one of these was changed on the way: {', '.join(map(str, others))}"


@pytest.fixture(scope="module")
def theirs(kubectl):
    """The file that the learner has handed over."""
    found = base64.b64decode(kubectl.run("get secret clerk -o jsonpath={.data.config}").stdout)
    assert found, "there is no Secret clerk with a key config"
    return found.decode()


@pytest.mark.task
def test_your_file_believes_only_this_cluster(theirs, ask):
    """Your file knows this cluster, and believes no server that cannot prove to be it.

    Server and CA stand in our own file. A file that skips the proof works as well, and hands its token to anybody.
    """
    answer = ask(theirs, "version")
    assert "Server Version" in answer, f"with your file kubectl says: {answer}"
    answer = ask(re.sub(r"certificate-authority\b", "not-known", theirs), WHOAMI)
    assert "unknown authority" in answer, f"without the CA it takes any server for the right one: {answer}"


@pytest.mark.task
def test_your_file_logs_in_as_the_clerk(theirs, ask, namespace):
    """With your file one is the ServiceAccount clerk, and nobody more powerful.

    `kubectl auth whoami --kubeconfig FILE`. `kubectl create token` asks for a token.
    """
    who = ask(theirs, WHOAMI)
    assert who == f"system:serviceaccount:{namespace}:clerk", f"with your file one is: {who}"


@pytest.mark.task
def test_your_file_begins_in_this_namespace(theirs, ask):
    """With your file `kubectl get pods` shows the Pods of this lab, without naming a namespace.

    The namespace belongs to the context: `kubectl config set-context --help`.
    """
    found = ask(theirs)
    assert HELLO in found, f"with your file `kubectl get pods` shows: {found}"
