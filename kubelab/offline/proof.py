"""Brings a cluster up, runs all labs and takes it down, where every attempt to reach a network is seen.

    python -m kubelab.offline.proof BUNDLE       or the folder of a registry that somebody has filled
    python -m kubelab.offline.proof FOLDER --company       that registry, where only a company's proxy leads to it

Parts of the test suite: `invoke test --only=offline --only=offline-registry --only=company`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kubelab.errors import Refusal
from kubelab.lint import tracked
from kubelab.offline import behind, filled, place
from kubelab.offline.recorder import REGISTRY, Attempt, Recorder
from kubelab.paths import ROOT, cache_dir

APART = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
COMPANY = "--company"
COMMANDS = (["up"], ["lab.all"], ["down"])
CONTROL = "203.0.113.7"
"""An address of a range that belongs to nobody."""
HERE = f"""'{CONTROL}'
import contextlib, socket
for name in ("control.example", "{CONTROL}"):
    with contextlib.suppress(OSError):
        socket.create_connection((name, 443), 3).recv(1)
"""
NODE = "kubelab-kind-worker"
LAST_LINES = 20
OURS = ("PIP_", "UV_", "DOCKER_", "KUBELAB_", "XDG_", "GOPROXY", "HTTP", "http", "VIRTUAL_ENV")
"""Beginnings of variables that might lead to a mirror, a proxy, a cache or an engine that is not there."""


def alone(source: Path, company: bool) -> int:
    """Makes the place and does it all there. Returns an exit code; nothing is left."""
    if os.geteuid() != 0:
        raise Refusal("an account that is not root", "root, to make a network namespace", "run it as root")
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="offline-", dir=cache_dir(), ignore_cleanup_errors=True) as folder:
        tree = Path(folder) / "kubelab"
        for path in tracked():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, tree / path, follow_symlinks=False)
        if source.is_dir():
            name = REGISTRY if company else filled.address(source)
            filled.lead_to(source, name, tree, Path(folder) / "home")
        words = [sys.executable, "-m", "kubelab.offline.proof", "--inside", folder, str(source.absolute())]
        return subprocess.run([*APART, *words, *[COMPANY] * company], cwd=ROOT, check=False).returncode


def inside(folder: Path, source: Path, company: bool) -> int:
    """Runs in the place. Returns 0 when all commands held and nobody tried to reach anything elsewhere."""
    place.make(folder)
    recorder = Recorder(lambda seen: None if seen.why_usual else print(f"  seen     {seen.text}", flush=True))
    wrong = _noticed(
        recorder, [sys.executable, "-c"], HERE, {f"connects to {CONTROL}:443", "looks up control.example A"}
    )
    if source.is_dir():
        wrong += filter(None, [filled.serve(source)])
    if not wrong:
        wrong = _lived(folder, source, behind.Company(folder, source) if company else None, recorder)
    _stop_engine()
    if wrong and (log := folder / "log/kubelab-dockerd.log").is_file():
        print("the engine's last words:", *log.read_text().splitlines()[-LAST_LINES:], sep="\n  ")
    return _judged(recorder.attempts, [*wrong, *place.dropped()])


def _lived(folder: Path, source: Path, company: behind.Company | None, recorder: Recorder) -> list[str]:
    """Types the commands. Returns what is wrong."""
    wrong = []
    brought = [] if source.is_dir() else [["artifacts.unbundle", str(source)]]
    for words in (*brought, *(behind.COMMANDS if company else COMMANDS)):
        typed = ["./invoke", *words]
        print(f"\n=== {' '.join(typed)}", flush=True)
        env = _fresh(folder) | (company.settings if company else {})
        if code := subprocess.run(typed, cwd=folder / "kubelab", env=env, check=False).returncode:
            wrong.append(f"{' '.join(typed)} ended with {code}")
            if words != ["lab.all"]:
                break
        if words == ["up"]:
            on_node = ["docker", "exec", NODE, "timeout", "3", "bash", "-c"]
            wrong += _noticed(
                recorder, on_node, f"exec 3<>/dev/tcp/{CONTROL}/443; read <&3", {f"connects to {CONTROL}:443"}
            )
            wrong += company.ask(NODE) if company else []
    return wrong + (company.judged() if company else [])


def first(folder: Path, source: Path, company: bool) -> int:
    """The first process of the place: it takes leave of those that nobody else waits for, until the proof has ended."""
    proof = os.fork()
    if proof == 0:
        os._exit(inside(folder, source, company))
    while True:
        ended, status = os.wait()
        if ended == proof:
            return os.waitstatus_to_exitcode(status)


def _fresh(folder: Path) -> dict[str, str]:
    """The environment of a machine on which nothing was done before."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    tools = str(Path(sys.executable).parent)
    path = os.pathsep.join(word for word in os.environ["PATH"].split(os.pathsep) if word != tools)
    return {**kept, "PATH": path, "HOME": str(folder / "home")}


def _noticed(recorder: Recorder, program: list[str], script: str, wanted: set[str]) -> list[str]:
    """The positive control: does the recorder see and name who tries? What the control did does not count later."""
    subprocess.run([*program, script], stderr=subprocess.DEVNULL, check=False)
    time.sleep(1)
    seen = {attempt for attempt in recorder.attempts if CONTROL in attempt.who}
    recorder.attempts[:] = [attempt for attempt in recorder.attempts if attempt not in seen]
    missing = wanted - {attempt.what for attempt in seen}
    return [f"the recorder did not notice what the control did: {', '.join(sorted(missing))}"] if missing else []


def _stop_engine() -> None:
    """The engine that `up` has started ends with its containers, so that its folders can be removed."""
    names = subprocess.run(
        ["docker", "ps", "--all", "--quiet"], capture_output=True, text=True, check=False
    ).stdout.split()
    if names:
        subprocess.run(["docker", "rm", "--force", "--volumes", *names], capture_output=True, check=False)
    stop = ["start-stop-daemon", "--stop", "--oknodo", "--retry", "20", "--pidfile", "/run/kubelab-dockerd.pid"]
    subprocess.run(stop, check=False)


def _judged(attempts: list[Attempt], wrong: list[str]) -> int:
    """Shows who tried what. Returns 1 when that is more than usual, or something else is wrong."""
    for attempt in dict.fromkeys(attempts):
        if attempt.why_usual:
            print(f"usual: {attempt.text} ({attempt.why_usual})")
        else:
            wrong.append(f"{attempt.text} ({attempts.count(attempt)} times)")
    for text in wrong:
        print(f"wrong: {text}")
    if not wrong:
        print("nothing was looked up or connected to elsewhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        sys.exit(first(Path(sys.argv[2]), Path(sys.argv[3]), COMPANY in sys.argv))
    try:
        sys.exit(alone(Path(sys.argv[1]), COMPANY in sys.argv))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(refusal.code)
