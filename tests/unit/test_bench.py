"""The bench without a cluster: statistics, tables, what is read, what is typed, what is removed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke import Exit

from kubelab import record
from kubelab.bench import commands, figures, ledger, measures, reading
from kubelab.bench.figures import Figure
from kubelab.errors import Refusal
from kubelab.paths import INVENTORY, ROOT
from kubelab.tasks import bench as task


def test_a_figure_shows_median_spread_and_each_pair() -> None:
    figure = Figure("up", "s", [60.0, 50.0, 55.0], [50.0, 50.0, 44.0], goal="ratio ≤ 1.3")
    assert figure.row() == (
        "up",
        "55.0 s (50.0 to 60.0)",
        "50.0 s (44.0 to 50.0)",
        "1.20 (1.20, 1.00, 1.25)",
        "ratio ≤ 1.3",
    )


def test_what_was_measured_once_has_no_spread() -> None:
    assert Figure("memory", "MiB", [1023.7]).row() == ("memory", "1024 MiB", "-", "-", "")
    assert Figure("returned", "s", other=[31.24]).row() == ("returned", "-", "31.2 s", "-", "")


def test_an_unfinished_pair_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        _ = Figure("up", "s", [60.0, 50.0], [50.0]).ratios


def test_data_carries_every_value_and_every_ratio() -> None:
    data = Figure("up", "s", [60.0, 50.0], [50.0, 40.0]).to_dict()
    assert (data["ours"], data["other"], data["ratios"]) == ([60.0, 50.0], [50.0, 40.0], [1.2, 1.25])


def test_pairs_alternate() -> None:
    order: list[str] = []

    def measure(side: str) -> Callable[[int], float]:
        return lambda number: order.append(f"{side}{number}") or float(number)  # type: ignore[func-returns-value]

    assert figures.alternate(3, measure("ours"), measure("other")) == ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert order == ["ours1", "other1", "other2", "ours2", "ours3", "other3"]


def test_the_markdown_table_has_a_column_for_every_heading() -> None:
    lines = figures.markdown([Figure("a | b", "s", [1.0])], "2026-01-01, 1 runs").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {len(figures.HEADINGS) + 1}
    assert lines[-1] == "Measured 2026-01-01, 1 runs."


@pytest.mark.parametrize(
    ("usage", "expected"),
    [("645.7MiB / 23.54GiB", 645.7), ("1.5GiB / 23.54GiB", 1536.0), ("512KiB / 23.54GiB", 0.5), ("0B / 0B", 0.0)],
)
def test_memory_is_read_in_any_unit(usage: str, expected: float) -> None:
    assert reading.mebibytes(usage) == expected


def test_memory_that_cannot_be_read_is_no_zero() -> None:
    with pytest.raises(ValueError, match="docker stats printed '-- / --'"):
        reading.mebibytes("-- / --")


@pytest.mark.parametrize("text", ["94550955239\n", "nr_periods 0\nusage_usec 94550955\nuser_usec 7\n"])
def test_processor_time_is_read_from_both_kinds_of_cgroup(text: str) -> None:
    assert reading.processor_seconds(text) == pytest.approx(94.550955, abs=1e-6)


def item(kind: str, status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", **metadata}, "spec": {"replicas": 1}, "status": status}


READY = {"conditions": [{"type": "Ready", "status": "True"}]}
CLUSTER = [
    item("Node", READY),
    item("Pod", READY),
    item("Pod", {"phase": "Succeeded"}),
    item("Deployment", {"readyReplicas": 1}),
    item("DaemonSet", {"desiredNumberScheduled": 1, "numberReady": 1}),
]


def test_a_cluster_is_ready_when_all_of_it_is() -> None:
    assert reading.every_pod_ready(CLUSTER, 1)


@pytest.mark.parametrize(
    "missing",
    [
        item("Node", {}),
        item("Pod", {"phase": "Pending"}),
        item("Pod", {"conditions": [{"type": "Ready", "status": "False"}]}),
        item("Deployment", {}),
        item("DaemonSet", {}),
        item("DaemonSet", {"desiredNumberScheduled": 2, "numberReady": 1}),
    ],
)
def test_one_thing_that_is_not_ready_is_enough(missing: dict[str, Any]) -> None:
    nodes = 2 if missing["kind"] == "Node" else 1
    assert not reading.every_pod_ready([*CLUSTER, missing], nodes)


def test_a_node_that_has_not_joined_yet_is_waited_for_and_a_pod_that_goes_is_not() -> None:
    assert not reading.every_pod_ready(CLUSTER, 2)
    assert not reading.every_pod_ready([item("Node", READY)], 1)
    assert reading.every_pod_ready([*CLUSTER, item("Pod", {}, deletionTimestamp="now")], 1)


def test_kind_is_asked_for_the_same_image_and_configuration_under_another_name() -> None:
    raw = commands.Raw(Path("kind"), Path("kubectl"), "kubelab/node:1", 3, Path("c.yml"), Path("k"))
    typed = "kind create cluster --image kubelab/node:1 --config c.yml --kubeconfig k"
    assert " ".join(raw.create()) == typed
    assert commands.raw_environment()["KIND_EXPERIMENTAL_DOCKER_NETWORK"] == "kubelab-bench-raw"


def test_kind_alone_brings_up_no_add_ons_but_its_own() -> None:
    ours = "name: kubelab-bench\nnetworking: {podSubnet: 10.0.0.0/16}\nnodes: [{role: control-plane}, {role: worker}]\n"
    mount = {"hostPath": "/c/s.yaml", "containerPath": "/kind/manifests/default-storage.yaml", "readOnly": True}
    assert yaml.safe_load(commands.without_us(ours, Path("/c/s.yaml"))) == {
        "name": "kubelab-bench-raw",
        "networking": {"podSubnet": "10.0.0.0/16"},
        "nodes": [{"role": "control-plane", "extraMounts": [mount]}, {"role": "worker"}],
    }


def test_the_raw_nodes_are_known_before_kind_makes_them() -> None:
    assert ledger.raw_nodes(1, 2) == [f"kubelab-bench-raw-{name}" for name in ("control-plane", "worker", "worker2")]


def test_the_measured_cluster_has_the_usual_shape() -> None:
    assert yaml.safe_load((INVENTORY / "bench.yml").read_text()) == yaml.safe_load((INVENTORY / "kind.yml").read_text())


def test_the_script_asks_as_often_as_the_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = (ROOT / "labs/clusterip/tests/test_clusterip.py").read_text()
    assert re.search(rf"^REQUESTS = {measures.IN_A_ROW}$", lab, re.MULTILINE)
    probes = [("pod", "probe"), ("node", "n1"), ("node", "n2"), ("outside", "outside"), ("pod", "probe")]
    report = {"probes": [{"place": place, "at": at} for place, at in probes]}
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/clusterip.json").write_text(json.dumps(report))
    monkeypatch.setattr(commands, "state_dir", lambda _: tmp_path)
    words, env = commands.by_hand("there", 30)
    assert (env["FROM_POD"], env["NODES"], env["FROM_OUTSIDE"], env["IN_A_ROW"]) == ("2", "n1 n2", "1", "30")
    script = Path(words[0]).read_text()
    assert set(re.findall(r"\$([A-Z_]+)", script)) <= set(env)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the ledger, and a docker that notes what it is asked and shows what the tests put there."""
    program = tmp_path / "docker"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
        f'case "$1 $2" in "ps --all") cat {tmp_path}/containers;; "network ls") cat {tmp_path}/networks;; esac\n'
        "exit 0\n"
    )
    program.chmod(0o755)
    for name in ("containers", "networks", "asked"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    monkeypatch.setattr(record, "load", lambda _: None)
    return tmp_path


def test_nothing_is_removed_that_the_ledger_does_not_list(machine: Path) -> None:
    (machine / "containers").write_text("kubelab-bench-raw-worker\nkubelab-bench-raw-worker9\n")
    (machine / "networks").write_text("kubelab-bench-raw\n")
    book = ledger.Ledger(containers=ledger.raw_nodes(1, 2), networks=[ledger.RAW])
    book.write()
    assert ledger.read() == book
    ledger.remove(book)
    removed = re.findall(r"^(?:network )?rm .*", (machine / "asked").read_text(), re.MULTILINE)
    assert removed == ["rm --force --volumes kubelab-bench-raw-worker", "network rm kubelab-bench-raw"]
    assert ledger.read() is None


def test_a_cluster_of_these_names_that_is_not_ours_is_refused(machine: Path) -> None:
    ledger.refuse_strangers()
    (machine / "containers").write_text("kubelab-bench-raw-worker\n")
    with pytest.raises(Refusal, match="kubelab-bench-raw-worker"):
        ledger.refuse_strangers()


def test_a_second_bench_is_refused(machine: Path) -> None:
    with ledger.only_one(), pytest.raises(Refusal, match="a bench that is running"), ledger.only_one():
        pass
    with ledger.only_one():
        pass


def test_what_fails_shows_the_end_of_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "LOGS", tmp_path)
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    assert commands.timed("fine", ["sh", "-c", "echo said"]) > 0
    assert (tmp_path / "fine.log").read_text() == "said\n"
    with pytest.raises(Exit) as ended:
        commands.timed("bad", ["sh", "-c", "echo why; exit 3"])
    assert ended.value.message == "why\n`sh -c echo why; exit 3` ended with 3; all it printed: bad.log"
    assert ended.value.code == 1


@pytest.mark.parametrize(("runs", "only"), [("0", ""), ("many", ""), ("-1", ""), ("3", "lba")])
def test_a_slip_is_refused(runs: str, only: str) -> None:
    with pytest.raises(Refusal):
        task._asked(runs, only)


def test_all_is_measured_unless_one_is_named() -> None:
    assert task._asked("2", "") == (2, measures.NAMES)
    assert task._asked("1", "idle") == (1, ("idle",))
    assert all(callable(getattr(measures.Bench, name)) for name in measures.NAMES)
