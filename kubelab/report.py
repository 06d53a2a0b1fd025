"""Shows results in the terminal: a line a check, the table of who reaches what, and what to try next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kubelab.progress import in_words
from kubelab.results import Check, Figure, Finding, Outage, Probe, Results

if TYPE_CHECKING:
    from kubelab.course import Ended

MARKS = {"passed": "[green]✔[/]", "failed": "[red]✘[/]", "open": "[yellow]☐[/]", "skipped": "[cyan]-[/]"}
PLACES = ("pod", "node", "outside")

console = Console(highlight=False)


def line(check: Check) -> None:
    """One line for one check; more where it did not hold."""
    console.print(f" {MARKS[check.outcome]} {escape(check.statement)}", soft_wrap=True)
    if check.outcome == "passed":
        return
    words = {"failed": "saw", "open": "yours to do; saw", "skipped": "skipped"}
    console.print(f"     [dim]{words[check.outcome]}:[/] {escape(check.message)}", soft_wrap=True)
    if check.hint and check.outcome != "skipped":
        console.print(f"     [dim]look:[/] {escape(check.hint)}", soft_wrap=True)


def say(text: str) -> None:
    """What is going on, for those who wait."""
    console.print(f"[dim]  {escape(text)}[/]", soft_wrap=True)


def finding(found: Finding) -> None:
    """One step of a proof, and what speaks against it."""
    mark = MARKS["passed" if found.holds else "failed"]
    console.print(f" {mark} {escape(found.title)} [dim]({found.seconds:.1f} s)[/]", soft_wrap=True)
    for problem in found.problems:
        console.print(f"     {escape(problem)}", soft_wrap=True)


def proof(what: str, findings: list[Finding]) -> bool:
    """All steps of a proof together, and the verdict."""
    console.print(f"\n[bold]{what}[/]")
    for found in findings:
        finding(found)
    holds = bool(findings) and all(found.holds for found in findings)
    verdict = "[green]is proved[/]" if holds else "[red]is not proved[/]"
    console.print(f"{what} {verdict} [dim]({sum(found.seconds for found in findings):.0f} s)[/]")
    return holds


def ended(one: Ended) -> None:
    """One line for one lab of many; for a failure what was seen, and where to read more."""
    mark = MARKS[one.outcome]
    console.print(f" {mark} {one.lab}: {escape(one.told)} [dim]({in_words(one.seconds)})[/]", soft_wrap=True)
    if one.outcome != "failed":
        return
    for problem in one.problems:
        console.print(f"     {escape(problem)}", soft_wrap=True)
    if one.log:
        console.print(f"     [dim]all of it:[/] {escape(one.log)}", soft_wrap=True)


def course(labs: list[Ended], seconds: float) -> bool:
    """The verdict over many labs: each failure once more, and how much time it saved to do them side by side.

    Returns whether none failed.
    """
    for one in labs:
        if one.outcome == "failed":
            ended(one)
    counts = {outcome: sum(one.outcome == outcome for one in labs) for outcome in ("passed", "failed", "skipped")}
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count) or "there was nothing to do"
    one_by_one = sum(one.seconds for one in labs)
    colour = "red" if counts["failed"] else "green"
    console.print(f"[{colour}]{told}[/] [dim](in {in_words(seconds)}; the times add up to {in_words(one_by_one)})[/]")
    return not counts["failed"]


def show(results: Results, following: str = "", brief: bool = False) -> None:
    """The end of a run: the table, the count, what comes next. `brief` leaves out the table when all is well."""
    if results.probes and not (brief and results.exit_code == 0):
        console.print(reach_table(results.probes))
    if results.outages:
        console.print(outage_table(results.outages))
    if results.figures:
        console.print(figure_table(results.figures))
    console.print(summary(results))
    if following:
        console.print(f"[bold]next:[/] {escape(following)}", soft_wrap=True)


def summary(results: Results) -> str:
    words = {"passed": "true", "failed": "not true", "open": "yours to do", "skipped": "skipped"}
    counts = [(len(results.with_outcome(outcome)), text) for outcome, text in words.items()]  # type: ignore[arg-type]
    told = ", ".join(f"{count} {text}" for count, text in counts if count) or "nothing was checked"
    colour = "red" if results.exit_code else "green"
    return f"[{colour}]{results.ground}: {told}[/] [dim]({results.seconds:.1f} s)[/]"


def reach_table(probes: list[Probe]) -> Table:
    """Rows are the addresses one can try, columns the places one can stand in; a cell says expected and seen."""
    table = Table(title="who reaches what", title_justify="left", show_lines=False)
    table.add_column("address", overflow="fold")
    for place in PLACES:
        table.add_column(_heading(place, probes), overflow="fold")
    for label in dict.fromkeys(probe.label for probe in probes):
        row = [probe for probe in probes if probe.label == label]
        addresses = list(dict.fromkeys(probe.address for probe in row))
        told = addresses[0] if len(addresses) == 1 else f"{len(addresses)} addresses"
        cells = (cell([probe for probe in row if probe.place == place]) for place in PLACES)
        table.add_row(f"{escape(label)}\n[dim]{escape(told)}[/]", *cells)
    return table


def outage_table(outages: list[Outage]) -> Table:
    """What each event cost those who sent requests from outside meanwhile."""
    table = Table(title="requests from outside while it happened", title_justify="left")
    table.add_column("what happened", overflow="fold")
    for heading in ("sent", "lost", "longest silence"):
        table.add_column(heading, justify="right")
    table.add_column("answers now", overflow="fold")
    for one in outages:
        gap = f"{one.gap:.1f} s" if one.lost else "none"
        table.add_row(escape(one.label), str(one.sent), str(one.lost), gap, escape(one.answered_by))
    return table


def figure_table(figures: list[Figure]) -> Table:
    """What was measured, in the order in which it was."""
    table = Table(title="measured", title_justify="left")
    table.add_column("what", overflow="fold")
    table.add_column("value", justify="right")
    for one in figures:
        table.add_row(escape(one.what), escape(one.value))
    return table


def _heading(place: str, probes: Iterable[Probe]) -> str:
    many = len({probe.at for probe in probes if probe.place == place})
    return f"{many} nodes" if place == "node" and many > 1 else place


def cell(probes: list[Probe]) -> str:
    """What was expected and seen from one place; places of a kind that agree are told once."""
    if not probes:
        return "[dim]·[/]"
    latest = list({(probe.at, probe.address): probe for probe in probes}.values())
    wrong = [probe for probe in latest if not probe.ok]
    shown = wrong or latest
    mark = "[red]✘[/]" if wrong else "[green]✔[/]"
    seen = ", ".join(dict.fromkeys(probe.seen for probe in shown))
    where = f"{', '.join(probe.at for probe in wrong)}: " if wrong and len(latest) > 1 else ""
    return f"{mark} {shown[0].expected}\n[dim]{escape(where + seen)}[/]"
