"""Which tests notice that a part of each role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """The checks in Pods find something else wrong each time: which Pods are gone by then is Kubernetes' affair."""
    in_pods = {
        name for name in noticed if name.startswith(("test_names", "test_pods", "test_a_", "test_an_", "test_no_"))
    }
    assert noticed - in_pods == {
        "test_every_node_is_ready_and_of_the_expected_version",
        "test_kubelet_and_containerd_are_active_on_every_node",
        "test_every_node_has_metrics",
    }
