"""Labs: short lessons on a running cluster, each statement of theirs shown to be true."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.parser import ParseMachine
from invoke.tasks import task

from kubelab.paths import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from kubelab.catalogue import Entry
    from kubelab.results import Results

CLUSTER_HELP = {"cluster": "name of the cluster: a file in inventory/ (usually kind; in `invoke shell` the shell's)"}
LAB_HELP = {"lab": "name of the lab; `invoke lab` lists them", **CLUSTER_HELP}
JOBS_HELP = {"jobs": "how many labs at once; 0: two for each processor"}
PACE_HELP = {"quick": "of all labs only those that are not slow", "slow": "of all labs only those that take minutes"}

_complete_context = ParseMachine.complete_context


def _complete_with_optional(machine: Any) -> None:
    """Lets a positional argument that is marked optional be left out, as `invoke lab` does; invoke itself cannot."""
    for argument in machine.context.missing_positional_args if machine.context else []:
        if argument.optional:
            argument.set_value("", cast=False)
    _complete_context(machine)


setattr(ParseMachine, "complete_context", _complete_with_optional)  # noqa: B010 (mypy refuses the assignment)


@task(default=True, positional=["lab"], optional=["lab"], help={**LAB_HELP, "lang": "en or ja"})
def run(context: Context, lab: str, cluster: str = DEFAULT_CLUSTER, lang: str = "en") -> None:
    """Set up a lab and show each of its statements to be true; without a name, list all labs.

    Examples:
      invoke lab
      invoke lab clusterip
      invoke lab clusterip --lang=ja --cluster=test
    """
    if not lab:
        list_labs(context, cluster=cluster, lang=lang)
        return
    from kubelab import playbook

    entry = ready_for(lab, cluster)
    playbook.run("lab", cluster, {**entry.ground.extra_vars(), "lab_state": "present"}, with_nodes=True)
    results = _checked(entry, cluster, lang)
    if results.exit_code:
        raise Exit(code=results.exit_code)


@task(name="list", help={**CLUSTER_HELP, "lang": "en or ja"})
def list_labs(_: Context, cluster: str = DEFAULT_CLUSTER, lang: str = "en") -> None:
    """List the labs in the order in which one learns, and which of them are set up."""
    from rich.table import Table

    from kubelab import catalogue, course, report

    there = course.applied(cluster)
    table = Table(title=f"labs on cluster {cluster}", title_justify="left")
    for heading in ("lab", "title", "topic", "minutes", "set up"):
        table.add_column(heading, justify="right" if heading == "minutes" else "left")
    for entry in catalogue.load_all():
        mark = "[green]✔[/]" if entry.ground.namespace in there else ""
        lab = entry.lab
        table.add_row(entry.id, lab.title.in_language(lang), lab.topic, str(lab.minutes), mark)
    report.console.print(table)
    report.console.print("[bold]next:[/] invoke lab NAME · invoke lab.show NAME · invoke lab.reset NAME")


@task(positional=["lab"], help={"lab": LAB_HELP["lab"], "lang": "en or ja"})
def show(_: Context, lab: str, lang: str = "en") -> None:
    """Show the lesson of a lab: read it here, type its commands in `invoke shell`.

    Examples:
      invoke lab.show pod
      invoke lab.show pod --lang=ja
    """
    from rich.markdown import Markdown

    from kubelab import catalogue, report

    report.console.print(Markdown(catalogue.load(lab).lesson(lang).read_text()))


@task(positional=["lab"], help={**LAB_HELP, "lang": "en or ja"})
def check(_: Context, lab: str, cluster: str = DEFAULT_CLUSTER, lang: str = "en") -> None:
    """Check what you made by hand in a lab's namespace; of the lab itself nothing is applied.

    Examples:
      invoke lab.check pod
    """
    from kubelab import playbook

    entry = ready_for(lab, cluster)
    ground = entry.ground.extra_vars()
    playbook.run("lab", cluster, {**ground, "lab_state": "present", "lab_overlay": "nothing"}, with_nodes=True)
    results = _checked(entry, cluster, lang)
    if results.broken:
        raise Exit(code=1)


@task(positional=["lab"], help=LAB_HELP)
def images(_: Context, lab: str, cluster: str = DEFAULT_CLUSTER) -> None:
    """Bring the images that only this lab needs to the nodes, for who types its lesson; the first time they are built.

    Examples:
      invoke lab.images logging
    """
    from kubelab import playbook

    entry = ready_for(lab, cluster)
    if not entry.lab.parts:
        print(f"lab {lab} needs no images but those that every node has")
        return
    playbook.run("lab", cluster, {**entry.ground.extra_vars(), "lab_state": "images"}, with_nodes=True)


@task(positional=["lab"], optional=["lab"], help={**LAB_HELP, **JOBS_HELP})
def reset(_: Context, lab: str, cluster: str = DEFAULT_CLUSTER, jobs: int = 0) -> None:
    """Remove everything of a lab from the cluster and its nodes; without a name, of all labs.

    Examples:
      invoke lab.reset pod
      invoke lab.reset
    """
    from kubelab import catalogue, kubectl, playbook

    if not lab:
        side_by_side("reset", cluster, jobs)
        return
    entry = catalogue.load(lab)
    # A lab that does something to nodes may have taken the API server away: undoing brings it back.
    (kubectl.require if entry.lab.alone else kubectl.require_answer)(cluster)
    playbook.run("lab", cluster, {**entry.ground.extra_vars(), "lab_state": "absent"}, with_nodes=True)


@task(positional=["lab", "event"], help={**LAB_HELP, "event": "what shall happen: a file in the lab's folder events/"})
def happen(_: Context, lab: str, event: str, cluster: str = DEFAULT_CLUSTER) -> None:
    """Let something happen to the cluster's nodes that a lab is about. `invoke lab.reset` takes it back.

    Examples:
      invoke lab.happen node-failure node-stops
    """
    from kubelab import catalogue, kubectl, playbook, topology

    values = catalogue.load(lab).ground.event_vars(event)
    topology.find(cluster)
    kubectl.require(cluster)
    playbook.run("lab", cluster, values, with_nodes=True)


@task(
    name="all",
    help={
        **CLUSTER_HELP,
        **JOBS_HELP,
        **PACE_HELP,
        "junit": "write a file for test runners",
        "json": "write everything as JSON",
    },
)
def run_all(
    _: Context,
    cluster: str = DEFAULT_CLUSTER,
    jobs: int = 0,
    quick: bool = False,
    slow: bool = False,
    junit: str = "",
    json: str = "",
) -> None:
    """Set up and check all labs, several at once. They stay until `invoke lab.reset`.

    Examples:
      invoke lab.all
      invoke lab.all --quick
      invoke lab.all --jobs=2 --junit=labs.xml --json=labs.json
    """
    side_by_side("run", cluster, jobs, junit, json, **of_pace(quick, slow))


class Pace(TypedDict):
    """Which labs are meant."""

    quick: bool
    slow: bool


def of_pace(quick: bool, slow: bool) -> Pace:
    """Who names neither kind of labs means both."""
    return {"quick": quick or not slow, "slow": slow or not quick}


def ready_for(lab: str, cluster: str) -> Entry:
    """Returns the lab. Refuses an unknown lab or cluster, one that is not up, and one that lacks what the lab needs."""
    from kubelab import catalogue, kubectl, needs, topology
    from kubelab.errors import Refusal

    entry = catalogue.load(lab)
    topology.find(cluster)
    kubectl.require_answer(cluster)
    if reasons := needs.unmet(entry.lab.needs, cluster):
        raise Refusal(
            found="; ".join(reasons),
            needed=f"a cluster that lab {lab} can run on (labs/{lab}/lab.yml: needs)",
            change=f"inventory/{cluster}.yml, then ./invoke up; a program is installed on this machine",
        )
    return entry


def _checked(entry: Entry, cluster: str, lang: str) -> Results:
    """Waits until the lab stands, runs its checks and shows them as they come."""
    from kubelab import checks, report

    report.console.print(f"\n[bold]{entry.lab.title.in_language(lang)}[/]")
    for text in checks.wait_until_ready(cluster, entry.ground, report.say):
        report.console.print(f" [red]✘[/] {text}", soft_wrap=True)
    results = checks.run(cluster, entry.ground, on_check=report.line)
    report.show(results, entry.lab.next.in_language(lang) if entry.lab.next else "")
    return results


def side_by_side(what: str, cluster: str, jobs: int, junit: str = "", json: str = "", **options: bool) -> None:
    """Does one thing with all labs. Ends with 1 when one failed; the files are written also then."""
    from kubelab import course, kubectl, report, together, topology

    topology.find(cluster)
    kubectl.require_answer(cluster)
    started = time.monotonic()
    ended = getattr(course.Course(cluster, jobs or together.usual_number()), what)(**options)
    seconds = time.monotonic() - started
    if junit:
        course.write_junit(Path(junit), ended)
    if json:
        course.write(Path(json), cluster, ended, seconds)
    if not report.course(ended, seconds):
        raise Exit(code=1)
