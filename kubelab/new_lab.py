"""Makes the folder of a new lab: small, complete and true, to be changed into another one sentence by sentence."""

from __future__ import annotations

import re
from pathlib import Path

from kubelab import catalogue
from kubelab.errors import Refusal
from kubelab.paths import ROOT

SKELETON = ROOT / "kubelab" / "skeleton"
WORD = "newlab"
"""Stands for the lab's id in the names and contents of the skeleton's files."""

TO_FILL = {
    "lab.yml": "title, topic, place in the course, what it needs, questions, which statements of the notes it proves",
    "README.md, README.ja.md": "the lesson in both languages, with what the commands really print",
    "manifests/": "what `invoke lab` applies, and what a learner may apply by hand",
    "tests/": "a check for each statement: its first line is what the learner reads, the rest is a hint",
    "faults/": "wrong states, and which checks must notice each: two at least",
    "solution/": "what the learner would do, if the lab asks for something (mark its checks with pytest.mark.task)",
}


def create(lab_id: str, folder: Path = catalogue.LABS) -> Path:
    """Returns the new folder. Refuses a name that Kubernetes would not take, and one that is there already."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", lab_id) or len(lab_id) > 40:
        raise Refusal(
            found=f'the name "{lab_id}"',
            needed="small letters, digits and dashes, a letter first, at most 40: it becomes the namespace lab-NAME",
            change="the name, as in: invoke lab.new my-lab",
        )
    made = folder / lab_id
    if made.exists():
        raise Refusal(found=f"labs/{lab_id} is there already", needed="a name that is free", change="the name")
    for path in sorted(SKELETON.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            _copy(path, made / _named(str(path.relative_to(SKELETON)), lab_id), lab_id)
    return made


def _copy(path: Path, to: Path, lab_id: str) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(path.read_text().replace(WORD, lab_id))


def _named(name: str, lab_id: str) -> str:
    return name.replace(f"test_{WORD}", f"test_{lab_id.replace('-', '_')}").replace(WORD, lab_id)
