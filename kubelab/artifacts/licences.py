"""Which licence something is under: read from the texts that come with it, under the names of SPDX."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_SAYS = {
    "Apache-2.0": r"apache license,? version 2\.0",
    "MIT": r"permission is hereby granted, free of charge, to any person obtaining a copy",
    "ISC": r"permission to use, copy, modify, and(/or)? distribute this software for any purpose with or without fee",
    "MPL-2.0": r"mozilla public license,? version 2\.0",
}
_BSD = r"redistributions of source code must retain"
_FILE = re.compile(r"(licen[cs]e|copying|unlicense)([.-].*)?", re.IGNORECASE)


def recognise(text: str) -> set[str]:
    """Returns the licences whose words are in a text; one text may hold several."""
    plain = " ".join(re.sub(r"[^\w.,:;'/()-]+", " ", text.lower()).split())
    found = {name for name, says in _SAYS.items() if re.search(says, plain)}
    if _BSD in plain:
        found.add("BSD-3-Clause" if "endorse or promote" in plain else "BSD-2-Clause")
    return found


def of_folder(folder: Path) -> str:
    """Returns the licences of the texts that lie in a folder as one expression, '' where none is known."""
    texts = (
        [path for path in folder.iterdir() if _FILE.fullmatch(path.name) and path.is_file()] if folder.is_dir() else []
    )
    return expression({name for path in texts for name in recognise(path.read_text(errors="replace"))})


def expression(names: Iterable[str]) -> str:
    """All of them hold at once."""
    return " AND ".join(sorted(names))


def module_folder(cache: Path, module: str, version: str) -> Path:
    """Returns where Go's folder of modules holds a module: capital letters become `!` and the small one."""
    return cache / re.sub(r"[A-Z]", lambda found: f"!{found[0].lower()}", f"{module}@{version}")
