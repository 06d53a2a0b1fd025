"""Where parts come from: what group_vars/all/sources.yml says, or the file of a cluster."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kubelab.errors import Refusal

# Docker takes a first word without a dot or a port for a folder of its own registry.
REGISTRY = re.compile(r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+(?=:))(:\d+)?(/[a-z0-9._/-]*[a-z0-9])?")
REGISTRY_FORM = "host:port or a host's full name, and perhaps /prefix; without https:// before it"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Sources(BaseModel):
    """The part of a cluster's shape that is the same for machines of any kind."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)

    provider: str = Field(alias="cluster_provider")
    artifacts_source: Literal["auto", "registry", "mirrors"]
    artifacts_registry: str
    artifacts_registry_digest: str
    registry_mirror: str

    @field_validator("artifacts_registry")
    @classmethod
    def _names_a_registry(cls, value: str) -> str:
        if value and not REGISTRY.fullmatch(value):
            raise ValueError(f"must be {REGISTRY_FORM}")
        return value

    @field_validator("artifacts_registry_digest")
    @classmethod
    def _is_a_digest(cls, value: str) -> str:
        if value and not DIGEST.fullmatch(value):
            raise ValueError("must be sha256: and 64 digits, as `invoke artifacts.push` printed it")
        return value

    @field_validator("registry_mirror")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s\"']+", value):
            raise ValueError("must be an address like https://mirror.school.example")
        return value

    @model_validator(mode="after")
    def _go_together(self) -> Sources:
        if self.artifacts_registry and not self.artifacts_registry_digest:
            raise ValueError("artifacts_registry without artifacts_registry_digest: the image is known by nothing else")
        if self.artifacts_source == "registry" and not self.artifacts_registry:
            raise ValueError("artifacts_source: registry, but artifacts_registry names none")
        if self.artifacts_source == "registry" and self.provider != "kind":
            raise ValueError("artifacts_source: a registry holds nodes for provider kind only; auto or mirrors")
        return self


SHARED = tuple(key for key in Sources.model_fields if key != "provider")


def require_registry(name: str) -> None:
    """Refuses what is no name of a registry, before anything is built for it."""
    if not REGISTRY.fullmatch(name):
        raise Refusal(f'"{name}" as a registry', REGISTRY_FORM, "invoke artifacts.push registry.school.example:5000")
