"""Which tests notice that a part of the effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    assert noticed == {
        "test_the_first_has_it_and_the_other_reaches_it",
        "test_it_goes_to_the_other_when_the_api_of_the_first_is_not_well_and_comes_back",
    }
