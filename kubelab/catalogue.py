"""The labs: one folder each. Reads and checks lab.yml; the list of labs is the list of folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kubelab import strict_yaml
from kubelab.errors import Refusal, suggest, unknown
from kubelab.paths import ROOT

LABS = ROOT / "labs"

Topic = Literal["cluster", "pods", "services", "storage", "workloads", "security", "observation"]


@dataclass(frozen=True)
class Ground:
    """A folder of manifests, checks and faults, and the namespace they live in: a lab, or tests/cluster."""

    id: str
    folder: Path
    namespace: str

    @property
    def tests(self) -> Path:
        inner = self.folder / "tests"
        return inner if inner.is_dir() else self.folder

    @property
    def solution(self) -> str:
        """The overlay that completes the manifests; '' where nothing is left to do."""
        return "solution" if (self.folder / "solution").is_dir() else ""

    @property
    def faults(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob("faults/*/fault.yml"))

    @property
    def events(self) -> list[str]:
        """What can happen to the nodes, by name."""
        return sorted(path.stem for path in self.folder.glob("events/*.yml"))

    def event_vars(self, event: str) -> dict[str, Any]:
        """What playbooks/lab.yml must be told to let something happen. Refuses what the lab does not know."""
        if event not in self.events:
            known = self.events or ["nothing: this lab leaves the nodes alone"]
            raise unknown(f"event of lab {self.id}", event, known, f"the name; labs/{self.id}/events has them")
        return {**self.extra_vars(), "lab_state": "event", "lab_event": event}

    def extra_vars(self) -> dict[str, Any]:
        """What playbooks/lab.yml must be told; the role's defaults know where a lab lies."""
        if self.folder.parent == LABS:
            return {"lab_id": self.id}
        folder = str(self.folder.relative_to(ROOT))
        return {"lab_id": self.id, "lab_folder": folder, "lab_namespace": self.namespace}


CLUSTER_GROUND = Ground("cluster", ROOT / "tests" / "cluster", "kubelab-verify")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Text(_Strict):
    """A sentence for the learner, in both languages."""

    en: str = Field(min_length=1)
    ja: str = Field(min_length=1)

    def in_language(self, language: str) -> str:
        return self.ja if language == "ja" else self.en


class Needs(_Strict):
    """What a cluster must have for the lab; kubelab.needs compares it with one."""

    workers: int = Field(default=0, ge=0)
    storage: bool = False
    load_balancer: bool = False
    metrics: bool = False
    node_control: bool = False
    programs: list[str] = []
    """What the learner types beside kubectl, on this machine."""


class Prediction(_Strict):
    """A question before a step; `proved_by` is the check that shows the answer to be true."""

    question: Text
    choices: dict[str, Text] = Field(min_length=2)
    answer: str
    why: Text
    proved_by: str = Field(pattern="^test_")

    @model_validator(mode="after")
    def _answer_is_a_choice(self) -> Prediction:
        if self.answer not in self.choices:
            raise ValueError(f'answer "{self.answer}" is none of the choices: {", ".join(self.choices)}')
        return self


class Lab(_Strict):
    """What lab.yml says."""

    title: Text
    topic: Topic
    order: int = Field(ge=1)
    minutes: int = Field(ge=1)
    images: list[str]
    parts: list[str] = []
    """What is built for this lab only, and brought to the nodes with it; see roles/artifacts/vars/on_demand.yml."""
    needs: Needs = Needs()
    alone: bool = False
    """Whether it does something to nodes or to the control plane that labs beside it would feel."""
    slow: bool = False
    """Whether its checks take a minute and more, and their proof many: the test suite proves it on request."""
    predictions: dict[str, Prediction] = {}
    proves: dict[str, list[str]] = {}
    """Statements of labs/notes.yml by name, and the checks that show each to be true."""
    next: Text | None = None


@dataclass(frozen=True)
class Entry:
    """A lab and the ground it stands on."""

    lab: Lab
    ground: Ground

    @property
    def id(self) -> str:
        return self.ground.id

    def lesson(self, language: str = "en") -> Path:
        return self.ground.folder / ("README.ja.md" if language == "ja" else "README.md")


class Fault(_Strict):
    """What fault.yml says: which checks must fail, each with a fragment of the message it must give."""

    title: str
    fails: dict[str, str] = Field(min_length=1)
    also: list[str] = []
    """Checks that this fault may break on the side, depending on the moment."""
    ready: bool = True
    """False when the fault keeps something from becoming ready: then nothing is waited for."""


def names(folder: Path = LABS) -> list[str]:
    """Returns the ids of all labs, sorted."""
    return sorted(path.parent.name for path in folder.glob("*/lab.yml"))


def load(lab_id: str, folder: Path = LABS) -> Entry:
    """Returns one lab. Refuses an unknown id and a lab.yml that does not fit, naming the key."""
    known = names(folder)
    if lab_id not in known:
        raise unknown("lab", lab_id, known, "the name; `invoke lab` lists them all")
    lab = _read(Lab, folder / lab_id / "lab.yml")
    return Entry(lab, Ground(lab_id, folder / lab_id, f"lab-{lab_id}"))


def load_all(folder: Path = LABS) -> list[Entry]:
    """Returns all labs in the order in which one learns."""
    return sorted((load(name, folder) for name in names(folder)), key=lambda entry: (entry.lab.order, entry.id))


def notes(folder: Path = LABS) -> dict[str, Text]:
    """Returns the statements that the labs are there to prove, by name, in the order of the learner's notes."""
    path = folder / "notes.yml"
    label = _label(path)
    return {name: _validated(Text, text, f"{label}: {name}") for name, text in strict_yaml.load(path, label).items()}


def load_fault(ground: Ground, name: str) -> Fault:
    return _read(Fault, ground.folder / "faults" / name / "fault.yml")


Model = TypeVar("Model", bound=BaseModel)


def _read(model: type[Model], path: Path) -> Model:
    label = _label(path)
    return _validated(model, strict_yaml.load(path, label), label)


def _label(path: Path) -> str:
    """What a refusal calls a file: its path in the repository."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _validated(model: type[Model], content: Any, label: str) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Refusal(
            found="\n".join(_problem(label, model, problem) for problem in error.errors()),
            needed=f"only these keys: {', '.join(model.model_fields)}",
            change=label,
        ) from error


def _problem(label: str, model: type[BaseModel], problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    text = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        hint = suggest(str(problem["loc"][-1]), model.model_fields)
        text = "unknown key" + (f"; {hint}" if hint else "")
    return f"{label}: {place}: {text}" if place else f"{label}: {text}"
