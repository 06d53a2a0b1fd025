"""Which tests notice that a part of each role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """Each role has its test."""
    assert noticed == {
        "test_it_bears_the_mark_of_its_cluster",
        "test_packets_are_forwarded_also_after_a_boot",
        "test_containerd_runs_a_container_of_an_image_that_it_has",
        "test_images_that_it_lacks_are_asked_of_a_registry_of_ones_own_first",
        "test_the_machine_trusts_the_authority_of_the_company",
        "test_containerd_goes_through_the_proxy_of_the_company",
        "test_the_programs_of_kubernetes_are_of_the_version_that_the_table_names",
    }
