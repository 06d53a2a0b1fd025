"""Ansible filters for a company's settings: what tasks with another environment are told of this one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit


def from_environment(names: Iterable[str]) -> dict[str, str]:
    """Return those of these variables that are set, as a task's `environment` wants them."""
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def for_other_machines(proxies: dict[str, str]) -> dict[str, str]:
    """Return the same, all of it empty where the proxy is a program on this machine, which no other reaches."""
    hosts = {urlsplit(url).hostname or "" for name, url in proxies.items() if not name.lower().startswith("no_")}
    here = any(host == "localhost" or host.startswith(("127.", "::1")) for host in hosts)
    return dict.fromkeys(proxies, "") if here else proxies


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"from_environment": from_environment, "for_other_machines": for_other_machines}
