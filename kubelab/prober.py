"""Sends requests from outside while something happens, and tells what it cost: sent, lost, the longest silence."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from kubelab.kubectl import Kubectl
from kubelab.results import Outage
from kubelab.viewpoints import Viewpoint, ViewpointLost, short
from kubelab.waiting import wait_until

LIMIT = 400
"""Seconds after which requests end by themselves, if nobody is left to end them."""
BEFORE = 5
"""How many times the limit of a request somebody may take to answer before anything happens."""
REST = 0.1
"""Seconds between two requests."""
NAME = "Hostname: "
"""Begins the line in which our programs say the name of their Pod."""

# One line a request: when it was sent, when it ended, curl's exit code, the body with commas for its line ends.
# Times are those since the start of the machine: nobody sets that clock, and the smallest shell can read it.
LOOP = """
end=$(($(date +%s) + {limit}))
touch {flag}
while [ -e {flag} ] && [ "$(date +%s)" -lt "$end" ]; do
  read -r sent _ < /proc/uptime; body=$(curl -sf -m {seconds} {url}); code=$?; read -r ended _ < /proc/uptime
  printf '%s %s %s %s\\n' "$sent" "$ended" "$code" "$(printf %s "$body" | tr '\\n' ',')"
  sleep {rest}
done
"""


@dataclass(frozen=True)
class Request:
    """One request: when it was sent and when it ended, in seconds since the place was started, and what came back."""

    sent: float
    ended: float
    body: str | None
    """None when no answer came."""

    @property
    def name(self) -> str:
        """The Pod that answered, '' where the answer does not say."""
        lines = (self.body or "").split(",")
        return next((line.removeprefix(NAME) for line in lines if line.startswith(NAME)), "")


def parse(printed: str) -> list[Request]:
    """Reads what the loop prints. An unfinished last line is left out."""
    requests = []
    for line in printed.splitlines():
        sent, ended, code, body = [*line.split(" ", 3), "", ""][:4]
        if code:
            requests.append(Request(float(sent), float(ended), body if code == "0" else None))
    return requests


def longest_silence(requests: list[Request]) -> float:
    """Returns the longest time from sending a request that was lost to the next answer, or to the end."""
    longest, since = 0.0, None
    for request in requests:
        if request.body is None:
            since = request.sent if since is None else since
        if since is not None:
            longest = max(longest, request.ended - since)
        if request.body is not None:
            since = None
    return longest


@dataclass
class Watch:
    """The requests of one time, complete when its `with` block has ended."""

    requests: list[Request] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.requests)

    @property
    def lost(self) -> int:
        return sum(request.body is None for request in self.requests)

    @property
    def gap(self) -> float:
        return longest_silence(self.requests)

    @property
    def names(self) -> list[str]:
        """The Pods that answered, in the order of their first answer."""
        return list(dict.fromkeys(request.name for request in self.requests if request.name))


@dataclass
class Prober:
    """Sends requests from one place; `kubectl` knows on which node the Pods run that answer."""

    place: Viewpoint
    outages: list[Outage]
    kubectl: Kubectl

    @contextmanager
    def during(self, label: str, url: str, patience: int = 1) -> Iterator[Watch]:
        """Sends requests as long as the block lasts, and keeps what it cost.

        With more `patience` a slow answer is none that is lost; a silence is then seen less exactly.

        Raises AssertionError when nobody answers before anything has happened: that would prove nothing. What has just
        been made may take a moment until the nodes know of it.
        """
        flag = f"/tmp/kubelab-prober-{time.time_ns()}"
        seconds = self.place.cluster.seconds
        loop = LOOP.format(flag=flag, url=shlex.quote(url), seconds=patience * seconds, rest=REST, limit=LIMIT)
        before = wait_until(lambda: self.place.get(url), lambda seen: seen.status is not None, seconds=BEFORE * seconds)
        assert before.status is not None, f"{url} does not answer before anything happens: {before.reason}"
        watch = Watch()
        with ThreadPoolExecutor(max_workers=1) as pool:
            printed = pool.submit(self.place.run, loop)
            self._begun(flag, printed.done)
            try:
                yield watch
            finally:
                self.place.run(f"rm -f {flag}")
                watch.requests = parse(printed.result().stdout)
        self._keep(label, url, watch)

    def _begun(self, flag: str, ended: Callable[[], bool]) -> None:
        there = wait_until(lambda: ended() or not self.place.run(f"test -e {flag}").rc, seconds=10)
        if not there or ended():
            raise ViewpointLost(f"no requests can be sent from {self.place.name}")

    def _keep(self, label: str, url: str, watch: Watch) -> None:
        last = watch.requests[-1].name if watch.requests else ""
        node = self.kubectl.run(f"get pod {last} -o jsonpath={{.spec.nodeName}}").stdout.strip() if last else ""
        where = f"{last} on {node}" if node else last
        self.outages.append(Outage(label, short(url), watch.sent, watch.lost, round(watch.gap, 1), where))
