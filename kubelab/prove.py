"""Checks the checks: they must fail where the lesson's statements are untrue, each for its own reason."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial

from invoke.exceptions import Exit

from kubelab import catalogue, checks, playbook, report
from kubelab.catalogue import Entry, Fault, Ground
from kubelab.leftovers import Inspector
from kubelab.lesson import Lesson
from kubelab.paths import reports_dir
from kubelab.results import Finding, Results
from kubelab.walkthrough import walk


def judge_untouched(results: Results) -> list[str]:
    """On an empty ground no statement may hold; each must fail by itself, not because none could be read."""
    unread = [f"{check.statement}: {check.message}" for check in results.checks if not check.name.startswith("test_")]
    return unread + [f"{check.name} passes although nothing is there" for check in results.with_outcome("passed")]


def judge_half(results: Results) -> list[str]:
    """With what is given, exactly what the learner has to do is missing."""
    missed = [
        f"{check.name} passes although the learner did nothing"
        for check in results.checks
        if check.task and check.outcome == "passed"
    ]
    return missed + [f"{check.name} fails: {check.message}" for check in results.with_outcome("failed")]


def judge_solution(results: Results) -> list[str]:
    """With the solution everything holds."""
    return [f"{name} fails: {message}" for name, message in results.broken.items()]


def judge_fault(results: Results, fault: Fault) -> list[str]:
    """A fault breaks exactly the checks that it names, with the message that it names."""
    broken = results.broken
    problems = [f"{name} does not notice" for name in fault.fails if name not in broken]
    for name, message in broken.items():
        if name in fault.fails and fault.fails[name] not in message:
            problems.append(f'{name} fails without saying "{fault.fails[name]}": {message}')
        elif name not in fault.fails and name not in fault.also:
            problems.append(f"{name} fails too: {message}")
    return problems


@dataclass
class Proof:
    """Puts a ground into one state after the other and judges what the checks say."""

    cluster: str
    ground: Ground
    findings: list[Finding] = field(default_factory=list)
    fault: str = ""
    """The fault that is in force, to be undone before the next state."""
    tasks: set[str] = field(default_factory=set)
    """Checks of what is the learner's to do, as far as they were seen: without the solution they fail."""

    def of_lab(self, entry: Entry, shared: bool = False) -> list[Finding]:
        """Proves a lab: untouched, half done, solved twice, each fault, typed by hand, nothing left.

        On a cluster shared with others at work, what is left cannot be told from what is theirs: it is not looked at.
        """
        self.clean()
        inspector = Inspector(self.cluster)
        before = {} if shared else inspector.look_settled()
        try:
            self._step("untouched: every check fails", lambda: judge_untouched(self.state(overlay="nothing")))
            self._step("as given: exactly your part is missing", lambda: judge_half(self.state()))
            self._solved("solved: every check passes")
            self._solved("solved, once more: the same")
            self._faults()
            self.clean()
            self._step("the lesson, typed by hand: as written", lambda: self._typed(entry))
        finally:
            self.clean()
        if not shared:
            self._step("afterwards: as if nothing had been", lambda: inspector.difference_from(before))
        return self.findings

    def of_cluster(self) -> list[Finding]:
        """Proves tests/cluster: it passes on a sound cluster, and each fault is noticed and undone."""
        self.clean()
        try:
            self._solved("sound: every check passes")
            self._faults()
            self._solved("sound again: every check passes")
        finally:
            self.clean()
        return self.findings

    def _solved(self, title: str) -> None:
        self._step(title, lambda: judge_solution(self.state(overlay=self.ground.solution)))

    def _faults(self) -> None:
        for name in self.ground.faults:
            fault = catalogue.load_fault(self.ground, name)
            self._step(f"fault {name}: {fault.title}", partial(self._fault, name, fault))

    def _fault(self, name: str, fault: Fault) -> list[str]:
        return judge_fault(self.state(self.ground.solution, name, fault), fault)

    def state(self, overlay: str = "", name: str = "", fault: Fault | None = None) -> Results:
        """Brings the ground into a state, with a fault if one is named; returns what the checks say about it."""
        self._playbook(lab_state="present", lab_overlay=overlay, lab_fault=name, lab_undo=self.fault)
        self.fault = name
        ready = fault is None or fault.ready
        late = checks.wait_until_ready(self.cluster, self.ground, report.say) if ready else []
        for text in late:
            report.say(text)
        failing = set(fault.fails) if fault else set()
        if overlay != self.ground.solution:
            failing |= self.tasks
        hopeless = {*failing, *fault.also} if fault and not ready else set()
        results = checks.run(self.cluster, self.ground, hopeless=lambda name: name in hopeless, failing=failing)
        self.tasks |= {check.name for check in results.checks if check.task}
        return results

    def clean(self) -> None:
        self._playbook(lab_state="absent")
        self.fault = ""

    def _playbook(self, **values: object) -> None:
        given = {key: value for key, value in values.items() if value}
        playbook.run("lab", self.cluster, {**self.ground.extra_vars(), **given}, with_nodes=True, often=True)

    def _typed(self, entry: Entry) -> list[str]:
        surprises = walk(self.cluster, Lesson.read(entry.lesson()), report.say)
        if surprises:
            return [str(surprise) for surprise in surprises]
        return judge_half(self.state(overlay="nothing"))

    def _step(self, title: str, judge: Callable[[], list[str]]) -> None:
        started = time.monotonic()
        try:
            problems = judge()
        except Exit as stopped:
            if stopped.code == playbook.INTERRUPTED:
                raise
            problems = [f"a playbook has failed with exit code {stopped.code}"]
        finding = Finding(title, problems, round(time.monotonic() - started, 1))
        self.findings.append(finding)
        report.finding(finding)


def prove_lab(cluster: str, entry: Entry, shared: bool) -> bool:
    """Proves one lab, shows it and writes it to a file for who reads many. Returns whether it is proved."""
    path = reports_dir(cluster) / f"{entry.id}.proof.json"
    findings = Proof(cluster, entry.ground).of_lab(entry, shared)
    path.write_text(json.dumps({"findings": [asdict(one) for one in findings]}, indent=2, ensure_ascii=False) + "\n")
    return report.proof(f"lab {entry.id}", findings)


def prove_cluster(cluster: str) -> int:
    """Breaks everything once that tests/cluster looks at, and undoes it. Returns the exit code."""
    return 0 if report.proof("tests/cluster", Proof(cluster, catalogue.CLUSTER_GROUND).of_cluster()) else 1
