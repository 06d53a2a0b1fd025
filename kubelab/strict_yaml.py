"""YAML as people expect it: a key written twice is an error instead of a silent winner."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from kubelab.errors import Refusal


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if isinstance(key, Hashable) and seen.setdefault(key, line) != line:
                raise yaml.constructor.ConstructorError(
                    problem=f'"{key}" is written twice, in lines {seen[key]} and {line}',
                    problem_mark=key_node.start_mark,
                )
        return super().construct_mapping(node, deep)


def load(path: Path, label: str) -> Any:
    """Returns the content of a YAML file. Refuses unreadable YAML and repeated keys, naming `label` and the line."""
    try:
        return yaml.load(path.read_text(), _Loader)
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _refusal(label + where, error.problem or "it cannot be parsed", path) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _refusal(label, str(error), path) from error


def _refusal(where: str, problem: str, path: Path) -> Refusal:
    return Refusal(found=f"{where}: {problem}", needed="YAML in which every key is written once", change=str(path))
