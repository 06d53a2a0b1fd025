"""The whole course: all labs side by side, run or proved, with one line for each as it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from kubelab import catalogue, needs, report
from kubelab.catalogue import Entry
from kubelab.kubectl import Kubectl
from kubelab.leftovers import Inspector
from kubelab.paths import ROOT, kubeconfig, reports_dir
from kubelab.together import Crowd, Job

LAST_LINES = 15
Outcome = Literal["passed", "failed", "skipped"]


@dataclass
class Ended:
    """What became of one lab; `told` is one line. A lab is skipped for what the cluster lacks, never for a failure."""

    lab: str
    outcome: Outcome
    told: str
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    log: str = ""
    """File with everything that was printed, from the top of the repository."""
    results: dict[str, Any] = field(default_factory=dict)
    """What `.state/<cluster>/reports/<lab>.json` says; empty when there was nothing to say."""


@dataclass
class Course:
    """The labs on one cluster. `on_end` is told of each as it ends."""

    cluster: str
    at_once: int
    on_end: Callable[[Ended], None] = report.ended
    say: Callable[[str], None] = report.say

    def run(self, quick: bool = True, slow: bool = True) -> list[Ended]:
        """Sets up and checks quick labs, slow ones or all. They stay, as after `invoke lab NAME`."""
        return self._each(of_pace(quick, slow), "lab", self._ran)

    def reset(self) -> list[Ended]:
        """Removes every lab that is there."""
        there = [entry for entry in catalogue.load_all() if entry.ground.namespace in applied(self.cluster)]
        return self._each(there, "lab.reset", lambda job: self._ended(job, "is gone", []))

    def prove(self, quick: bool = True, slow: bool = True) -> list[Ended]:
        """Proves quick labs, slow ones or all. Whether something is left behind is looked at before and after them."""
        self.reset()
        inspector = Inspector(self.cluster)
        before = inspector.look_settled()
        ended = self._each(of_pace(quick, slow), "lab.prove", self._proved, "--shared")
        started = time.monotonic()
        left = inspector.difference_from(before)
        told = "something is left behind" if left else "nothing is left behind"
        ended.append(Ended("afterwards", "failed" if left else "passed", told, time.monotonic() - started, left))
        self.on_end(ended[-1])
        return ended

    def _each(self, entries: Sequence[Entry], task: str, read: Callable[[Job], Ended], *options: str) -> list[Ended]:
        jobs: list[Job] = []
        alone: list[Job] = []
        ended: list[Ended] = []

        def keep(one: Ended) -> None:
            ended.append(one)
            self.on_end(one)

        for entry in entries:
            if reasons := needs.unmet(entry.lab.needs, self.cluster):
                keep(Ended(entry.id, "skipped", "; ".join(reasons)))
            else:
                words = ["invoke", task, entry.id, f"--cluster={self.cluster}", *options]
                job = Job(task, entry.id, words, self._file(entry.id, f"{task}.log"))
                (alone if entry.lab.alone else jobs).append(job)
        for job in jobs + alone:  # what an earlier run has written would be read as this one's
            self._file(job.lab, "json").unlink(missing_ok=True)
            self._file(job.lab, "proof.json").unlink(missing_ok=True)
        Crowd(self.at_once, self.say).run(jobs, lambda job: keep(read(job)))
        Crowd(1, self.say).run(alone, lambda job: keep(read(job)))
        return ended

    def _file(self, lab: str, ending: str) -> Path:
        return reports_dir(self.cluster) / f"{lab}.{ending}"

    def _ran(self, job: Job) -> Ended:
        results = read(self._file(job.lab, "json"))
        checks = results.get("checks", [])
        problems = [problem for check in checks if check["outcome"] == "failed" for problem in _seen(check)]
        return self._ended(job, _counted(checks), problems, results)

    def _proved(self, job: Job) -> Ended:
        findings = read(self._file(job.lab, "proof.json")).get("findings", [])
        wrong = [f"{one['title']}: {text}" for one in findings for text in one["problems"]]
        return self._ended(job, f"{len(findings)} states", wrong)

    def _ended(self, job: Job, told: str, problems: list[str], results: dict[str, Any] | None = None) -> Ended:
        log = str(job.log.relative_to(ROOT))
        if job.code == 0:
            return Ended(job.lab, "passed", told, job.seconds, problems, log, results or {})
        problems = problems or job.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return Ended(job.lab, "failed", told, job.seconds, problems, log, results or {})


def read(path: Path) -> dict[str, Any]:
    """Returns what a run has written; empty when it ended before it could."""
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def of_pace(quick: bool, slow: bool) -> list[Entry]:
    """Returns the labs that are quick, slow, or either, in the order in which one learns."""
    return [entry for entry in catalogue.load_all() if (slow if entry.lab.slow else quick)]


def applied(cluster: str) -> set[str]:
    """Returns the cluster's namespaces: those of labs that are there among them; none when it is not up."""
    if not kubeconfig(cluster).is_file():
        return set()
    names = Kubectl(cluster).run("get namespaces -o name --request-timeout 3s").stdout
    return {name.removeprefix("namespace/") for name in names.split()}


def write(path: Path, cluster: str, ended: list[Ended], seconds: float) -> None:
    """Writes everything as JSON: the labs in the order in which they ended."""
    content = {"cluster": cluster, "seconds": round(seconds, 1), "labs": [asdict(one) for one in ended]}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_junit(path: Path, ended: list[Ended]) -> None:
    """Writes a suite for each lab and a case for each check, as test runners do."""
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    xml = JUnitXml("kubelab")
    for one in ended:
        suite = TestSuite(one.lab)
        for check in one.results.get("checks", []):
            case = TestCase(check["statement"], f"{one.lab}.{check['name']}", check["seconds"])
            if check["outcome"] == "failed":
                case.result = [Failure(check["message"])]
            elif check["outcome"] != "passed":
                case.result = [Skipped(check["message"])]
            suite.add_testcase(case)
        if one.outcome == "skipped" or (one.outcome == "failed" and not suite.failures):
            case = TestCase("the lab can be run", one.lab, one.seconds)
            case.result = [Skipped(one.told) if one.outcome == "skipped" else Error("\n".join(one.problems))]
            suite.add_testcase(case)
        xml.add_testsuite(suite)
    xml.write(str(path), pretty=True)


def _counted(checks: list[dict[str, Any]]) -> str:
    words = {"passed": "true", "failed": "not true", "open": "yours to do", "skipped": "skipped"}
    counts = {text: sum(check["outcome"] == outcome for check in checks) for outcome, text in words.items()}
    return ", ".join(f"{count} {text}" for text, count in counts.items() if count) or "nothing was checked"


def _seen(check: dict[str, Any]) -> list[str]:
    return [check["statement"], f"  saw: {check['message']}", *([f"  look: {check['hint']}"] if check["hint"] else [])]
