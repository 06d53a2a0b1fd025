"""What a check can ask for by naming it: the three viewpoints, kubectl, the table of who reaches what.

Checks are plain pytest functions. The first line of a check's docstring is the statement that the learner reads,
the rest is the hint shown when it does not hold. `@pytest.mark.task` marks what the lesson leaves to the learner.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Container, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from kubelab import playbook, record
from kubelab.catalogue import Ground
from kubelab.kubectl import Kubectl
from kubelab.prober import Prober
from kubelab.reach import Reach
from kubelab.results import Check, Figure, Outcome, Results
from kubelab.twins import Twins
from kubelab.viewpoints import PROBE_POD, Reachable, Viewpoint
from kubelab.waiting import Patience, busy, wait_until

NAME = "kubelab-run"
IMPATIENT = 8.0
"""Seconds that a check may wait where something is known to be broken."""
SETTLE = 10.0
"""Seconds that name service and forwarding rules have to follow a change, at the start and after each wait."""
CHANGED = 1.0
"""Who waited longer than that, waited for a change."""


@dataclass(eq=False)  # pytest keeps plugins in sets
class Run:
    """One run over one ground; pytest knows it as a plugin, fixtures and hooks find it there."""

    cluster: str
    ground: Ground
    on_check: Callable[[Check], None] = lambda _: None
    hopeless: Callable[[str], bool] = lambda _: False
    """Whether a check, by its name, is known to fail: then it need not wait long for what will not come."""
    failing: Container[str] = ()
    """Names of checks that fail in the end: they need not wait longer because the machine is busy."""
    pace: float = field(init=False)
    patience: Patience = field(init=False)
    results: Results = field(init=False)
    hope: bool = True
    fails: bool = False

    def __post_init__(self) -> None:
        self.results = Results(self.ground.id, self.cluster)
        self.pace = record.pace(self.cluster)
        self.patience = Patience(SETTLE * self.pace, self.stretch)

    def stretch(self) -> float:
        """On a busy machine what will come comes late; what is known not to come is not waited for any longer."""
        return busy() if self.hope and not self.fails else 1.0

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.hope, self.fails = not self.hopeless(item.name), item.name in self.failing

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "task: what the lesson asks the learner to do")
        config.addinivalue_line("markers", "quick: cheap enough to be looked at on every `invoke up`")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            message = str(report.longrepr).strip().splitlines()[-1]
            self.keep(Check("collection", f"the checks in {report.nodeid} can be read", "failed", message))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        if report.when == "call" or not report.passed:
            self.keep(to_check(item, call, report))
        return report

    def keep(self, check: Check) -> None:
        self.results.checks.append(check)
        self.on_check(check)


def to_check(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> Check:
    """Turns pytest's view of one test into a statement and its outcome."""
    doc = inspect.getdoc(item.function) or item.name  # type: ignore[attr-defined]
    statement, _, hint = doc.partition("\n")
    task = item.get_closest_marker("task") is not None
    outcome: Outcome = report.outcome
    if outcome == "failed" and task:
        outcome = "open"
    message = "" if report.passed or call.excinfo is None else first_lines(call.excinfo.value)
    seconds = round(report.duration, 2)
    return Check(item.name, statement.strip(), outcome, message, " ".join(hint.split()), seconds, task)


def first_lines(error: BaseException) -> str:
    """Returns what the check itself says, without what pytest adds to explain an assertion."""
    text = str(error).partition("\nassert ")[0].strip()
    known = isinstance(error, AssertionError | pytest.fail.Exception | pytest.skip.Exception)
    return text if known and text else f"{type(error).__name__}: {text}"


def the_run(config: pytest.Config) -> Run:
    run = config.pluginmanager.get_plugin(NAME)
    assert isinstance(run, Run), "these checks are started by `invoke lab`"
    return run


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    """The run itself: cluster, ground, results so far."""
    return the_run(pytestconfig)


@pytest.fixture(scope="session")
def namespace(run: Run) -> str:
    """The lab's own namespace."""
    return run.ground.namespace


@pytest.fixture(scope="session")
def kubectl(run: Run, namespace: str) -> Kubectl:
    """kubectl in the lab's namespace: `kubectl("get pods")`, `kubectl.json("get pod helloworld")`."""
    return Kubectl(run.cluster, namespace)


@pytest.fixture(scope="session")
def reachable(run: Run) -> Reachable:
    """Names and addresses of the cluster's machines."""
    return Reachable(run.cluster)


@pytest.fixture(scope="session")
def nodes(reachable: Reachable) -> list[Viewpoint]:
    """Every node, control plane first."""
    return reachable.nodes()


@pytest.fixture(scope="session")
def pod(reachable: Reachable, namespace: str) -> Viewpoint:
    """The probe Pod, in the lab's namespace."""
    return reachable.pod(PROBE_POD, namespace)


@pytest.fixture(scope="session")
def inside(reachable: Reachable, namespace: str) -> Callable[..., Viewpoint]:
    """Any Pod of the lab: `inside("helloworld").output("env")`."""
    return lambda name, container=None: reachable.pod(name, namespace, container)


@pytest.fixture(scope="session")
def outside(reachable: Reachable) -> Viewpoint:
    """A machine on the nodes' network without a route to Pods and Services."""
    place = reachable.outside()
    if place is None:
        pytest.skip("this cluster has no outside to look from")
    return place


@pytest.fixture(scope="session")
def reach(run: Run) -> Reach:
    """`reach.answers(label, url, places, by=lines)` and `reach.silent(label, url, places)`; both fill the table."""
    return Reach(run.results.probes, run.patience, lambda: run.fails)


@pytest.fixture(scope="session")
def prober(run: Run, outside: Viewpoint, kubectl: Kubectl) -> Prober:
    """`with prober.during("a Pod is killed", url) as watch:` sends requests; afterwards `watch.lost`, `watch.gap`."""
    return Prober(outside, run.results.outages, kubectl)


@pytest.fixture(scope="session")
def measured(run: Run) -> Callable[[str, str], None]:
    """`measured("the node is Ready again after", "41 s")` keeps a figure, for the table and for files."""
    return lambda what, value: run.results.figures.append(Figure(what, value))


@pytest.fixture(scope="session")
def happen(run: Run) -> Callable[[str], None]:
    """`happen("node-stops")` carries out events/node-stops.yml of the lab: what no kubectl can do to a node."""

    def carry_out(event: str) -> None:
        playbook.run("lab", run.cluster, run.ground.event_vars(event), with_nodes=True)

    return carry_out


@pytest.fixture(scope="session")
def eventually(run: Run) -> Callable[..., Any]:
    """`eventually(look, done, seconds=...)`: looks until `done(seen)` or the time is up, returns what was seen last."""

    def look_until(look: Callable[[], Any], done: Callable[[Any], bool] = bool, seconds: float | None = None) -> Any:
        limit = run.patience.left if seconds is None else seconds * run.pace * run.stretch()
        started = time.monotonic()
        seen = wait_until(look, done, limit if run.hope else min(limit, IMPATIENT * run.pace))
        if time.monotonic() - started > CHANGED:
            run.patience.begin()
        return seen

    return look_until


@pytest.fixture(scope="session")
def twins(kubectl: Kubectl, reachable: Reachable, eventually: Callable[..., Any]) -> Generator[Twins]:
    """`twins.make("helloworld", replicas=2, image=...)` copies a Deployment, to be broken and deleted by a check."""
    made = Twins(kubectl, eventually, reachable.address(reachable.group("control_planes")[0]))
    yield made
    made.remove()
