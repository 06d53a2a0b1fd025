"""Steps of the suite: where there is no network, somebody lives on what a bundle or a registry brings."""

from __future__ import annotations

import tempfile

from kubelab.paths import cache_dir, state_dir
from kubelab.suite_steps import typed

PROOF = ["python", "-m", "kubelab.offline.proof"]
SCENARIO = ["--scenario-name", "registry"]


def from_a_bundle() -> str:
    """Makes a bundle and lives on it; neither stays."""
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=cache_dir()) as folder:
        bundle = f"{folder}/kubelab.bundle"
        return typed("invoke", "artifacts.bundle", bundle)() or typed(*PROOF, bundle)()


def from_a_registry(*how: str) -> str:
    """Fills a registry, as its scenario does, and lives on it; nothing of it stays."""
    destroy = typed("molecule", "destroy", *SCENARIO)
    filled = str(state_dir("molecule-registry"))
    wrong = destroy() or typed("molecule", "prepare", *SCENARIO)() or typed(*PROOF, filled, *how)()
    left = destroy()
    return wrong or left


def behind_a_proxy() -> str:
    """The same where only a company's proxy leads to that registry."""
    return from_a_registry("--company")
