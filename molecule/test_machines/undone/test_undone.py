"""Which tests notice that the role's effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    """Each effect has its test."""
    assert noticed == {
        "test_it_answers_by_ssh_to_an_account_that_may_use_sudo",
        "test_systemd_has_booted_it",
        "test_only_the_isolated_one_has_no_way_out",
    }
