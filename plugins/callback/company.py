"""Makes what a playbook starts on this machine follow the company's settings, also where no `invoke` started it."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

# ansible-playbook does not know our package, which has no place among the installed ones.
sys.path.append(str(Path(__file__).resolve().parents[2]))
from kubelab import company

DOCUMENTATION = """
    name: company
    type: aggregate
    short_description: proxy and authority of a company, for all that a playbook starts on this machine
    description:
      - Adds to the environment of ansible-playbook what follows from HTTPS_PROXY, NO_PROXY and KUBELAB_CA.
      - Tasks that have another environment, by sudo or on another machine, name company_environment or company_proxy.
"""


class CallbackModule(CallbackBase):
    """A callback is there before any task, in the process that starts them all."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "company"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """The cluster bears the name of the first inventory, as in group_vars/all/paths.yml."""
        cluster = Path(context.CLIARGS["inventory"][0]).stem
        company.enter(partial(company.addresses, cluster))
