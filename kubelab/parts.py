"""The parts of the test suite, for `invoke test --only=`. Kept apart: help shows them without reading the rest.

A part that bears the name of a folder in molecule/ is that scenario.
"""

PARTS = {
    "lint": "the linters",
    "unit": "the unit tests",
    "roles": "Molecule scenarios of roles that can be tried without a cluster",
    "registry": "Molecule scenario of a registry that has the node image: pulled, refused, slow, dying",
    "hosts": "Molecule scenario of a cluster on machines with SSH: up, labs, a reboot, down",
    "hosts-slow": "the same with the labs that take minutes",
    "cluster": "up, up again without a change, stopped and started, down, nothing left",
    "labs": "all labs, as a learner sets them up and checks them, and the role behind that",
    "prove": "the checks of the labs are checked, but for those that take long",
    "prove-slow": "the checks of the other labs: each takes six to twenty minutes",
    "new-lab": "a lab that somebody adds",
    "prove-cluster": "the checks of the cluster are checked",
    "kind": "Molecule scenario of a cluster by kind",
    "faults": "Molecule scenario of all that may go wrong while machines become a cluster",
    "upgrade": "Molecule scenario of a cluster that moves to a newer Kubernetes while it is used",
    "company": "pip, uv, Go, apt and a cluster where only a proxy leads out, with its authority and without",
    "offline": "a bundle, and from it up, all labs and down where there is no network and whoever tries is seen",
    "offline-registry": "the same from a registry of ours instead of a bundle",
    "vm": "Molecule scenario of a cluster of virtual machines: three quarters of an hour where they are emulated",
}
FAST = ("lint", "unit")
ON_REQUEST = {"company", "faults", "hosts-slow", "kind", "offline", "offline-registry", "prove-slow", "upgrade", "vm"}
"""Run only when they are named: `cluster` shows the same as kind, and the others take long."""
