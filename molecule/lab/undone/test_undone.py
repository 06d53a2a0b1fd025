"""Which tests notice that the role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """Each effect has its test."""
    assert noticed == {"test_its_objects_exist", "test_what_no_manifest_can_do_is_done"}
