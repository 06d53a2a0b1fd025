"""What counts as left on a node: the question is put to a stand-in for nft."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from kubelab.leftovers import NODE_QUESTIONS, nameless, pod_addresses

BEFORE = """table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
	}
}
"""
# What the network's plugin keeps once any Pod has had a port of its node.
KEPT = """table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local counter jump CNI-HOSTPORT-DNAT
	}

	chain CNI-HOSTPORT-SETMARK {
		counter meta mark set mark or 0x2000
	}
}
"""
OF_A_POD = KEPT.replace(
    "}\n}\n", "}\n\n\tchain CNI-DN-0123 {\n\t\ttcp dport 8080 counter dnat to 10.244.1.2:8080\n\t}\n}\n"
)


def rules(tmp_path: Path, printed: str) -> list[str]:
    # A machine may have ctr without a containerd, and ctr waits for one.
    for name, text in {"nft": f"cat <<'END'\n{printed}END", "ctr": "exit 1"}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", NODE_QUESTIONS], env=env, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith("rule")]


def test_what_the_plugin_keeps_for_ports_of_nodes_is_not_left_by_a_lab(tmp_path: Path) -> None:
    assert rules(tmp_path, KEPT) == rules(tmp_path, BEFORE) != []


def test_what_it_made_for_one_pod_is(tmp_path: Path) -> None:
    left = set(rules(tmp_path, OF_A_POD)) - set(rules(tmp_path, BEFORE))
    assert left == {"rule chain CNI-DN-0123 {", "rule tcp dport 8080 counter dnat to 10.244.1.2:8080"}


def test_a_chain_that_was_emptied_is_not(tmp_path: Path) -> None:
    emptied = BEFORE.replace("}\n}\n", "}\n\n\tchain service-ABC-lab/web/tcp/ {\n\t}\n}\n")
    assert rules(tmp_path, emptied) == rules(tmp_path, BEFORE)


def pod(address: str, name: str = "dns-1", **spec: bool) -> dict[str, Any]:
    metadata = {"name": name, "generateName": "dns-", "namespace": "a"}
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"podIP": address}}


def test_a_pod_that_stays_may_get_another_address() -> None:
    """Its node was switched off and on again."""
    before, after = pod_addresses([pod("10.244.1.9")]), pod_addresses([pod("10.244.1.12")])
    seen = [nameless("rule 0 : 10.244.1.9 . 53", before), nameless("rule 0 : 10.244.1.12 . 53", after)]
    assert seen == ["rule 0 : Pod a/dns- . 53"] * 2
    assert nameless("link veth814ec329", before) == nameless("link veth00c0ffee", after)


def test_an_address_of_nobody_is_left_as_it_is() -> None:
    """So is that of a node, which its own Pods share."""
    owners = pod_addresses([pod("172.30.0.2", hostNetwork=True), pod("10.244.1.1")])
    for line in ("rule dnat to 10.244.1.12:80", "route 172.30.0.2", "rule version 110.244.1.1"):
        assert nameless(line, owners) == line
