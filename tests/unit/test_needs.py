"""What a lab needs and does not find is said in a sentence."""

from __future__ import annotations

from kubelab import needs
from kubelab.catalogue import Needs


def test_a_program_that_this_machine_does_not_have_is_named() -> None:
    assert needs.unmet(Needs(programs=["sh"]), "none") == []
    missing = "the lab types no-such-program, which this machine does not have"
    assert needs.unmet(Needs(programs=["sh", "no-such-program"]), "none") == [missing]
