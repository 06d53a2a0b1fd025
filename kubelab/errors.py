"""How kubelab says no: what was found, what is needed, where to change it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from invoke.exceptions import Exit

EXIT_REFUSED = 2
"""Exit code of every refusal, the one that ansible-playbook uses for a failed assertion too."""


class Refusal(Exit):
    """A request that is not carried out; nothing was changed when it is raised.

    Invoke prints the text of an Exit and ends with its code, without a traceback.
    """

    def __init__(self, found: str, needed: str, change: str) -> None:
        self.found = found
        self.needed = needed
        self.change = change
        super().__init__(self.text, EXIT_REFUSED)

    @property
    def text(self) -> str:
        """Three lines for a person; further lines of one part are indented under it."""
        parts = {"found": self.found, "needed": self.needed, "change": self.change}
        return "\n".join(_line(word, text) for word, text in parts.items())

    def __str__(self) -> str:
        return self.text


def _line(word: str, text: str) -> str:
    return f"{word + ':':<8}" + text.strip().replace("\n", "\n" + " " * 8)


def suggest(word: str, choices: Iterable[str]) -> str:
    """Returns 'did you mean "kind"?' for the closest choice, or '' when none is close."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def unknown(what: str, word: str, choices: Sequence[str], change: str) -> Refusal:
    """Returns the refusal of a word that names none of the choices: no <what> "<word>", with the nearest one."""
    hint = suggest(word, choices)
    return Refusal(
        found=f'no {what} "{word}"' + (f"; {hint}" if hint else ""),
        needed=f"one of: {', '.join(choices)}",
        change=change,
    )
