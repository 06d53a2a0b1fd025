"""Runs the checks of a ground with pytest, in this process, and returns what they found as data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from kubelab import record
from kubelab.catalogue import CLUSTER_GROUND, Ground
from kubelab.kubectl import Kubectl, environment, require
from kubelab.paths import ROOT, reports_dir
from kubelab.results import Check, Results
from kubelab.waiting import busy, wait_ready

READY_SECONDS = 120.0

QUIET = [
    "--config-file", str(ROOT / "pyproject.toml"), "--override-ini", "addopts=",
    "--import-mode", "importlib", "--capture", "no",
    "-p", "no:terminal", "-p", "no:cacheprovider", "-p", "kubelab.pytest_plugin",
]  # fmt: skip


@contextmanager
def _environment_of(cluster: str) -> Iterator[None]:
    """testinfra starts kubectl by itself: for a while, ours is the one on the path and the cluster is this one.

    kubectl and docker run for a moment, so they need not look for memory to free: that is a quarter of their work.
    """
    before = dict(os.environ)
    os.environ.update(environment(cluster), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", GOGC="1000")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run(
    cluster: str,
    ground: Ground,
    only: Sequence[str] = (),
    on_check: Callable[[Check], None] = lambda _: None,
    hopeless: Callable[[str], bool] = lambda _: False,
    failing: Container[str] = (),
) -> Results:
    """Runs the checks of a ground. `only` are further words for pytest, such as `-m quick`.

    `hopeless` tells by a check's name whether it holds at once or not at all, so that it waits in vain only briefly;
    one that is among `failing` waits as long as on a machine that is not busy.
    """
    import pytest

    from kubelab import pytest_plugin

    this = pytest_plugin.Run(cluster, ground, on_check, hopeless, failing)
    started = time.monotonic()
    with _environment_of(cluster):
        plugins: list[tuple[str, object]] = [(pytest_plugin.NAME, this)]
        code = pytest.main([*QUIET, *only, str(ground.tests)], plugins=[_Named(plugins)])
    this.results.seconds = round(time.monotonic() - started, 2)
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not this.results.with_outcome("failed"):
        this.keep(Check("checks", "the checks can be run", "failed", f"pytest ended with exit code {int(code)}"))
    this.results.write(reports_dir(cluster) / f"{ground.id}.json")
    return this.results


class _Named:
    """Registers plugins under a name, which pytest.main cannot."""

    def __init__(self, plugins: list[tuple[str, object]]) -> None:
        self.plugins = plugins

    def pytest_addoption(self, pluginmanager: object) -> None:
        for name, plugin in self.plugins:
            pluginmanager.register(plugin, name)  # type: ignore[attr-defined]


def wait_until_ready(cluster: str, ground: Ground, say: Callable[[str], None]) -> list[str]:
    """Waits for the ground's workloads. Returns what did not become ready, with its last event."""
    return wait_ready(Kubectl(cluster, ground.namespace), READY_SECONDS * record.pace(cluster) * busy(), say)


def prepare() -> None:
    """Reads what running checks needs; that takes half a second, well spent while Ansible is at work."""
    for name in ("pytest", "kubernetes.client", "kubelab.pytest_plugin", "kubelab.report"):
        import_module(name)


def run_cluster_checks(cluster: str, quick: bool, probes_are_up: bool = False) -> int:
    """Shows whether the cluster is sound; returns the exit code. `quick` looks only at what costs nothing."""
    from kubelab import report

    require(cluster)
    results = _quick_cluster_checks(cluster) if quick else _full_cluster_checks(cluster, probes_are_up)
    report.show(results, brief=True)
    return results.exit_code


def _quick_cluster_checks(cluster: str) -> Results:
    return run(cluster, CLUSTER_GROUND, ["-m", "quick"], hopeless=lambda _: True)


def _full_cluster_checks(cluster: str, probes_are_up: bool) -> Results:
    """Puts the probes up and takes them away again; the checks that need none run while the Pods start.

    The namespace is the checks' own, so they remove it themselves: nobody has to wait for that.
    """
    from kubelab import playbook, report

    ground = CLUSTER_GROUND
    if not probes_are_up:
        playbook.run("lab", cluster, {**ground.extra_vars(), "lab_state": "present"})
    try:
        return run(cluster, ground, on_check=report.line)
    finally:
        Kubectl(cluster).run(f"delete namespace {ground.namespace} --wait=false")
