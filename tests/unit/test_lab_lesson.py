"""Transcripts are read as they are written; masks forgive what differs between runs, and nothing else."""

from __future__ import annotations

import pytest

from kubelab.lesson import Translation, parse_block, to_pattern

INTERACTIVE = """\
$ kubectl run -it --rm curl sh
If you don't see a command prompt, try pressing enter.
/ $ curl 10.244.1.5:8080
Hello, world!
/ $ exit
pod "curl" deleted
"""


def test_a_block_is_commands_and_their_output() -> None:
    steps = parse_block("$ echo one\none\n$ true\n$ echo two\ntwo\n")
    assert [step.command.typed for step in steps] == ["echo one", "true", "echo two"]
    assert [step.command.expected for step in steps] == [("one",), (), ("two",)]
    assert [step.command.line for step in steps] == [1, 3, 4]


def test_a_command_may_open_a_shell_into_which_more_is_typed() -> None:
    (step,) = parse_block(INTERACTIVE)
    assert [exchange.typed for exchange in step.inner] == ["curl 10.244.1.5:8080", "exit"]
    assert step.inner[1].expected == ('pod "curl" deleted',)


def test_a_long_command_goes_on_in_the_next_line() -> None:
    (step,) = parse_block("$ echo one \\\n> two\none two\n")
    assert step.command.typed == "echo one \\\ntwo"
    assert step.command.expected == ("one two",)


@pytest.mark.parametrize("block", ["output first\n$ true\n", "/ $ curl\n"])
def test_output_that_nothing_has_caused_is_an_error(block: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        parse_block(block)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("helloworld   1/1  Running  0  5s", "helloworld 1/1 Running 0 1m3s"),
        ("kubelab-kind-worker   Ready", "kubelab-test-worker2 Ready"),
        ("2026/11/23 07:00:00 Server listening on port 8080", "2027/01/02 23:59:59 Server listening on port 8080"),
        ("Start Time: Mon, 23 Nov 2026 07:00:00 +0000", "Start Time: Tue, 01 Dec 2026 10:00:01 +0900"),
        ("kubelet v1.2.3", "kubelet v1.38.0"),
        ("helloworld-5d4b8c7f9-x2x4z Running", "helloworld-6c5d9f8b7-bcdfg Running"),
        ("10.244.1.5:8080,10.244.2.6:8080", "10.244.2.9:8080,10.244.1.7:8080"),
        ("8080:30123/TCP", "8080:31999/TCP"),
        ("kubelab-kind-worker 46m 2% 312Mi 1%", "kubelab-kind-worker 1204m 60% 98Mi 0%"),
        ("Deployment/web cpu: 12%/50%", "Deployment/web cpu: 0%/50%"),
    ],
)
def test_what_differs_between_runs_is_forgiven(expected: str, actual: str) -> None:
    assert Translation().difference((expected,), [actual]) == ""


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("Version: 2.0.0", "Version: 1.0.0"),
        ("Hostname: helloworld", "Hostname: stranger"),
        ("helloworld 1/1 Running 0 5s", "helloworld 0/1 Pending 0 5s"),
        ("10.244.1.5", "no address"),
        ("listening on port 8080", "listening on port 9090"),
        ("helloworld 1/1", "hello 1/1"),
        ("Deployment/web cpu: 12%/50%", "Deployment/web cpu: 12%/80%"),
        ("RWO 10Mi", "RWO 20Mi"),
    ],
)
def test_what_the_lesson_states_is_not(expected: str, actual: str) -> None:
    assert Translation().difference((expected,), [actual]) != ""


def test_an_address_that_was_shown_is_typed_as_it_is_in_this_run() -> None:
    translation = Translation()
    assert translation.difference(("helloworld 10.244.1.5",), ["helloworld 10.244.2.77"]) == ""
    assert translation.typed("curl 10.244.1.5:8080") == "curl 10.244.2.77:8080"
    assert translation.typed("curl 10.244.1.55:8080") == "curl 10.244.1.55:8080"


def test_the_same_example_stands_for_the_same_thing_throughout() -> None:
    translation = Translation()
    assert translation.difference(("ip 10.244.1.5",), ["ip 10.244.2.7"]) == ""
    assert "expected: ip 10.244.1.5" in translation.difference(("ip 10.244.1.5",), ["ip 10.244.2.8"])


def test_a_generated_name_is_translated_in_commands() -> None:
    translation = Translation()
    translation.difference(("helloworld-5d4b8c7f9-x2x4z 1/1",), ["helloworld-6c5d9f8b7-bcdfg 1/1"])
    assert translation.typed("kubectl delete pod helloworld-5d4b8c7f9-x2x4z").endswith("helloworld-6c5d9f8b7-bcdfg")


def test_dots_stand_for_any_number_of_lines() -> None:
    expected = ("Name: x", "...", "Events:", "...")
    assert Translation().difference(expected, ["Name: x", "a", "b", "Events:", "c"]) == ""
    assert Translation().difference(expected, ["Name: x", "Events:"]) == ""
    assert Translation().difference(expected, ["Name: x", "a"]) != ""


def test_missing_and_additional_lines_are_differences() -> None:
    assert "seen: (nothing)" in Translation().difference(("one", "two"), ["one"])
    assert "more than expected: three" in Translation().difference(("one",), ["one", "three"])


def test_ordinary_words_are_not_taken_for_generated_names() -> None:
    assert to_pattern("kube-proxy helloworld-clusterip helloworld-twin lab-pod")[1] == []
