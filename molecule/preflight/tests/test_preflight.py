"""The role preflight: what it raises, what it refuses."""

import socket
from pathlib import Path

import pytest

from kubelab.paths import state_dir

STATE = state_dir("molecule-preflight")
LIMITS = ["fs.inotify.max_user_watches", "fs.inotify.max_user_instances"]


def limits():
    return [int(Path("/proc/sys", name.replace(".", "/")).read_text()) for name in LIMITS]


def test_the_kernels_limits_are_what_was_asked_for():
    """By one higher than before."""
    assert limits() == [int(before) + 1 for before in (STATE / "limits").read_text().split()]


def test_the_folder_of_the_cache_exists():
    """Building begins in it."""
    assert (STATE / "cache").is_dir()


@pytest.mark.again
@pytest.mark.parametrize(
    ("variable", "said"),
    [("preflight_memory_base", "MiB of memory available"), ("preflight_disk_first", "MiB free where")],
)
def test_too_little_is_refused_before_anything_is_touched(refused, variable, said):
    """A machine that has less than is asked for is told how much it has; its limits stay as they are."""
    before = limits()
    assert said in refused(**{variable: 99_999_999, "preflight_inotify_watches": before[0] + 1})
    assert limits() == before


@pytest.mark.again
def test_who_pulls_from_a_registry_needs_no_room_to_build(converge):
    """There it is one image."""
    assert converge(preflight_disk_first=99_999_999, artifacts_source="registry").returncode == 0


@pytest.mark.again
def test_a_port_that_somebody_listens_on_is_refused(refused):
    """The cluster's API needs it."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        assert f"something that listens on port {port}" in refused(cluster_api_port=port)
