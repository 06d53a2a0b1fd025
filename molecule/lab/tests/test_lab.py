"""The role lab: a lab stands, in every state that its folder holds, and goes without a trace."""

import os
import subprocess

import pytest

from kubelab.kubectl import environment
from kubelab.paths import state_dir

CLUSTER = os.environ.get("MOLECULE_LAB_CLUSTER") or "molecule-lab"
SAID = "--namespace lab-ground get configmap said --output jsonpath={.data.by}"
OBJECTS = [
    "get namespace lab-ground",
    "--namespace lab-ground get pod probe",
    "--namespace lab-ground get configmap said",
    "get priorityclass lab-ground",
]


def kubectl(words):
    """What it says; '' for what is not there."""
    words = ["kubectl", *words.split(), "--ignore-not-found"]
    return subprocess.run(words, env=environment(CLUSTER), capture_output=True, text=True, check=True).stdout


def file(name):
    return (state_dir(CLUSTER) / name).exists()


@pytest.fixture
def changes(converge):
    """Converges to another state of the lab; says how many tasks changed something."""

    def run(**values):
        done = converge(**values)
        assert done.returncode == 0, done.stdout
        return int(done.stdout.rpartition("changed=")[2].split()[0])

    return run


@pytest.mark.parametrize("words", OBJECTS)
def test_its_objects_exist(words):
    """Those of the lab, the Pod to look from, and what lies in no namespace."""
    assert kubectl(words)


def test_what_no_manifest_can_do_is_done():
    """prepare.yml has run."""
    assert file("prepared")


@pytest.mark.again
def test_the_solution_replaces_what_was_given(changes):
    """An object of the same kind and name counts once."""
    changes()
    assert kubectl(SAID) == "the lab"
    changes(lab_overlay="solution")
    assert kubectl(SAID) == "the learner"
    assert kubectl(SAID.replace("by", "more")) == "once it was there"


@pytest.mark.again
def test_a_fault_comes_and_goes(changes):
    """With its objects and with what it did elsewhere; the lab itself stays."""
    changes(lab_fault="added")
    assert kubectl("--namespace lab-ground get configmap added")
    assert file("broken")
    changes(lab_undo="added")
    assert not kubectl("--namespace lab-ground get configmap added")
    assert not file("broken")
    assert kubectl(SAID) == "the lab"


@pytest.mark.again
def test_nothing_is_left_of_it_and_twice_is_fine(changes):
    """Nor of a fault that was in force."""
    changes(lab_fault="added")
    assert changes(lab_state="absent") > 0
    assert not [words for words in OBJECTS if kubectl(words)]
    assert not file("prepared")
    assert not file("broken")
    assert changes(lab_state="absent") == 0
    changes()


@pytest.mark.again
@pytest.mark.parametrize(
    ("value", "said"),
    [({"lab_folder": "labs/grount"}, 'no folder "labs/grount"'), ({"lab_kubeconfig": "/nowhere"}, "no kubeconfig")],
)
def test_what_cannot_be_is_refused(refused, value, said):
    """A lab without a folder, a cluster that is not up."""
    assert said in refused(**value)
