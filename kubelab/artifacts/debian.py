"""The Debian packages in a file system's archive: what dpkg, or a hook of ours, has written down in it."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

STATUS = re.compile(r"\./var/lib/dpkg/(status|status\.d/[^/]+)")
COPYRIGHT = re.compile(r"\./usr/share/doc/([^/]+)/copyright")


@dataclass(frozen=True)
class Package:
    """One package, with the licence that most of its files are under."""

    name: str
    version: str
    architecture: str
    licence: str
    size: int


def packages(archive: Path) -> list[Package]:
    """Returns the packages in a tar file of a root file system, sorted by name."""
    said: list[dict[str, str]] = []
    licences: dict[str, str] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            if (found := COPYRIGHT.fullmatch(member.name)) and member.isfile():
                licences[found[1]] = licence(_text(tar, member))
            elif STATUS.fullmatch(member.name) and member.isfile():
                said += [_fields(stanza) for stanza in _text(tar, member).split("\n\n") if stanza.strip()]
    # Packages made from one source may share one text.
    shared = {_source(fields): licences[fields["Package"]] for fields in said if fields["Package"] in licences}
    return [
        Package(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            licence=licences.get(fields["Package"]) or shared.get(_source(fields), ""),
            size=int(fields.get("Installed-Size", 0)) * 1024,
        )
        for fields in sorted(said, key=lambda fields: fields["Package"])
    ]


def licence(copyright: str) -> str:
    """Returns the licence of `Files: *` in Debian's words, or which usual ones a text without such a line refers to."""
    for stanza in re.split(r"\n\s*\n", copyright):
        if re.search(r"^Files:\s+\*\s*$", stanza, re.MULTILINE) and (
            found := re.search(r"^License:[ \t]*(\S.*)$", stanza, re.MULTILINE)
        ):
            return found[1].strip()
    named = sorted(set(re.findall(r"/usr/share/common-licenses/([A-Z][\w.-]*\w)", copyright)))
    return f"refers to {', '.join(named)}" if named else ""


def _fields(stanza: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+): *(.*)$", stanza, re.MULTILINE))


def _source(fields: dict[str, str]) -> str:
    return fields.get("Source", fields["Package"]).partition(" ")[0]


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = tar.extractfile(member)
    return content.read().decode(errors="replace") if content else ""
