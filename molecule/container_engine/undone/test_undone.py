"""Which tests notice that the role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """Each effect has its test."""
    assert noticed == {
        "test_the_engine_answers",
        "test_a_privileged_container_runs",
        "test_what_the_machine_lacks_is_taken_out_of_requests",
    }
