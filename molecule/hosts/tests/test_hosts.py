"""What the provider does beside what tests/cluster looks at."""

import re

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
    """Every image that is there was brought; lessons ask on purpose for some that nobody has."""
    for node in nodes:
        assert int(node.output("ctr --namespace k8s.io containers list --quiet | wc -l")) > 0
        here = set(node.output("ctr --namespace k8s.io images list --quiet").replace("docker.io/", "").split())
        said = node.output("journalctl --unit containerd --no-pager --grep 'CreateContainer|PullImage'")
        assert "CreateContainer" in said
        assert not here & set(re.findall(r'PullImage \\"(?:docker.io/)?([^\\]+)\\"', said))
