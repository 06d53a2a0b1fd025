"""What the provider does beside what tests/cluster looks at."""

import yaml

from kubelab import paths, record


def test_every_node_has_a_record_of_its_own(cluster):
    """And the machine outside, which is never changed, has none."""
    known = record.load(cluster)
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (paths.state_dir(cluster) / "machines").glob("*")}
    assert sorted(files) == sorted(record.nodes(known))
    assert all(content["mark"] == known["mark"] and content["packages"] for content in files.values())
    assert known["complete"] is True


def test_every_node_bears_the_mark_of_the_cluster(cluster, nodes):
    mark = record.load(cluster)["mark"]
    assert {node.output("cat /var/lib/kubelab/mark").strip() for node in nodes} == {mark}


def test_no_node_asks_a_registry(nodes):
    """Every image that runs was brought."""
    for node in nodes:
        running = node.output("ctr --namespace k8s.io containers list --quiet | wc -l")
        assert int(running) > 0
        events = node.output("journalctl --unit containerd --no-pager")
        assert "PullImage" not in events
