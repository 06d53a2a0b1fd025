"""The shell in a pseudo-terminal is typed into as by a person, and so are shells inside of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubelab.terminal import Stuck, Terminal

INNER = "PS1='/ $ ' sh -i"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(os.environ, str(tmp_path)) as opened:
        yield opened


def test_a_command_returns_its_lines(terminal: Terminal) -> None:
    assert terminal.type("printf 'one\\ntwo\\n'") == ["one", "two"]
    assert terminal.type("true") == []


def test_the_shell_remembers(terminal: Terminal) -> None:
    terminal.type("value=kept")
    assert terminal.type("echo $value") == ["kept"]


def test_a_shell_inside_is_noticed_and_left(terminal: Terminal) -> None:
    terminal.type(INNER)
    assert terminal.inner
    assert terminal.type("echo inside") == ["inside"]
    terminal.type("exit")
    assert not terminal.inner


def test_programs_find_a_terminal(terminal: Terminal) -> None:
    assert terminal.type("test -t 0 && test -t 1 && echo yes") == ["yes"]


def test_what_does_not_end_is_told(terminal: Terminal) -> None:
    with pytest.raises(Stuck, match="started"):
        terminal.type("echo started; sleep 60", seconds=0.5)
