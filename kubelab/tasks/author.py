"""For those who write labs: a new one, the proof that its checks notice what is wrong, the page about all of them."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from kubelab.paths import DEFAULT_CLUSTER
from kubelab.tasks.lab import CLUSTER_HELP, JOBS_HELP, LAB_HELP, PACE_HELP, of_pace, ready_for, side_by_side

COLLECTION = "lab"


@task(
    positional=["lab"],
    optional=["lab"],
    help={
        **LAB_HELP,
        **JOBS_HELP,
        "shared": "others use the cluster now: do not look whether anything is left",
        **PACE_HELP,
    },
)
def prove(
    _: Context,
    lab: str,
    cluster: str = DEFAULT_CLUSTER,
    shared: bool = False,
    jobs: int = 0,
    quick: bool = False,
    slow: bool = False,
) -> None:
    """Check a lab's checks: they fail on every wrong state, pass on the solution, and nothing is left behind.

    Without a name, all labs are proved side by side.

    Examples:
      invoke lab.prove pod
      invoke lab.prove --jobs=4
      invoke lab.prove --quick
    """
    from kubelab import prove

    if not lab:
        side_by_side("prove", cluster, jobs, **of_pace(quick, slow))
    elif not prove.prove_lab(cluster, ready_for(lab, cluster), shared):
        raise Exit(code=1)


@task(positional=["lab"], help={"lab": "name of the new lab: its folder and its namespace are called so"})
def new(_: Context, lab: str) -> None:
    """Make the folder of a new lab: small and complete, to be changed into yours.

    Examples:
      invoke lab.new my-lab
    """
    from kubelab import new_lab, table

    new_lab.create(lab)
    table.show(("file", "what to write there"), new_lab.TO_FILL.items(), title=f"labs/{lab}")
    print(f"It is a lab already: invoke lab {lab}. Change it, then: invoke lint, invoke lab.prove {lab}")


@task(name="table")
def write_table(_: Context) -> None:
    """Write docs/labs.md: which lab and which check proves each statement of the notes.

    Examples:
      invoke lab.table
    """
    from kubelab import overview
    from kubelab.paths import ROOT

    for path, text in overview.pages().items():
        path.write_text(text)
        print(f"written: {path.relative_to(ROOT)}")


@task(help=CLUSTER_HELP)
def prove_cluster(_: Context, cluster: str = DEFAULT_CLUSTER) -> None:
    """Check the cluster's own checks: break everything once that they look at, and undo it. Takes minutes.

    Examples:
      invoke lab.prove-cluster --cluster=test
    """
    from kubelab import kubectl, prove, topology

    topology.find(cluster)
    kubectl.require_answer(cluster)
    if code := prove.prove_cluster(cluster):
        raise Exit(code=code)
