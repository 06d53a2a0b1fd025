"""Whoever tries to reach a network is seen, and named."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubelab.errors import Refusal
from kubelab.offline import place, proof, recorder
from kubelab.offline.asker import asker
from kubelab.offline.recorder import Attempt, Recorder

QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + b"\7mirrors\7example\0" + struct.pack("!HH", 28, 1)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    for name in ("NAMES_PORT", "TCP_PORT", "UDP_PORT"):
        monkeypatch.setattr(recorder, name, free_port())
    return Recorder(lambda _: None)


def wait_for(heard: Recorder, number: int) -> None:
    deadline = time.monotonic() + 20
    while len(heard.attempts) < number and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(heard.attempts) == number


def test_a_name_is_refused_and_who_asked_is_named(heard: Recorder) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.sendto(QUERY, ("127.0.0.1", recorder.NAMES_PORT))
        answer = client.recv(512)
    assert answer[:2] == QUERY[:2]
    assert answer[3] & 0xF == 3, "no such name"
    assert answer[12:] == QUERY[12:]
    (attempt,) = heard.attempts
    assert attempt.what == "looks up mirrors.example AAAA"
    assert "python" in attempt.who


def test_a_connection_is_ended_and_who_began_it_is_named(heard: Recorder) -> None:
    words = f"import socket; socket.create_connection(('127.0.0.1', {recorder.TCP_PORT}), 20).recv(1)"
    subprocess.run([sys.executable, "-c", words], check=True)
    wait_for(heard, 1)
    assert heard.attempts[0].what.startswith("connects to ")
    assert words[:20] in heard.attempts[0].who


def test_what_is_no_question_does_not_end_the_recorder(heard: Recorder) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"\0" * 12, ("127.0.0.1", recorder.NAMES_PORT))
        client.sendto(QUERY, ("127.0.0.1", recorder.NAMES_PORT))
        client.sendto(b"x", ("127.0.0.1", recorder.UDP_PORT))
        wait_for(heard, 3)
    assert "asks a name server what cannot be read" in {attempt.what for attempt in heard.attempts}


def test_nobody_is_named_for_a_port_that_nobody_holds() -> None:
    assert asker(free_port()) == ""


@pytest.mark.parametrize(
    ("attempt", "usual"),
    [
        (Attempt("looks up 4321.8765 HINFO", "/usr/sbin/dockerd"), True),
        (Attempt("looks up neighbour AAAA", "/usr/sbin/dockerd"), True),
        (Attempt("looks up neighbour A", "a program that has ended, at 172.30.0.5"), True),
        (Attempt("looks up neighbour A", "pip install"), False),
        (Attempt("looks up  NS", "a program that has ended, at 172.30.0.5"), True),
        (Attempt("looks up  NS", "coredns -conf /etc/coredns/Corefile on coredns-559f6c778d-mg5qk"), True),
        (Attempt("looks up host.docker.internal A", "/usr/sbin/dockerd"), True),
        (Attempt("looks up web.lab-x.svc.cluster.local AAAA", "a program that has ended, at 172.30.0.4"), True),
        (Attempt("looks up gcr.io A", "/usr/bin/kubelet --config=/var/lib on kubelab-kind-worker"), True),
        (Attempt("looks up gcr.io A", "pip install"), False),
        (Attempt("looks up gcr.io A", "a program that has ended, at 198.51.100.2"), False),
        (Attempt("looks up registry.example A", "/usr/sbin/dockerd"), False),
        (Attempt("looks up registry.company.example A", "/usr/sbin/dockerd"), True),
        (Attempt("looks up registry.company.example AAAA", "docker pull registry.company.example/kubelab/node"), True),
        (Attempt("looks up registry.company.example A", "/usr/bin/containerd on kubelab-kind-worker"), False),
        (Attempt("looks up registry.company.example A", "pip install"), False),
        (Attempt("connects to 203.0.113.1:443", "/usr/sbin/dockerd"), False),
    ],
)
def test_only_what_a_cluster_always_asks_is_usual(attempt: Attempt, usual: bool) -> None:
    assert bool(attempt.why_usual) == usual


def test_one_attempt_is_enough_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    usual, tries = Attempt("looks up 1.2 HINFO", "dockerd"), Attempt("connects to 203.0.113.1:443", "pip on worker")
    assert proof._judged([usual], []) == 0
    assert "nothing was looked up or connected to elsewhere" in capsys.readouterr().out
    assert proof._judged([tries, usual, tries], []) == 1
    assert "wrong: connects to 203.0.113.1:443: pip on worker (2 times)\n" in capsys.readouterr().out
    assert proof._judged([], ["./invoke up ended with 2"]) == 1


def test_a_recorder_that_does_not_notice_is_noticed(heard: Recorder) -> None:
    """What a program does whose name does not tell that it is the control stays in the list."""
    heard.attempts = [Attempt("one", f"control {proof.CONTROL}"), Attempt("two", "pip")]
    assert proof._noticed(heard, [sys.executable, "-c"], "", {"one"}) == []
    assert heard.attempts == [Attempt("two", "pip")]
    wrong = proof._noticed(heard, [sys.executable, "-c"], "", {"one"})
    assert wrong == ["the recorder did not notice what the control did: one"]


def test_what_was_dropped_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "Chain POSTROUTING\n  7 80 RETURN 0 -- * out0\n   3   252 DROP   0    --  *  out0  0.0.0.0/0  0.0.0.0/0\n"
    done = subprocess.CompletedProcess([], 0, stdout=listed)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: done)
    assert place.dropped() == [f"{3} packets, counted by {tables}" for tables in place.HERE]


def test_the_other_machine_knows_no_mirror_and_no_cache_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_INDEX_URL", "XDG_CACHE_HOME", "DOCKER_HOST", "GOPROXY", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "here")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin")
    fresh = proof._fresh(tmp_path)
    assert "here" not in fresh.values()
    assert (fresh["PATH"], fresh["HOME"]) == ("/usr/bin", str(tmp_path / "home"))


def test_without_root_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Refusal, match="found:  an account that is not root"):
        proof.alone(tmp_path / "bundle", company=False)
