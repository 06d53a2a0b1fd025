"""ansible-lint with all of its rules, but without a start of Ansible for each playbook and for each import of one.

Those eighty starts are more than half of its time, and ask what one start for all playbooks answers (kubelab/lint.py).
Both methods are the pinned version's own affair: a test shows that they are there, and that a rule still complains.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_compat.runtime import Runtime
from ansiblelint.__main__ import main
from ansiblelint.runner import Runner


def without_syntax_checks() -> None:
    """Takes a playbook that is there for one that Ansible can read. AttributeError: another version of it."""
    replace(Runner, "_get_ansible_syntax_check_matches", lambda *_, **__: [])
    replace(Runtime, "has_playbook", lambda _, playbook, **__: Path(playbook).is_file())


def replace(owner: type, name: str, method: Callable[..., Any]) -> None:
    getattr(owner, name)
    setattr(owner, name, method)


if __name__ == "__main__":
    without_syntax_checks()
    sys.exit(main(["ansible-lint", *sys.argv[1:]]))
