"""Copies of Deployments that checks may break: what they take over, and what counts as settled."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from kubelab.prober import Request, Watch
from kubelab.twins import LABEL, Twin, Twins, copy_of, is_ready

ORIGINAL: dict[str, Any] = {
    "metadata": {"name": "web", "uid": "1"},
    "spec": {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "x:1"}]}},
    },
}


def pod(name: str, ready: str = "True", image: str = "x:1", **metadata: str) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": name, **metadata}, "spec": {"containers": [{"image": image}]}, "status": status}


def test_a_copy_differs_in_name_label_and_what_is_said() -> None:
    copy = copy_of(ORIGINAL, "web-twin", 3, image="x:2")
    assert copy["metadata"] == {"name": "web-twin", "labels": {LABEL: ""}}
    assert (
        copy["spec"]["selector"]["matchLabels"] == copy["spec"]["template"]["metadata"]["labels"] == {"app": "web-twin"}
    )
    assert copy["spec"]["replicas"] == 3
    assert copy["spec"]["strategy"] == {"type": "Recreate"}
    assert copy["spec"]["template"]["spec"]["containers"] == [{"name": "web", "image": "x:2"}]
    assert ORIGINAL["spec"]["template"]["spec"]["containers"][0]["image"] == "x:1"


@pytest.mark.parametrize(
    ("item", "ready"),
    [(pod("a"), True), (pod("a", ready="False"), False), (pod("a", deletionTimestamp="now"), False)],
)
def test_a_pod_that_ends_is_not_ready(item: dict[str, Any], ready: bool) -> None:
    assert is_ready(item) is ready


def twin_with(*pods: dict[str, Any]) -> Twin:
    kubectl: Any = SimpleNamespace(json=lambda _: list(pods))
    return Twin("web-twin", "http://x", kubectl, lambda look, done, seconds: look())


def test_it_has_settled_when_the_asked_pods_are_there_and_no_others() -> None:
    assert list(twin_with(pod("a"), pod("b")).settle(2, "x:1")) == ["a", "b"]
    for pods in (
        [pod("a")],
        [pod("a"), pod("b", image="x:2")],
        [pod("a"), pod("b"), pod("c", deletionTimestamp="now")],
    ):
        with pytest.raises(AssertionError, match=r"2 Pods of web-twin shall be ready x:1; there are: a"):
            twin_with(*pods).settle(2, "x:1")


@pytest.mark.parametrize(("answered", "seconds"), [([True, True, False], 2.0), ([False], 0.0)])
def test_a_pod_that_ends_is_asked_as_long_as_it_is_there(
    monkeypatch: pytest.MonkeyPatch, answered: list[bool], seconds: float
) -> None:
    watch = Watch([Request(n, n + 1.0, "Hostname: a," if good else None) for n, good in enumerate(answered)])
    monkeypatch.setattr("kubelab.twins.Prober", lambda *_: SimpleNamespace(during=lambda *_: nullcontext(watch)))
    ending = pod("a")
    ending["status"]["podIP"] = "10.1.0.2"
    pods, typed = [ending], []

    class Kubectl:
        def __call__(self, command: str) -> None:
            typed.append(command)
            pods.clear()

        def json(self, command: str) -> Any:
            return list(pods) if command.startswith("get pods") else []

    kubectl: Any = Kubectl()
    place: Any = None
    assert Twin("web-twin", "http://x", kubectl, lambda look, **_: look()).end_one(place) == seconds
    assert typed == ["delete pod a --wait=false"]


def test_it_is_made_with_a_port_of_the_nodes_and_goes_again() -> None:
    typed: list[str] = []
    created: list[Any] = []

    class Kubectl:
        def __call__(self, command: str) -> None:
            typed.append(command)

        def create(self, content: Any) -> None:
            created.append(content)

        def json(self, command: str) -> Any:
            return ORIGINAL if command.startswith("get deployment") else {"spec": {"ports": [{"nodePort": 30001}]}}

    kubectl: Any = Kubectl()
    twins = Twins(kubectl, lambda look: look(), "10.0.0.2")
    made = twins.make("web", 2)
    assert made.url == "http://10.0.0.2:30001"
    assert [(one["metadata"]["name"], one["spec"]["replicas"]) for one in created] == [(made.name, 2)]
    twins.remove()
    assert [command.split()[0] for command in typed] == ["expose", "delete"]
