"""The pages about all labs say what the labs say."""

from __future__ import annotations

from kubelab import overview


def test_the_page_of_the_labs_is_up_to_date() -> None:
    old = [path.name for path, text in overview.pages().items() if not path.is_file() or path.read_text() != text]
    assert not old, "`invoke lab.table` writes them anew"
