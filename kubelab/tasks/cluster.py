"""The cluster: bring it up, look at it, work in it, take it down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import Context, Exit, task

from kubelab.paths import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from kubelab.status import View

COLLECTION = ""

CLUSTER_HELP = {"cluster": "name of the cluster: a file in inventory/ (usually kind; in `invoke shell` the shell's)"}


@task(help={**CLUSTER_HELP, "workers": "how many workers, instead of the number in the cluster's file"})
def up(_: Context, cluster: str = DEFAULT_CLUSTER, workers: str = "") -> None:
    """Bring up a cluster, show that it is sound, and say what to try next.

    Doing it again changes nothing; after an interruption it goes on.

    Examples:
      invoke up
      invoke up --workers=3
      invoke up --cluster=mine    (a shape of your own: copy inventory/kind.yml to inventory/mine.yml)
    """
    from threading import Thread

    from kubelab import checks, playbook, verification
    from kubelab.catalogue import CLUSTER_GROUND

    overrides = _overrides(cluster, workers)
    Thread(target=checks.prepare, daemon=True).start()
    probes = {} if verification.holds(cluster) else CLUSTER_GROUND.extra_vars()
    result = playbook.run("up", cluster, {**overrides, **probes})
    if result.changed != 0:
        verification.forget(cluster)
    if code := verify(cluster, probes_are_up=bool(probes)):
        raise Exit(f"the cluster is up, but not sound; look: invoke status{_option(cluster)}", code)
    _show_nodes(_look(cluster))
    _show_next(cluster)


@task(help=CLUSTER_HELP)
def status(_: Context, cluster: str = DEFAULT_CLUSTER) -> None:
    """Show nodes, addresses, versions, add-ons, labs set up, and what is wrong (then the exit code is 1).

    Examples:
      invoke status
      invoke status --cluster=test
    """
    from kubelab import paths, status, table, topology

    topology.find(cluster)
    if not _record(cluster):
        print(f"{cluster} is not up; `invoke up{_option(cluster)}` brings it up")
        return
    view = _look(cluster)
    if not paths.kubeconfig(cluster).is_file():
        view.problems = [f"it was begun and not finished; `invoke up{_option(cluster)}` goes on"]
    _show_nodes(view)
    if view.addons:
        table.show(status.ADDON_HEADINGS, view.addons)
    if parts := _record(cluster).get("parts_from"):
        print(f"parts: from the {parts}")
    print(f"labs set up: {', '.join(view.labs) or 'none'}")
    for problem in view.problems:
        print(f"wrong: {problem}")
    for cause in view.causes:
        print(f"the cluster warned: {cause}")
    if view.problems:
        raise Exit(code=1)
    print("nothing is wrong")


@task(help=CLUSTER_HELP)
def down(_: Context, cluster: str = DEFAULT_CLUSTER) -> None:
    """Remove what the cluster's record lists, and nothing else. Twice is fine.

    Examples:
      invoke down
      invoke down --cluster=test
    """
    from kubelab import playbook, topology

    topology.find(cluster)
    record = _record(cluster)
    if not record:
        print(f"{cluster} is not up: nothing to remove")
        return
    playbook.run("down", cluster)
    machines = record.get("machines", {})
    if record.get("provider") == "hosts":
        print(f"as they were before: {', '.join(machines)}; removed: .state/{cluster}")
        return
    gone = [*record.get("containers", []), *machines, f"network {record['network']}" if "network" in record else ""]
    print(f"removed: {', '.join(filter(None, gone))}, .state/{cluster}")


@task(help={**CLUSTER_HELP, "lose-pods": "go on although Pods that no controller looks after are lost"})
def upgrade(_: Context, cluster: str = DEFAULT_CLUSTER, lose_pods: bool = False) -> None:
    """Move a cluster on machines to the versions of this copy of kubelab, one node at a time; what it holds is kept.

    Examples:
      git pull && invoke upgrade --cluster=home
    """
    from kubelab import kubectl, playbook, topology, verification
    from kubelab.errors import Refusal

    shape = topology.load(cluster)
    if shape.provider == "kind":
        raise Refusal(
            found=f"cluster {cluster} of provider kind, whose nodes are made from an image as a whole",
            needed="a cluster on machines: provider hosts or vm",
            change=f"invoke down{_option(cluster)}, then up: it comes with the new versions",
        )
    # Of an upgrade that was killed, a control plane may still be on its way.
    kubectl.require_answer(cluster, seconds=120)
    playbook.run("upgrade", cluster, {"kubernetes_binaries_lose_pods": True} if lose_pods else {})
    verification.forget(cluster)
    if code := verify(cluster, probes_are_up=False):
        raise Exit(f"the cluster was moved, but is not sound; look: invoke status{_option(cluster)}", code)
    _show_nodes(_look(cluster))


@task(help={**CLUSTER_HELP, "print": "print lines for `eval` instead of starting a shell"})
def shell(_: Context, cluster: str = DEFAULT_CLUSTER, print: bool = False) -> None:
    """Start a shell in which kubectl means this cluster. Your own kubeconfig is neither read nor written.

    Examples:
      invoke shell
      eval "$(invoke shell --print)"
    """
    from kubelab import kubectl, subshell, topology

    topology.find(cluster)
    kubectl.require(cluster)
    if print:
        _write(subshell.exports(cluster))
        return
    _write(f"kubectl now means the cluster {cluster}; `exit` leaves this shell")
    if code := subshell.run(cluster):
        raise Exit(code=code)


@task(positional=["shell"], help={"shell": "bash or zsh"})
def completion(_: Context, shell: str) -> None:
    """Print what makes Tab complete tasks, options, clusters and labs.

    Examples:
      source <(invoke completion bash)    (in ~/.bashrc: the launcher with its path instead of `invoke`)
      source <(invoke completion zsh)
    """
    from kubelab import completion

    _write(completion.script(shell))


def verify(cluster: str, probes_are_up: bool) -> int:
    """Runs the cluster's checks: the quick ones if this very state has passed them all. Returns the exit code."""
    from kubelab import checks, verification

    quick = verification.holds(cluster)
    code = checks.run_cluster_checks(cluster, quick, probes_are_up)
    if code:
        verification.forget(cluster)
    elif not quick:
        verification.keep(cluster)
    return code


def _overrides(cluster: str, workers: str) -> dict[str, Any]:
    """Returns the extra variables of the playbook. Refuses what does not make a shape."""
    from kubelab import topology
    from kubelab.errors import Refusal

    if workers and not workers.isdecimal():
        raise Refusal(f'"{workers}" workers', "a whole number", "invoke up --workers=3")
    overrides = {"cluster_workers": int(workers)} if workers else {}
    topology.load(cluster, overrides)
    return overrides


def _record(cluster: str) -> dict[str, Any]:
    from kubelab import record

    return record.load(cluster) or {}


def _look(cluster: str) -> View:
    from kubelab import record, status

    return status.look(cluster, record.nodes(_record(cluster)))


def _show_nodes(view: View) -> None:
    from kubelab import status, table

    if view.nodes:
        table.show(status.NODE_HEADINGS, view.nodes)


def _show_next(cluster: str) -> None:
    option = _option(cluster)
    if pool := _record(cluster).get("lb_pool"):
        print(f"addresses for LoadBalancer Services: {pool}")
    print(
        f"try next:\n"
        f"  invoke lab{option}             the lessons, in the order in which one learns\n"
        f"  invoke lab pod{option}         the first one\n"
        f"  invoke shell{option}           a shell in which kubectl means this cluster\n"
        f"  invoke down{option}            remove it all"
    )


def _option(cluster: str) -> str:
    return "" if cluster == DEFAULT_CLUSTER else f" --cluster={cluster}"


def _write(text: str) -> None:
    print(text, flush=True)
