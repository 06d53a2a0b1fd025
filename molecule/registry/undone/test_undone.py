"""Which tests notice that the role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """Each effect has its test."""
    assert noticed == {
        "test_the_engine_has_the_node_image_under_the_name_of_its_key",
        "test_the_programs_of_this_machine_run",
        "test_it_is_known_where_it_came_from",
    }
