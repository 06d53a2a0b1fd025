"""What need not be linted again."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelab import lint


def test_ansible_lint_is_asked_again_when_anything_has_changed_that_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    (tmp_path / "plugins").mkdir()
    names = ["up.yml", "requirements.txt", "plugins/filter.py", "tasks.py"]
    monkeypatch.setattr(lint, "tracked", lambda: [Path(name) for name in names])
    for name in names:
        (tmp_path / name).write_text("one")
    seen = [lint.passed_before()]
    for name in names:
        (tmp_path / name).write_text("two")
        seen.append(lint.passed_before())
    *others, without_tasks, last = seen
    assert len({*others, without_tasks}) == len(names), "each of the first three changes what is asked"
    assert last == without_tasks, "Python outside of the plugins is nothing to ansible-lint"
