"""Which tests notice that a part of the effect is gone."""


def test_what_was_undone_is_noticed(noticed):
    assert noticed == {"test_every_machine_of_the_record_runs", "test_an_external_address_answers_outside"}
