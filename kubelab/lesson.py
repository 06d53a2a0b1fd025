"""The commands of a lesson and what they print: read from its README, compared with a real run.

A `console` block is a transcript. `$ ` begins a command, `/ $ ` or `/ # ` a line typed into the shell of a Pod, and
everything else is output. `...` stands for lines left out. What differs from run to run is masked; an address or a
generated name that the lesson types again is replaced by the one that this run has shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```(?P<language>[\w-]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
INNER_PROMPT = re.compile(r"^[/~] [$#] ?")
ELLIPSIS = "..."
_PROMPTS = re.compile(r"(?:[/~] [$#] ?)+")

_SAFE = "bcdfghjklmnpqrstvwxz2456789"  # the letters of which Kubernetes makes names
_ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}"
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"

# Name, pattern. Same: the same text stands for one thing throughout. Any: whatever has this form will do.
_SAME = {
    "address": rf"(?<![\d.]){_ADDRESS}(?![\d.])",
    "generated": rf"(?<=[-=])(?:[{_SAFE}]{{6,10}}(?:-[{_SAFE}]{{5}})?|[{_SAFE}]{{5}})\b",
    "node_port": r"\b3[0-2]\d{3}\b",
}
_ANY = {
    "addresses": rf"(?:{_ADDRESS}:\d+,)+{_ADDRESS}:\d+",
    "date": rf"{_WEEKDAY}, \d\d \w{{3}} \d{{4}} [\d:]+ [+-]\d{{4}}",
    "time": r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?",
    "node": r"\bkubelab-[a-z0-9-]+\b",
    "version": r"\bv\d+\.\d+\.\d+\b",
    "package": r"\(Debian [\w.:+~-]+\)",
    "digest": r"\b(?:sha256:|containerd://)[0-9a-f]{64}\b",
    "age": r"(?<![\w.-])(?:\d+(?: ?ms|[dhms]))+(?![\w.-])",
    "usage": r"(?<=[m%] )\d+Mi\b|(?<![\w/])\d+%",
}
_TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in {**_ANY, **_SAME}.items()))


@dataclass(frozen=True)
class Exchange:
    """One typed line and the output it shall have."""

    typed: str
    expected: tuple[str, ...]
    line: int


@dataclass
class Step:
    """A command, and what is typed into the shell that it opens."""

    command: Exchange
    inner: list[Exchange] = field(default_factory=list)


@dataclass
class Lesson:
    """The transcripts of one README."""

    steps: list[Step]

    @classmethod
    def read(cls, path: Path) -> Lesson:
        text = path.read_text()
        steps: list[Step] = []
        for block in BLOCK.finditer(text):
            if block["language"] == "console":
                steps += parse_block(block["body"], text.count("\n", 0, block.start("body")) + 1)
        return cls(steps)


def code_blocks(text: str) -> list[tuple[str, str]]:
    """Returns language and content of every fenced block, for comparing two languages of a lesson."""
    return [(block["language"], block["body"]) for block in BLOCK.finditer(text)]


def parse_block(body: str, first_line: int = 1) -> list[Step]:
    """Returns the commands of one transcript. Raises ValueError for output that no command has caused."""
    raw: list[tuple[bool, str, list[str], int]] = []
    for number, line in enumerate(body.splitlines(), first_line):
        if line.startswith("$ "):
            raw.append((False, line[2:], [], number))
        elif INNER_PROMPT.match(line):
            raw.append((True, INNER_PROMPT.sub("", line), [], number))
        elif not raw:
            raise ValueError(f"line {number}: output before the first command: {line}")
        elif raw[-1][1].endswith("\\") and line.startswith("> "):
            inner, typed, expected, start = raw[-1]
            raw[-1] = (inner, f"{typed}\n{line[2:]}", expected, start)
        else:
            raw[-1][2].append(line)
    steps: list[Step] = []
    for inner, typed, expected, number in raw:
        exchange = Exchange(typed, tuple(expected), number)
        if not inner:
            steps.append(Step(exchange))
        elif steps:
            steps[-1].inner.append(exchange)
        else:
            raise ValueError(f"line {number}: typed into a shell that no command has opened: {typed}")
    return steps


@dataclass
class Translation:
    """What the lesson's example values are called in this run, learnt from the output line by line."""

    known: dict[str, str] = field(default_factory=dict)

    def typed(self, command: str) -> str:
        """Returns a command with the values of this run instead of the lesson's."""
        return _TOKEN.sub(lambda token: self.known.get(token[0], token[0]), command)

    def difference(self, expected: tuple[str, ...], actual: list[str]) -> str:
        """Returns '' when the output is as the lesson says, else a sentence. Learns from lines that match."""
        seen = [squeeze(line) for line in actual if squeeze(line)]
        position, gap = 0, False
        for line in (squeeze(line) for line in expected if squeeze(line)):
            if line == ELLIPSIS:
                gap = True
                continue
            reach = range(position, len(seen) if gap else min(position + 1, len(seen)))
            found = next((index for index in reach if self._learn(line, seen[index])), None)
            if found is None:
                return f"expected: {line}\n     seen: {_excerpt(seen[position:])}"
            position, gap = found + 1, False
        if position < len(seen) and not gap:
            return f"more than expected: {_excerpt(seen[position:])}"
        return ""

    def opening_difference(self, expected: tuple[str, ...], actual: list[str]) -> str:
        """The same for a command that opens a shell: two programs greet at once, and a greeting may be missed."""
        seen = [squeeze(line) for line in actual if squeeze(line) and not _PROMPTS.fullmatch(squeeze(line))]
        if ELLIPSIS in expected:
            return ""
        strange = [line for line in seen if not any(self._learn(squeeze(known), line) for known in expected)]
        if strange:
            return f"not in the lesson: {_excerpt(strange)}"
        return "" if seen else "nothing greets"

    def _learn(self, expected: str, actual: str) -> bool:
        """Whether one line matches; if so, remembers what its example values are called."""
        pattern, examples = to_pattern(expected)
        match = re.fullmatch(pattern, actual)
        if match is None:
            return False
        pairs = list(zip(examples, match.groups(), strict=True))
        if any(self.known.get(example, value) != value for example, value in pairs):
            return False
        self.known.update(pairs)
        return True


def to_pattern(line: str) -> tuple[str, list[str]]:
    """Returns a regular expression for a line of output, and the example values that its groups stand for."""
    pattern, examples, end = "", [], 0
    for token in _TOKEN.finditer(line):
        name = str(token.lastgroup)
        pattern += re.escape(line[end : token.start()])
        if name in _SAME:
            examples.append(token[0])
            pattern += f"({_SAME[name]})"
        else:
            pattern += f"(?:{_ANY[name]})"
        end = token.end()
    return pattern + re.escape(line[end:]), examples


def squeeze(line: str) -> str:
    """A line without what widths of columns change."""
    return " ".join(line.split())


def _excerpt(lines: list[str]) -> str:
    return "\n           ".join(lines[:6]) or "(nothing)"
