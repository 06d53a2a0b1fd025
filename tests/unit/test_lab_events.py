"""What labs do to nodes: they do it alone, it can be undone, and who asks for what there is not is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelab import catalogue
from kubelab.catalogue import Ground
from kubelab.errors import Refusal

WITH_EVENTS = [name for name in catalogue.names() if catalogue.load(name).ground.events]


@pytest.mark.parametrize("name", WITH_EVENTS)
def test_what_a_lab_does_to_nodes_is_done_alone_and_can_be_undone(name: str) -> None:
    entry = catalogue.load(name)
    assert entry.lab.alone
    assert (entry.ground.folder / "undo.yml").is_file()


@pytest.mark.parametrize("name", WITH_EVENTS)
def test_checks_and_lesson_let_every_event_happen(name: str) -> None:
    entry = catalogue.load(name)
    checks = "".join(path.read_text() for path in entry.ground.folder.glob("tests/*.py"))
    for event in entry.ground.events:
        assert f'happen("{event}")' in checks
        assert f"$ invoke lab.happen {name} {event}\n" in entry.lesson().read_text()


def test_an_event_that_a_lab_does_not_know_is_refused(tmp_path: Path) -> None:
    ground = Ground("first", tmp_path, "lab-first")
    with pytest.raises(Refusal, match="this lab leaves the nodes alone"):
        ground.event_vars("node-stops")
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "node-stops.yml").touch()
    with pytest.raises(Refusal, match='no event of lab first "node-stop"; did you mean "node-stops"'):
        ground.event_vars("node-stop")
