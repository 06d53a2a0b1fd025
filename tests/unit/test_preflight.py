"""What speaks against a machine as a node: each refusal for what it should refuse, and none for a good machine."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from kubelab.paths import ROOT
from plugins.filter import preflight

WANTED: dict[str, Any] = {
    "control_planes": ["one"],
    "workers": ["two"],
    "outside": ["visitor"],
    "addresses": {"one": "192.168.1.11", "two": "192.168.1.12", "visitor": "192.168.1.14"},
    "mark": "ours",
    "architecture": "x86_64",
    "memory": {"control_plane": 1700, "worker": 700},
    "disk": 4000,
    "clock": 5,
    "pods": "10.244.0.0/16",
    "services": "10.96.0.0/16",
    "pool": "192.168.1.200-192.168.1.220",
}
LOOK = """
clock=1000.5
asked=1000.0
user=0
os=ubuntu debian
apt=/usr/bin/apt-get
python=/usr/bin/python3
curl=/usr/bin/curl
systemd=yes
architecture=x86_64
kernel=6.12.1-amd64
memory=2000
disk=9000
cgroup=2
controllers=cpu memory
overlay=nodev overlay
id=NAME
nameservers=127.0.0.53 192.168.1.1
addresses=127.0.0.1/8 ADDRESS/24
routes=default 192.168.1.0/24
ports=22 111
mark=
"""


def said(name: str, **other: str) -> preflight.Facts:
    """What machine `name` would say, with some answers replaced; `foreign` and the like may be added."""
    text = LOOK.replace("NAME", name).replace("ADDRESS", WANTED["addresses"][name])
    if name == "visitor":
        text = text.replace("default ", "")
    lines = [line for line in text.splitlines() if line.partition("=")[0] not in other]
    return preflight.machine_facts("\r\n".join([*lines, *(f"{key}={value}" for key, value in other.items())]))


def refused(**machines: preflight.Facts) -> str:
    good = {name: said(name) for name in WANTED["addresses"]}
    return "\n".join(preflight.machine_problems({**good, **machines}, WANTED))


def test_good_machines_are_not_refused() -> None:
    assert refused() == ""


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"user": "1000"}, "no right to become root without a password"),
        ({"clock": "880"}, "its clock is off by -120 s"),
        ({"clock": "1006"}, "its clock is off by +6 s"),
        ({"os": "fedora"}, "the system fedora"),
        ({"python": ""}, "no python3"),
        ({"systemd": ""}, "no systemd"),
        ({"architecture": "aarch64"}, "the architecture aarch64"),
        ({"kernel": "5.10.0-8-amd64"}, "Linux 5.10.0-8-amd64"),
        ({"memory": "600"}, "600 MiB of memory"),
        ({"disk": "3999"}, "3999 MiB free in /var/lib"),
        ({"cgroup": "1"}, "no cgroup cpuset, pids"),
        ({"overlay": ""}, "a kernel without overlayfs"),
        ({"nameservers": "127.0.0.53"}, "no name server but itself (127.0.0.53)"),
        ({"addresses": "172.16.5.1/24"}, "192.168.1.12 is none of its addresses"),
        ({"routes": "default 10.244.3.0/24"}, "a route or address in the range of pods 10.244.0.0/16: 10.244.3.0/24"),
        ({"routes": "10.96.8.0/22"}, "a route or address in the range of services 10.96.0.0/16: 10.96.8.0/22"),
        ({"ports": "22 10250"}, "something listens on port 10250"),
        ({"mark": "theirs"}, "a node of another cluster of kubelab (theirs)"),
        ({"foreign": "/usr/bin/dockerd"}, "there already: /usr/bin/dockerd"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_worker_is_refused(answer: dict[str, str], found: str) -> None:
    text = refused(two=said("two", **answer))
    assert f"found:  two: {found}" in text
    assert text.count("found:") == text.count("needed:") == text.count("change:") == 1


def test_what_a_control_plane_needs_more_is_asked_of_it_alone() -> None:
    assert "one: something listens on port 6443" in refused(one=said("one", ports="6443"))
    assert refused(two=said("two", ports="6443", memory="800")) == ""


def test_a_node_of_ours_is_not_refused_for_being_one() -> None:
    assert refused(two=said("two", mark="ours", ports="10250", foreign="/etc/kubernetes")) == ""


def test_the_machine_outside_may_not_have_a_way_out() -> None:
    assert "visitor: a default route on the machine outside" in refused(visitor=said("visitor", routes="default"))
    assert "visitor: no program curl" in refused(visitor=said("visitor", curl=""))


def test_the_same_refusal_is_said_once_for_all() -> None:
    text = refused(one=said("one", systemd=""), two=said("two", systemd=""))
    assert "found:  one, two: no systemd" in text
    assert text.count("found:") == 1


def test_two_names_for_one_machine_are_refused() -> None:
    assert "one, two have the same machine id one" in refused(two=said("two", id="one"))


def test_a_machine_in_the_pool_is_refused() -> None:
    wanted = {**WANTED, "pool": "192.168.1.12-192.168.1.13"}
    assert "two has an address in the pool" in preflight.machine_problems({"two": said("two")}, wanted)[0]


def looked() -> dict[str, Any]:
    script = (ROOT / "roles/machine_preflight/files/look").read_text()
    done = subprocess.run(["sh", "-c", f"set -- 1.5\n{script}"], capture_output=True, text=True, check=False)
    return preflight.machine_facts(done.stdout)


def test_look_runs_in_any_shell_and_says_what_is_read() -> None:
    """On this machine: every key that the refusals read is there."""
    facts = looked()
    assert facts["asked"] == "1.5"
    assert float(facts["clock"]) > 1e9
    assert not [line.partition("=")[0] for line in LOOK.split() if "=" in line and line.partition("=")[0] not in facts]


def test_reach_takes_only_an_answer_with_the_token() -> None:
    script = ROOT / "roles/machine_preflight/files/reach.py"
    ports = ["tcp/45871", "udp/45872"]

    def reach(*words: str) -> str:
        return subprocess.run(["python3", str(script), *words], capture_output=True, text=True, check=True).stdout

    asked = [f"{port}/127.0.0.1" for port in ports]
    assert reach("ask", "token", *asked).split() == asked
    reach("listen", "token", *ports)
    assert reach("ask", "token", *asked).split() == []
    assert reach("ask", "other", *asked).split() == asked
    reach("listen", "other", *ports)
    assert reach("ask", "other", *asked).split() == []
    assert not {"45871"} & set(looked()["ports"]), "a port on which this still listens is free for who comes next"


def test_every_other_new_machine_is_asked_on_the_ports_that_it_will_have() -> None:
    machines = {"one": said("one"), "two": said("two", mark="ours"), "visitor": said("visitor")}
    assert preflight.asked_ports("two", machines, WANTED) == [
        "udp/8472/192.168.1.11",
        "tcp/10250/192.168.1.11",
        "tcp/6443/192.168.1.11",
    ]
    assert preflight.asked_ports("one", machines, WANTED) == []


def test_silence_is_told_by_names() -> None:
    one, two = WANTED["addresses"]["one"], WANTED["addresses"]["two"]
    printed = f"udp/8472/{one} tcp/10250/{two} tcp/6443/{one}"
    assert preflight.silent_ports(printed, WANTED) == "one on udp 8472, tcp 6443; two on tcp 10250"
