"""A cluster shape: one file `inventory/<cluster>.yml`, read, checked and refused before anything is started."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from kubelab import strict_yaml
from kubelab.errors import Refusal, suggest, unknown
from kubelab.hosts_shape import HostsShape, values_of
from kubelab.paths import INVENTORY, common
from kubelab.ranges import Range, check_ranges
from kubelab.sources import Sources

Provider = Literal["kind", "vm", "hosts"]

# A cluster's name ends up in host names: kubelab-<cluster>-control-plane, 63 characters at most.
CLUSTER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")

# pydantic's words for programmers, in ours
PROBLEMS = {
    "missing": "is missing",
    "extra_forbidden": "means nothing to this provider",
    "int_type": "must be a whole number",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
}


class Topology(Sources):
    """What a shape file says, in Python's types. What it leaves out comes from network.yml and sources.yml."""

    example: ClassVar[str] = "kind.yml"

    provider: Provider = Field(alias="cluster_provider")
    control_planes: int = Field(alias="cluster_control_planes", ge=1)
    workers: int = Field(alias="cluster_workers", ge=0, le=9)
    api_port: int = Field(0, alias="cluster_api_port", ge=0, le=65535)
    """Port of this machine on which the API answers; 0 takes a free one."""
    network_pods: Range
    network_services: Range
    network_machines: Range

    @field_validator("control_planes")
    @classmethod
    def _needs_no_registry(cls, value: int) -> int:
        if value != 1:
            raise ValueError("must be 1: before several, kind puts a load balancer that only a container registry has")
        return value

    @model_validator(mode="after")
    def _ranges_fit(self) -> Topology:
        check_ranges(self.network_pods, self.network_services, self.network_machines, self.nodes)
        return self

    @property
    def nodes(self) -> int:
        return self.control_planes + self.workers


def names(folder: Path = INVENTORY) -> list[str]:
    """Returns the clusters one can name: the stems of the shape files, sorted."""
    return sorted(path.stem for path in folder.glob("*.yml") if not path.stem.endswith(".example"))


def find(cluster: str, folder: Path = INVENTORY) -> Path:
    """Returns the shape file. Refuses a cluster without one, two files of one name, and names unfit for hosts."""
    path = folder / f"{cluster}.yml"
    known = names(folder)
    if cluster not in known:
        change = f"the name, or write inventory/{cluster}.yml (a copy of inventory/kind.yml is a start)"
        raise unknown("cluster", cluster, known, change)
    if path.with_suffix(".yaml").exists():
        raise Refusal(
            found=f"inventory/{cluster}.yml and inventory/{cluster}.yaml: two shapes named {cluster}",
            needed="one file a cluster, ending in .yml",
            change=f"remove or rename inventory/{cluster}.yaml",
        )
    if not CLUSTER_NAME.fullmatch(cluster):
        raise Refusal(
            found=f'a cluster named "{cluster}"',
            needed="lower-case letters, digits and dashes, at most 30: nodes are named after it",
            change=f"rename inventory/{cluster}.yml",
        )
    return path


def load(cluster: str, overrides: Mapping[str, Any] | None = None, folder: Path = INVENTORY) -> Topology | HostsShape:
    """Returns the checked shape of a cluster; `overrides` are keys of the file given on the command line.

    Raises Refusal naming the file and the key.
    """
    label = f"inventory/{cluster}.yml"
    content = strict_yaml.load(find(cluster, folder), label)
    values = _vars_of(content, label)
    usual = common("network") | common("sources")
    model: type[Topology | HostsShape] = Topology
    if values.get("cluster_provider") == "hosts":
        model = HostsShape
        values = _hosts_values(values, content["all"].get("children"), label)
    else:
        _refuse_unknown(content["all"], ["vars"], label)
        aliases = [field.alias or key for key, field in Topology.model_fields.items() if key != "network_machines"]
        _refuse_unknown(values, aliases, label)
    try:
        return model.model_validate({**usual, **values, **(overrides or {})})
    except ValidationError as error:
        raise Refusal(
            found="\n".join(_problems(error, label, overrides or {})),
            needed=f"a shape like inventory/{model.example}; ranges and sources as in inventory/group_vars/all",
            change="what you typed" if overrides else f"{label}, or what it takes from inventory/group_vars/all",
        ) from error


def _hosts_values(values: dict[str, Any], children: Any, label: str) -> dict[str, Any]:
    try:
        return values_of(values, children)
    except KeyError as error:
        key, allowed = error.args
        raise _wrong_key(label, _unknown(key, allowed), ", ".join(allowed)) from None


def _vars_of(content: Any, label: str) -> dict[str, Any]:
    """Takes `all.vars` out of the file; a typing error in the words above it is an unknown key as well."""
    for level, beside in (("all", []), ("vars", ["children"])):
        if not isinstance(content, dict):
            raise _wrong_key(label, f'"{level}:" is missing', level)
        _refuse_unknown(content, [level, *beside], label)
        content = content.get(level)
    if not isinstance(content, dict):
        raise _wrong_key(label, '"vars:" holds no keys', "vars")
    return content


def _refuse_unknown(values: Mapping[str, Any], allowed: list[str], label: str) -> None:
    for key in values:
        if key not in allowed:
            raise _wrong_key(label, _unknown(str(key), allowed), ", ".join(allowed))


def _unknown(key: str, allowed: list[str]) -> str:
    hint = suggest(key, allowed)
    return f'unknown key "{key}"' + (f"; {hint}" if hint else "")


def _wrong_key(label: str, problem: str, allowed: str) -> Refusal:
    return Refusal(found=f"{label}: {problem}", needed=f"only these keys: {allowed}", change=label)


def _problems(error: ValidationError, label: str, typed: Mapping[str, Any]) -> Iterator[str]:
    """Yields one line a problem; what came from the command line is not blamed on the file."""
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else ""
        default = problem["msg"].removeprefix("Value error, ")
        text = PROBLEMS.get(problem["type"], default).format(**problem.get("ctx", {}))
        seen = "" if problem["type"] == "missing" or not key else f" (is {problem['input']!r})"
        where = "the command line" if key in typed else label
        yield f"{where}: {key + ': ' if key else ''}{text}{seen}"
