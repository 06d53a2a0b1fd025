"""Which tests notice that the role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """Each effect has its test."""
    assert noticed == {"test_one_part_is_built_and_nothing_is_left_half_done", "test_the_program_does_its_work"}
