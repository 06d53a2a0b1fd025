"""Artifacts: what a node is made of."""

from __future__ import annotations

from invoke import Context, task

from kubelab.paths import DEFAULT_CLUSTER


@task
def lock(_: Context) -> None:
    """Write go.mod and go.sum of everything that is built, from the version table.

    The table is inventory/group_vars/all/versions.yml. With the same versions nothing changes.

    Examples:
      invoke artifacts.lock
    """
    from kubelab import playbook

    changed = playbook.run("lock", DEFAULT_CLUSTER).changed
    print("every lock file was up to date" if changed == 0 else "the next `invoke up` builds what has changed")
