"""Lab rbac: a user is a certificate, and may do what a Role allows that somebody has bound to it."""

import base64
import secrets
import time

import pytest

HELLO = "pod/helloworld"
LIST = "get pods -o name"
NOT_KNOWN = "You must be logged in to the server"


@pytest.fixture(scope="module")
def alice(office):
    """The kubeconfig of alice from team-a: the cluster's CA has signed her certificate."""
    return office.issue("alice", "team-a")


@pytest.fixture
def sees(office, alice):
    """alice's file, once it is sure that with it the Pods are seen: what is refused then is not refused to all."""
    answer = office.ask(alice, LIST)
    assert HELLO in answer, f"alice cannot even list the Pods: {answer}"
    return alice


def test_the_certificate_says_who_it_is(office, alice):
    """Who shows a certificate with CN alice and O team-a is user alice of group team-a; no object of that name exists.

    `kubectl auth whoami` asks the API server for whom it takes you.
    """
    who = office.whoami(alice)
    assert who["username"] == "alice", f"the API server takes her for {who['username']}"
    assert "team-a" in who["groups"], f"her groups are {', '.join(who['groups'])}"


def test_only_an_approved_request_is_signed(office):
    """A request alone brings no certificate: it is signed when an administrator has approved it.

    `kubectl get csr` shows Pending, Approved and Issued.
    """
    waiting, other = office.submit(office.apply("eve")), office.submit(office.apply("dave"))
    assert office.approve(other), "the approved one is not signed"
    assert not office.certificate(waiting), "the request of eve was signed, and nobody has approved it"


def test_nobody_asks_for_the_group_of_masters(office):
    """A request for the group system:masters, which may do everything whatever Roles say, is not even taken.

    The API server reads what is in a request.
    """
    said = office.submit(office.apply("mallory", "system:masters"))
    assert "system:masters" in said, f"it was taken: {said}"


def test_a_binding_makes_the_difference(office, kubectl, eventually):
    """Known is not allowed: 403 before there is a binding, an answer with it, and 403 again when it is gone.

    `kubectl auth can-i list pods` asks without doing it.
    """
    name = f"newcomer-{secrets.token_hex(2)}"
    file = office.issue(name)
    assert office.whoami(file)["username"] == name, "the newcomer is not known"
    office.must_refuse(file, name, LIST)
    kubectl(f"create rolebinding {name} --role pod-reader --user {name}")
    try:
        answer = eventually(lambda: office.ask(file, LIST), lambda seen: HELLO in seen, seconds=5)
        assert HELLO in answer, f"bound to pod-reader, the newcomer still gets: {answer}"
    finally:
        kubectl(f"delete rolebinding {name}")
    answer = eventually(lambda: office.ask(file, LIST), lambda seen: "(Forbidden)" in seen, seconds=5)
    assert "(Forbidden)" in answer, "the binding is gone, and the newcomer still sees the Pods"


def test_alice_may_list_pods(office, alice):
    """alice may list the Pods of this namespace: the Role pod-reader allows it, and a RoleBinding names her.

    `kubectl describe rolebinding alice-reads-pods`.
    """
    answer = office.ask(alice, LIST)
    assert HELLO in answer, f"she sees: {answer}"


def test_alice_may_not_delete_them(office, sees):
    """alice may not delete a Pod: what no Role allows is refused, there is no rule that forbids.

    The verbs of the Role say what is allowed: `kubectl describe role pod-reader`.
    """
    office.must_refuse(sees, "alice", "delete pod helloworld --dry-run=server")


def test_alice_may_not_read_secrets(office, sees):
    """alice may not read a Secret of the same namespace: the Role names Pods, and nothing else.

    The resources of the Role say with what: `kubectl describe role pod-reader`.
    """
    office.must_refuse(sees, "alice", "get secret treasure", "get secrets")


def test_alice_may_nothing_elsewhere(office, sees):
    """alice may not list Pods of another namespace, nor nodes, which lie in none: a RoleBinding counts where it is.

    A ClusterRoleBinding counts everywhere: `kubectl get clusterrolebindings -o wide` says who has one.
    """
    office.must_refuse(sees, "alice", f"{LIST} -n kube-system", "get nodes")


def test_alice_cannot_give_herself_more(office, sees):
    """alice may not bind herself to more: making RoleBindings is a right like any other.

    And who has it may give only what he has himself.
    """
    office.must_refuse(sees, "alice", "create rolebinding more --clusterrole admin --user alice --dry-run=server")


def test_a_group_can_be_bound(office):
    """A binding to the group team-b is enough for carol, whose certificate says team-b; without it she gets 403.

    In the RoleBinding the kind of the subject is Group: `kubectl describe rolebinding team-b-reads-pods`.
    """
    office.must_refuse(office.issue("carol", "team-c"), "carol of team-c", LIST)
    answer = office.ask(office.issue("carol", "team-b"), LIST)
    assert HELLO in answer, f"carol of team-b gets: {answer}"


def test_an_expired_certificate_is_401(office, nodes):
    """A certificate that has expired is worth nothing: 401, although the cluster's own CA has signed it.

    `openssl x509 -noout -enddate` tells the end. The same, signed in the same way, with an end to come is accepted.
    """
    if nodes[0].run("command -v openssl").rc:
        pytest.skip(f"{nodes[0].name} has no openssl to sign with")
    request = office.apply("alice", "team-a")

    def answer(hours):
        return office.ask(office.file("alice", office.sign_on(nodes[0], request, hours)), LIST)

    control, expired = answer(1), answer(-1)
    assert HELLO in control, f"one that ends in an hour is not accepted either: {control}"
    assert NOT_KNOWN in expired, f"one that ended an hour ago gets: {expired}"


def test_another_authority_is_401(office, sees):
    """A certificate that says alice and that another CA has signed is worth nothing either: 401.

    Anybody can write a certificate. What counts is the signature.
    """
    answer = office.ask(office.file("alice", office.apply("alice", "team-a", more="-x509 -days 1")), LIST)
    assert NOT_KNOWN in answer, f"signed by herself, she gets: {answer}"


def test_to_delete_the_request_revokes_nothing(office, kubectl):
    """The certificate outlives its request: Kubernetes cannot revoke one, it ends by itself after the time asked for.

    So ask for short ones (600 seconds is the least), and take a right away by deleting the binding.
    """
    name = office.submit(office.apply("alice"), seconds=600)
    certificate = office.approve(name)
    kubectl(f"delete csr {name}")
    left = office.end(certificate) - time.time()
    assert 0 < left < 660, f"ten minutes were asked for, and it is good for {left:.0f} s"
    answer = office.ask(office.file("alice", certificate), LIST)
    assert HELLO in answer, f"the request was deleted, and then alice gets: {answer}"


@pytest.fixture(scope="module")
def bob(kubectl):
    """The file that the learner has handed over."""
    found = base64.b64decode(kubectl.run("get secret bob -o jsonpath={.data.config}").stdout)
    assert found, "there is no Secret bob with a key config"
    return found.decode()


@pytest.mark.task
def test_your_bob_has_a_certificate(office, bob):
    """With your file one is user bob of group team-a, by a certificate and not by a token.

    `kubectl auth whoami --kubeconfig FILE`. A ServiceAccount is meant for programs, and has another name.
    """
    who = office.whoami(bob)
    assert who["username"] == "bob", f"with your file one is {who['username']}"
    assert "team-a" in who["groups"], f"bob's groups are {', '.join(who['groups'])}"


@pytest.mark.task
def test_your_bob_reads_logs(office, bob):
    """bob may read the log of Pod helloworld.

    What was refused? The message names verb and resource; a log is a resource of its own, pods/log.
    """
    answer = office.ask(bob, "logs helloworld")
    assert "Server listening" in answer, f"bob gets: {answer}"


@pytest.mark.task
def test_your_bob_may_nothing_else(office, bob):
    """bob may delete no Pod, read no Secret and see nothing of another namespace.

    `kubectl auth can-i --list --kubeconfig FILE` lists what he may.
    """
    answer = office.ask(bob, "logs helloworld")
    assert "Server listening" in answer, f"bob may not even read the log: {answer}"
    office.must_refuse(
        bob, "bob", "delete pod helloworld --dry-run=server", "get secret treasure", f"{LIST} -n kube-system"
    )
