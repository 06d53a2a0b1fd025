"""What counts as left on a node: the question is put to a stand-in for nft."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kubelab.leftovers import NODE_QUESTIONS

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
    program = tmp_path / "nft"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}END\n")
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
