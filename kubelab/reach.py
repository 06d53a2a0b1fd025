"""Who reaches what: sends the requests, judges them, and keeps each for the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kubelab.results import Expected, Probe
from kubelab.viewpoints import Answer, Viewpoint, short
from kubelab.waiting import Patience, wait_until

MORE_TRIES = 9
"""A stranger among several Pods is met by chance: a few more requests find ours if it is there."""

Places = Viewpoint | Sequence[Viewpoint]


def everywhere(look: Callable[[Any], Any], places: Iterable[Any]) -> list[Any]:
    """Does the same in all places at once; the results keep the order of the places."""
    listed = list(places)
    with ThreadPoolExecutor(max_workers=max(1, len(listed))) as pool:
        return list(pool.map(look, listed))


@dataclass
class Reach:
    """Records every probe; a check fails with one sentence about the first place that surprised."""

    probes: list[Probe]
    patience: Patience
    fails: Callable[[], bool] = lambda: False
    """Whether this check fails in the end: a fault takes a moment to be in force, so silence is then listened to."""

    def answers(self, label: str, url: str, places: Places, by: Sequence[str]) -> None:
        """The address must answer from every place, with a line that only the Pods in question can know."""
        tokens = list(by)
        assert tokens, f"nobody is there who could answer at {short(url)}"
        self._probe(label, url, places, "answer", lambda place: self._ask(place, url, tokens))

    def silent(self, label: str, url: str, places: Places, by: Sequence[str] = ()) -> None:
        """Nobody may answer at the address, from places that do reach something that must answer.

        With `by`, only an answer with one of these lines counts: on a port of a node, others may be at home.
        """
        patience = self.patience.left if self.fails() else 0
        self._probe(label, url, places, "silence", lambda place: _listen(place, url, list(by), patience))

    def settle(self) -> None:
        """Something has just been changed: answers may take a moment again."""
        self.patience.begin()

    def _ask(self, place: Viewpoint, url: str, tokens: list[str]) -> tuple[str, bool]:
        answer = wait_until(lambda: place.get(url), lambda seen: bool(seen.by(tokens)), self.patience.left)
        for _ in range(MORE_TRIES):
            if answer.status is None or answer.by(tokens):
                break
            answer = place.get(url)
        return _summary(answer, tokens), bool(answer.by(tokens))

    def _probe(
        self, label: str, url: str, places: Places, expected: Expected, look: Callable[[Viewpoint], tuple[str, bool]]
    ) -> None:
        listed = [places] if isinstance(places, Viewpoint) else list(places)
        assert listed, "there is no place to look from"
        seen = everywhere(look, listed)
        made = [
            Probe(label, short(url), place.place, place.name, expected, text, ok)
            for place, (text, ok) in zip(listed, seen, strict=True)
        ]
        self.probes.extend(made)
        wrong = [f"from {probe.at}: {probe.seen}" for probe in made if not probe.ok]
        assert not wrong, f"{label} ({short(url)}), expected {_EXPECTED[expected]}, " + "; ".join(wrong)


_EXPECTED = {"answer": "an answer of the lab's own Pod", "silence": "no answer"}


def _listen(place: Viewpoint, url: str, tokens: list[str], seconds: float) -> tuple[str, bool]:
    def broken(answer: Answer) -> bool:
        return answer.status is not None and (not tokens or bool(answer.by(tokens)))

    answer = wait_until(lambda: place.get(url), broken, seconds)
    if broken(answer):
        return f"somebody answered: {_first_words(answer.body)}", False
    if answer.status is not None:
        return "somebody else", True
    if place.control:
        return f"silence proves nothing: {place.control}", False
    return answer.reason, True


def _summary(answer: Answer, tokens: list[str]) -> str:
    if token := answer.by(tokens):
        return token.rpartition(": ")[2]
    if answer.status is None:
        return answer.reason
    return f"a stranger answered: {_first_words(answer.body)}"


def _first_words(body: str) -> str:
    return ", ".join(body.split("\n"))[:80].strip(", ") or "(empty)"
