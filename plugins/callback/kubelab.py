"""What a playbook of kubelab prints: roles as headings, a line per step that changed something or took time."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as Default

# ansible-playbook does not know our package, which has no place among the installed ones.
sys.path.append(str(Path(__file__).resolve().parents[2]))
from kubelab.progress import FIRST_BEAT, Heartbeat, Memory, Step, durations_file, in_words

DOCUMENTATION = """
    name: kubelab
    type: stdout
    short_description: readable by a beginner; with -v it is the default callback
    description:
      - Prints a heading for each role and a line for each step that changed something or took a second.
      - Says every now and then which step is running, for how long, and how long it usually takes.
      - Prints refusals plainly, other failures with the place of the task and the end of its output.
    extends_documentation_fragment:
      - default_callback
      - result_format_callback
"""

WORTH_A_LINE = 1.0  # seconds
TAIL = 30  # lines of a failed command's output
SPOKEN = ("ansible.builtin.fail", "ansible.builtin.assert", "fail", "assert")
SAID = ("ansible.builtin.debug", "debug")


def tail(text: str, lines: int = TAIL) -> str:
    kept = text.rstrip().splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in kept)


class CallbackModule(Default):
    """The default callback with less on the screen. `-v` gives the default's output unchanged."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "kubelab"

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.step: Step | None = None
        self.role = ""
        self.started = time.monotonic()
        self.memory = Memory(durations_file())
        self.heartbeat = Heartbeat(self.memory)

    @property
    def plain(self) -> bool:
        return bool(self._display.verbosity > 0)

    def say(self, text: str, color: str | None = None) -> None:
        self._display.display(text, color=color)

    # What is running

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._close_step()
        self.role = ""
        self._play = play
        if self.plain:
            super().v2_playbook_on_play_start(play)

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        self._close_step()
        role = task._role.get_name() if task._role else ""
        # "role : file | Do x": the role is the heading, the file is told when the step fails.
        name = task.get_name().strip().removeprefix(f"{role} : ").rpartition(" | ")[2]
        if self.plain:
            super()._task_start(task, prefix)
        elif role and role != self.role:
            self.say(f"\n{role}", C.COLOR_HIGHLIGHT)
        self.role = role or self.role
        self.step = Step(role, name)
        self.heartbeat.start(self.step)

    def _print_task_banner(self, task: Any) -> None:
        if self.plain:
            super()._print_task_banner(task)

    def _close_step(self) -> None:
        self.heartbeat.stop()
        step, self.step = self.step, None
        if step is None:
            return
        step.seconds = time.monotonic() - step.started
        self.steps.append(step)
        if not self.plain and not step.failed and (step.changed or step.seconds >= WORTH_A_LINE):
            word = "changed" if step.changed else "ok"
            hosts = [host for host in step.changed if host != "localhost"]
            where = f" on {', '.join(hosts)}" if hosts else ""
            color = C.COLOR_CHANGED if step.changed else C.COLOR_OK
            self.say(f"  {word:<8} {step.name}{where} ({in_words(step.seconds)})", color)

    # What became of it

    def v2_runner_on_ok(self, result: Any) -> None:
        if self.step and result.result.get("changed"):
            self.step.changed.append(result.host.get_name())
        if self.plain:
            super().v2_runner_on_ok(result)
            return
        self._handle_warnings(result.result)
        if result.task.action in SAID and "msg" in result.result:
            self.say(tail(str(result.result["msg"]), 100))

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if self.plain:
            super().v2_runner_item_on_ok(result)
        elif result.result.get("changed") and self.step and time.monotonic() - self.step.started >= FIRST_BEAT:
            since = in_words(time.monotonic() - self.step.started)
            self.say(f"  ...      {self.step.name}: {self._get_item_label(result.result)} done after {since}")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.heartbeat.stop()
        if self.step:
            self.step.failed = True
        looped = result.task.loop and "results" in result.result
        if self.plain:
            super().v2_runner_on_failed(result, ignore_errors)
        elif not looped:
            self._handle_warnings(result.result)
            self.say(self.failure(result), C.COLOR_ERROR)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        if self.plain:
            super().v2_runner_item_on_failed(result)
        else:
            self.say(self.failure(result, str(self._get_item_label(result.result))), C.COLOR_ERROR)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.heartbeat.stop()
        if self.step:
            self.step.failed = True
        if self.plain:
            super().v2_runner_on_unreachable(result)
        elif not result.task.ignore_unreachable:
            self.say(
                f"  failed   {result.host.get_name()} does not answer\n{tail(result.result['msg'])}", C.COLOR_ERROR
            )

    def failure(self, result: Any, item: str = "") -> str:
        """Returns a refusal as it was written, any other failure with its place and the end of its output."""
        content = result.result
        message = str(content.get("msg", "")).strip()
        if result.task.action in SPOKEN or message.startswith("found:"):
            return f"\n{message}"
        host = result.host.get_name()
        name = self.step.name if self.step else result.task.get_name()
        lines = [f"  failed   {name}" + (f" ({item})" if item else "") + (f" on {host}" if host != "localhost" else "")]
        lines += [f"  in       {os.path.relpath(result.task.get_path())}", tail(message)]
        lines += [tail(str(error), 5) for error in content.get("argument_errors", [])]
        for stream in ("stdout", "stderr"):
            text = content.get(stream) or content.get(f"module_{stream}")
            if isinstance(text, str) and text.strip():
                lines.append(f"  {stream}\n{tail(text)}")
        return "\n".join(line for line in lines if line.strip())

    # The end

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._close_step()
        hosts = [stats.summarize(host) for host in stats.processed]
        total = {key: sum(host[key] for host in hosts) for key in ("ok", "changed", "failures", "unreachable")}
        seconds = time.monotonic() - self.started
        if self.plain:
            super().v2_playbook_on_stats(stats)
        counts = f"ok={total['ok']} changed={total['changed']} failed={total['failures'] + total['unreachable']}"
        self.say(f"\nrecap: {counts} in {in_words(seconds)}")
        self.memory.keep([step for step in self.steps if not step.failed])
        if target := os.environ.get("KUBELAB_SUMMARY"):
            steps = [{"role": step.role, "task": step.name, "seconds": round(step.seconds, 2)} for step in self.steps]
            Path(target).write_text(json.dumps({**total, "seconds": round(seconds, 2), "steps": steps}))


def _only_when_verbose(name: str) -> Callable[..., None]:
    def method(self: CallbackModule, *args: Any) -> None:
        if self.plain:
            getattr(Default, name)(self, *args)

    return method


for _name in (
    "v2_runner_on_skipped",
    "v2_runner_item_on_skipped",
    "v2_playbook_on_include",
    "v2_runner_retry",
    "v2_runner_on_async_poll",
    "v2_playbook_on_no_hosts_matched",
):
    setattr(CallbackModule, _name, _only_when_verbose(_name))
