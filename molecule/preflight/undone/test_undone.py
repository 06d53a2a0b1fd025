"""Which tests notice that the role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """Each effect has its test."""
    assert noticed == {"test_the_kernels_limits_are_what_was_asked_for", "test_the_folder_of_the_cache_exists"}
