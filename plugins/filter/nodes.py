"""Ansible filters of the roles that make a machine a node."""

from __future__ import annotations

from typing import Any

import yaml


def machine_record(lines: list[str], mark: str) -> dict[str, Any]:
    """Return how a machine was before, from lines of `package`, `folder` or `setting` and one word."""
    record: dict[str, Any] = {"mark": mark, "packages": [], "folders": [], "settings": []}
    for line in lines:
        kind, _, value = line.partition(" ")
        record[f"{kind}s"].append(value)
    return record


def kubeconfig_named(text: str, name: str, server: str = "") -> str:
    """Return kubeadm's kubeconfig with its only context, cluster and user named after the cluster.

    `server` is where the API answers the machine that runs Ansible, if not where it answers nodes.
    """
    config, name = yaml.safe_load(str(text)), str(name)
    context = config["contexts"][0]
    context["name"] = config["current-context"] = name
    config["clusters"][0]["name"] = context["context"]["cluster"] = name
    config["users"][0]["name"] = context["context"]["user"] = name
    if server:
        # No certificate names that address; this name stands in all of them.
        config["clusters"][0]["cluster"].update({"server": str(server), "tls-server-name": "kubernetes"})
    return yaml.safe_dump(config)


def bare_pods(pods: dict[str, Any]) -> list[str]:
    """Return the Pods that would not be made anew elsewhere, as namespace/name: nobody owns them."""
    listed = [item["metadata"] for item in pods["items"]]
    return [f"{item['namespace']}/{item['name']}" for item in listed if not item.get("ownerReferences")]


def join_words(command: str) -> dict[str, Any]:
    """Return endpoint, token and digest of the authority from what `kubeadm token create --print-join-command` says."""
    words = command.split()
    return {
        "apiServerEndpoint": words[words.index("join") + 1],
        "token": words[words.index("--token") + 1],
        "caCertHashes": [words[words.index("--discovery-token-ca-cert-hash") + 1]],
    }


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "machine_record": machine_record,
            "kubeconfig_named": kubeconfig_named,
            "bare_pods": bare_pods,
            "join_words": join_words,
        }
