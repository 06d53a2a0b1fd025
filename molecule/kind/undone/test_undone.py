"""Which tests notice that a part of each role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """Machines, certificates, add-ons: each has its test. The checks in Pods need the kubelet's certificate as well."""
    one_that_may_stand_on_another_node = {"test_a_claim_is_bound_and_written"}
    assert noticed - one_that_may_stand_on_another_node == {
        "test_every_machine_of_the_record_runs",
        "test_every_kubelet_shows_a_certificate_that_the_cluster_signed",
        "test_every_node_has_metrics",
        "test_names_resolve_in_a_pod_on_every_node",
        "test_pods_reach_each_other_across_nodes",
        "test_an_external_address_answers_outside",
    }
