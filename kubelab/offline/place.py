"""A place without a network: inside of `unshare --net --mount --pid`, so that it goes when its first process ends."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from kubelab.offline.recorder import NAMES_PORT, TCP_PORT, UDP_PORT
from kubelab.paths import common

NAME_SERVER = "198.51.100.2"
"""The recorder: this place's own address, of a range that belongs to nobody."""
LINKS = f"""
ip link set lo up
ip link add out0 type veth peer name out1
ip link set out0 up
ip link set out1 up
ip address add {NAME_SERVER}/24 dev out0
ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev out0
ip route add default via 198.51.100.1
ip -6 address add 2001:db8:6b::2/64 dev out0 nodad
ip -6 neigh add 2001:db8:6b::1 lladdr 02:00:00:00:00:01 dev out0
ip -6 route add default via 2001:db8:6b::1
"""
CLUSTERS = common("network").values()
HERE = {
    # Beside the ranges of clusters those of Docker's own networks, and what never leaves a link.
    "iptables": ["127.0.0.0/8", NAME_SERVER, *CLUSTERS, "172.16.0.0/12", "169.254.0.0/16", "224.0.0.0/3"],
    "ip6tables": ["::1", "fc00::/7", "fe80::/10", "ff00::/8"],
}
TO_THE_RECORDER = [
    ["-p", "udp", "--dport", "53", "-j", "REDIRECT", "--to-ports", str(NAMES_PORT)],
    ["-p", "tcp", "-j", "REDIRECT", "--to-ports", str(TCP_PORT)],
    ["-p", "udp", "-j", "REDIRECT", "--to-ports", str(UDP_PORT)],
]


def make(folder: Path) -> None:
    """Makes a way out that ends here, hides this machine's engine, and gives room for another."""
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    for line in LINKS.strip().splitlines():
        _run(*line.split())
    for tables, here in HERE.items():
        _rules(tables, here)
    # A new engine keeps its things here, and its log.
    for kept in ("/var/lib/docker", "/var/log"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        room = folder / Path(kept).name
        room.mkdir(exist_ok=True)
        _run("mount", "--bind", str(room), kept)
    _resolve(folder / "resolv.conf")


def _rules(tables: str, here: list[str]) -> None:
    nat, last = ([tables, "--wait", "--table", table] for table in ("nat", "mangle"))
    _run(*nat, "--new-chain", "KUBELAB")
    _run(*nat, "--append", "KUBELAB", "--destination", ",".join(here), "-j", "RETURN")
    for rule in TO_THE_RECORDER:
        _run(*nat, "--append", "KUBELAB", *rule)
    for chain in ("OUTPUT", "PREROUTING"):
        _run(*nat, "--insert", chain, "-j", "KUBELAB")
    _run(*last, "--append", "POSTROUTING", "--out-interface", "out0", "--destination", ",".join(here), "-j", "RETURN")
    _run(*last, "--append", "POSTROUTING", "--out-interface", "out0", "-j", "DROP")


def _resolve(new: Path) -> None:
    """The file may be a link into /run, which is empty here."""
    file = Path(os.path.realpath("/etc/resolv.conf"))
    new.write_text(f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:1\n")
    if file.is_relative_to("/run"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(new.read_text())
    else:
        _run("mount", "--bind", str(new), str(file))


def dropped() -> list[str]:
    """Returns how much was to leave that is neither TCP nor UDP: it cannot be led to the recorder, only counted."""
    found = []
    for tables in HERE:
        words = [tables, "--wait", "--table", "mangle", "--list", "POSTROUTING", "--verbose", "--numeric", "--exact"]
        listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        if packets := sum(map(int, re.findall(r"^ *(\d+) +\d+ +DROP ", listed, re.MULTILINE))):
            found.append(f"{packets} packets, counted by {tables}")
    return found


def _run(*words: str) -> None:
    subprocess.run(words, check=True)
