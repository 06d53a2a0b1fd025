"""docs/labs.md: which labs there are, and which check of which lab proves each statement of the learner's notes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kubelab import catalogue
from kubelab.catalogue import Entry
from kubelab.paths import ROOT


class Words(NamedTuple):
    """What the page says in one language."""

    file: str
    title: str
    made: str
    course: str
    course_row: tuple[str, ...]
    statements: str
    statements_row: tuple[str, ...]
    not_yet: str


WORDS = {
    "en": Words(
        "labs.md",
        "The labs, and what they prove",
        "`invoke lab.table` writes this page; `invoke lab.all` runs all labs, `invoke lab.prove` proves their checks.",
        "The course",
        ("lab", "what it shows", "topic", "minutes", "checks", "wrong states noticed"),
        "Statements of the notes",
        ("statement", "lab", "proved by"),
        "no lab yet",
    ),
    "ja": Words(
        "labs.ja.md",
        "ラボの一覧と、それぞれが証明すること",
        "このページは `invoke lab.table` が書き出します。`invoke lab.all` ですべてのラボを実行し、"
        "`invoke lab.prove` でチェックそのものを確かめます。",
        "コース",
        ("ラボ", "内容", "テーマ", "分", "チェック", "気づく誤り"),
        "ノートの記述",
        ("記述", "ラボ", "証明するチェック"),
        "ラボはまだありません",
    ),
}


def pages() -> dict[Path, str]:
    """Returns the page in each language by its path."""
    return {ROOT / "docs" / words.file: "\n".join(_lines(language, words)) + "\n" for language, words in WORDS.items()}


def _lines(language: str, words: Words) -> Iterator[str]:
    entries = catalogue.load_all()
    yield from (f"# {words.title}", "", words.made, "", f"## {words.course}", "")
    yield from _table(words.course_row, (_course_row(entry, language) for entry in entries))
    yield from ("", f"## {words.statements}", "")
    yield from _table(words.statements_row, _statement_rows(entries, language, words.not_yet))


def _course_row(entry: Entry, language: str) -> tuple[str, ...]:
    lab, count = entry.lab, len(_statements(entry))
    name = f"[{entry.id}](../labs/{entry.id}/{entry.lesson(language).name})"
    return name, lab.title.in_language(language), lab.topic, str(lab.minutes), str(count), str(len(entry.ground.faults))


def _statement_rows(entries: list[Entry], language: str, not_yet: str) -> Iterator[tuple[str, ...]]:
    for name, text in catalogue.notes().items():
        provers = [entry for entry in entries if name in entry.lab.proves]
        if not provers:
            yield text.in_language(language), not_yet, ""
        for number, entry in enumerate(provers):
            checks = _statements(entry)
            told = " · ".join(checks[check] for check in entry.lab.proves[name])
            yield "" if number else text.in_language(language), entry.id, told


def _statements(entry: Entry) -> dict[str, str]:
    """Returns what each check of a lab states, by its name."""
    found = {}
    for path in sorted(entry.ground.tests.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name] = (ast.get_docstring(node) or "").partition("\n")[0]
    return found


def _table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    for row in (headings, ("---",) * len(headings), *rows):
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
