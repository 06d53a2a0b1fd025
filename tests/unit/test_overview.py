"""The pages about all labs say what the labs say."""

from __future__ import annotations

import re

import pytest

from kubelab import catalogue, overview
from kubelab.lesson import BLOCK
from kubelab.paths import ROOT
from plugins.filter.lab_documents import lab_documents

ROW = re.compile(r"^\| (?!---)([^|]+?) \| ([^|]+?) \|$", re.MULTILINE)
LABS = catalogue.names()


def glossary(name: str) -> dict[str, str]:
    return dict(ROW.findall((ROOT / "docs" / name).read_text())[1:])


def explained(term: str, terms: set[str]) -> bool:
    """Whether the glossary has the term, be it written with a capital letter or as several."""
    forms = {term, term.removesuffix("s"), f"{term} Service"}
    return bool({form.lower() for form in forms} & {known.lower() for known in terms})


def test_the_page_of_the_labs_is_up_to_date() -> None:
    old = [path.name for path, text in overview.pages().items() if not path.is_file() or path.read_text() != text]
    assert not old, "`invoke lab.table` writes them anew"


def test_the_glossary_explains_the_same_terms_in_both_languages() -> None:
    english, japanese = glossary("glossary.md"), glossary("glossary.ja.md")
    assert list(english) == list(japanese)
    assert list(english) == sorted(english, key=lambda term: re.sub(r"\W", "", term).lower())


@pytest.mark.parametrize("name", LABS)
def test_the_glossary_explains_every_term_of_a_lesson(name: str) -> None:
    """What is bold before the learner's own part is a term; so is every kind of object that a lab makes."""
    entry = catalogue.load(name)
    lesson = re.split(r"^## \d+\. Your turn", BLOCK.sub("", entry.lesson().read_text()), flags=re.MULTILINE)[0]
    bold = {" ".join(term.split()) for term in re.findall(r"\*\*([^*]+)\*\*", lesson)} - {"Think first:"}
    kinds = {document["kind"] for document in lab_documents(str(entry.ground.folder))}
    terms = set(glossary("glossary.md"))
    assert not {term for term in bold | kinds if not explained(term, terms)}
