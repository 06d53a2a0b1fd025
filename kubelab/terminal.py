"""A shell in a pseudo-terminal, driven as a person would: type a line, wait for the prompt, read what came."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping

PROMPT = "kubelab-lesson> "
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x07\x0f]")
_INNER = re.compile(r"(?:^|\n)[/~] [$#] $")
_ASK_CURSOR = "\x1b[6n"
ANSWER_CURSOR = b"\x1b[1;1R"
NUDGE = 1.0
"""Seconds after which a silent program gets an Enter, as kubectl itself advises."""


class Stuck(Exception):
    """The shell did not come back to a prompt; the text is what it had printed."""


class Terminal:
    """A bash without the user's settings. Use it with `with`: leaving ends it and everything it started."""

    def __init__(self, environment: Mapping[str, str], folder: str) -> None:
        self._master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        termios.tcsetwinsize(slave, (50, 250))
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=slave, stdout=slave, stderr=slave, cwd=folder, start_new_session=True,
            preexec_fn=lambda: _own_terminal(slave),
            env={**environment, "PS1": PROMPT, "PS2": "", "TERM": "dumb", "HISTFILE": "", "COLUMNS": "250"},
        )  # fmt: skip
        os.close(slave)
        self.inner = False
        self._read_to_prompt(10)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._shell.pid, signal.SIGHUP)
        os.close(self._master)
        self._shell.wait()

    def type(self, line: str, seconds: float = 120) -> list[str]:
        """Types one line and returns the lines that appear until the next prompt, of this shell or of one inside."""
        os.write(self._master, line.encode() + b"\n")
        was_inner = self.inner
        text = self._read_to_prompt(seconds)
        lines = text.splitlines()
        if was_inner and lines and line in lines[0]:
            del lines[0]  # the shell inside has a terminal of its own, which repeats what is typed
        return [shown for shown in lines if shown.strip()]

    def _read_to_prompt(self, seconds: float) -> str:
        """Returns what is printed before the prompt. Raises Stuck when no prompt appears in time."""
        deadline, heard, text, nudged = time.monotonic() + seconds, time.monotonic(), "", False
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if ready:
                chunk = os.read(self._master, 65536).decode(errors="replace")
                if _ASK_CURSOR in chunk:
                    os.write(self._master, ANSWER_CURSOR)
                text = (text + _CONTROL.sub("", chunk)).replace("\r", "")
                heard = time.monotonic()
            elif text.endswith(PROMPT):
                self.inner = False
                return text.removesuffix(PROMPT)
            elif _INNER.search(text):
                self.inner = True
                return _INNER.sub("", text)
            elif "try pressing enter" in text and not nudged and time.monotonic() - heard > NUDGE:
                os.write(self._master, b"\n")
                nudged = True
        raise Stuck(text)


def _own_terminal(slave: int) -> None:
    """Makes the pseudo-terminal the controlling one, so that programs may ask it questions."""
    import fcntl

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
