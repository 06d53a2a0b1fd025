"""The role artifacts with a registry: one image is all that is needed, and is taken whole or not at all."""

import re
import subprocess
import time

import pytest

from kubelab import catalogue
from kubelab.paths import cache_dir, state_dir

STATE = state_dir("molecule-registry")
NODES = STATE / "cache/nodes"
REGISTRY = "127.0.0.1:5071"
MANIFESTS = {f"{name}.yaml" for name in ("flannel", "local_path_provisioner", "metallb", "metrics_server")}


def docker(*words, text=None):
    done = subprocess.run(["docker", *words], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def images():
    """Every name and digest by which the scenario's engine has an image."""
    return set(
        docker("image", "ls", "--all", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}").split("\n")
    )


@pytest.fixture
def elsewhere(tmp_path):
    """A machine that has nothing yet: an empty engine, an empty cache. Afterwards it must be as empty."""
    if ids := docker("image", "ls", "--all", "--quiet").split():
        docker("image", "rm", "--force", *ids)
    yield tmp_path / "cache"
    assert images() == {""}
    assert docker("ps", "--all", "--quiet") == ""
    assert not [path for path in tmp_path.glob("cache/nodes/**/*") if path.is_file()]


def test_the_engine_has_the_node_image_under_the_name_of_its_key():
    """And under no other: who removes it gets the room back."""
    names = {path.name for path in NODES.glob("*")}
    assert len(names) == 1, names
    (key,) = names
    assert {line.split()[0] for line in images()} == {f"kubelab/node:{key}"}
    assert (
        docker("image", "inspect", "--format", '{{index .Config.Labels "dev.kubelab.key"}}', f"kubelab/node:{key}")
        == key
    )


def test_the_programs_of_this_machine_run():
    """They were in the image, as were the manifests of the add-ons."""
    (node,) = NODES.glob("*")
    for words in (["kind", "version"], ["kubectl", "version", "--client"]):
        assert subprocess.run([node / "bin" / words[0], *words[1:]], capture_output=True, check=False).returncode == 0
    assert {path.name for path in node.glob("*.yaml")} == MANIFESTS


def test_what_only_labs_need_came_with_it():
    """Where labs look for it: whoever pulls has no compiler."""
    names = {path.name.rpartition("-")[0] for path in (STATE / "cache/parts").iterdir()}
    assert names == {part for entry in catalogue.load_all() for part in entry.lab.parts} != set()


def test_it_is_known_where_it_came_from():
    """The record of each cluster that is made of it repeats this."""
    digest = (STATE / "digest").read_text()
    assert [path.read_text() for path in NODES.glob("*/from")] == [f"registry, as {REGISTRY}/kubelab/node@{digest}"]


@pytest.mark.again
def test_where_all_is_there_nobody_is_asked(converge, between):
    """Also when there is no registry any more."""
    done = converge(artifacts_registry=between(REGISTRY, "says nothing"))
    assert done.returncode == 0, done.stdout
    assert "from the" not in done.stdout
    assert "changed=0" in done.stdout


@pytest.mark.again
def test_an_image_that_it_has_not_is_refused(refused, elsewhere):
    """Before anything is pulled."""
    said = refused(cache_dir=elsewhere, artifacts_registry_digest="sha256:" + "0" * 64)
    assert "answers 404 Not Found" in said


@pytest.mark.again
def test_what_is_not_what_its_digest_says_is_refused(refused, elsewhere, between):
    """The engine compares."""
    said = refused(cache_dir=elsewhere, artifacts_registry=between(REGISTRY, "lies"))
    assert "could not be pulled: manifest verification failed for digest" in said


@pytest.mark.again
def test_a_registry_that_dies_halfway_is_refused(refused, elsewhere, between):
    """Nothing of what had come is kept."""
    began = time.monotonic()
    said = refused(cache_dir=elsewhere, artifacts_registry=between(REGISTRY, "dies"))
    assert "could not be pulled" in said
    assert time.monotonic() - began < 60


@pytest.mark.again
def test_a_registry_that_falls_silent_halfway_is_refused(refused, elsewhere, between):
    """After a time that one can set."""
    name = between(REGISTRY, "falls silent")
    said = refused(cache_dir=elsewhere, artifacts_registry=name, artifacts_registry_silence=3)
    assert "could not be pulled: for 3 s nothing came" in said


@pytest.mark.again
def test_an_image_of_another_version_is_refused(refused, elsewhere):
    """It says which key it was made for."""
    other = f"{REGISTRY}/kubelab/node:other"
    docker("import", "--change", "LABEL dev.kubelab.key=other", "/dev/null", other)
    digest = re.search("sha256:[0-9a-f]{64}", docker("push", other)).group()
    docker("image", "rm", "--force", other)
    said = refused(cache_dir=elsewhere, artifacts_registry_digest=digest)
    assert "made for key other" in said
    assert "needed: key " in said


@pytest.mark.again
def test_left_to_itself_it_builds_when_the_registry_is_silent(refused, elsewhere, between):
    """It says why; here nothing can be built either, and the refusal names the mirror."""
    (go,) = [path for path in (cache_dir() / "go").glob("go-*") if path.is_dir()]
    (elsewhere / "go").mkdir(parents=True)
    (elsewhere / "go" / go.name).symlink_to(go)
    name = between(REGISTRY, "says nothing")
    said = refused(
        environment={"GOPROXY": "http://127.0.0.1:9"},
        cache_dir=elsewhere,
        artifacts_source="auto",
        artifacts_registry=name,
    )
    assert f"from the package mirrors; {name} does not answer within 2 s" in said
    assert "127.0.0.1:9" in said
