"""Processes that must not be at the same thing at once take turns: the lock of a file, which ends with who holds it."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from typing import IO


def take_turn(file: IO[str], say: Callable[[str], None], busy: str) -> None:
    """Waits until nobody else holds the file's lock, and holds it then; says first that one has to wait."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(busy)
        fcntl.flock(file, fcntl.LOCK_EX)
