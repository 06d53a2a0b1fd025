"""The parts of the test suite, for `invoke test --only=`. Kept apart: help shows them without reading the rest."""

PARTS = {
    "lint": "the linters",
    "unit": "the unit tests",
    "roles": "a Molecule scenario for each role that can be tried by itself",
    "cluster": "up, up again without a change, stopped and started, down, nothing left",
    "labs": "all labs, as a learner sets them up and checks them, and the role behind that",
    "prove": "the checks of all labs are checked",
    "new-lab": "a lab that somebody adds",
    "prove-cluster": "the checks of the cluster are checked",
    "hosts": "a cluster of machines reached by SSH, from up to down, by Molecule",
    "kind": "the roles of a whole cluster, by Molecule",
}
FAST = ("lint", "unit")
ON_REQUEST = {"kind"}
"""Runs only when it is named: `cluster` shows the same."""
