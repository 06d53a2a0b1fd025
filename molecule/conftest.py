"""What the tests of every scenario can ask for. Molecule starts them in the scenario's folder."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from kubelab import kubectl, pytest_plugin
from kubelab.catalogue import CLUSTER_GROUND

UNDONE = "KUBELAB_UNDONE"
"""Set when effects were undone: then nobody waits long for what will not come."""
FAILED = re.compile(r"^(?:FAILED|ERROR) \S+?::(test_\w+)", re.MULTILINE)


def pytest_configure(config):
    config.addinivalue_line("markers", "again: runs the role anew, so it holds whether or not its effect was undone")
    if config.pluginmanager.has_plugin(pytest_plugin.__name__):
        _stand_in_the_cluster(config, f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}")


def _stand_in_the_cluster(config, name):
    """Lets the checks of tests/cluster run here, in a scenario that asks for their plugin."""
    os.environ.update(kubectl.environment(name))
    run = pytest_plugin.Run(name, CLUSTER_GROUND, hopeless=lambda _: UNDONE in os.environ)
    config.pluginmanager.register(run, pytest_plugin.NAME)


@pytest.fixture(scope="session")
def cluster(run):
    """The name of the scenario's cluster."""
    return run.cluster


@pytest.fixture(scope="session")
def settings():
    """The scenario's settings and those that all scenarios share, as Molecule has put them together."""
    return yaml.safe_load(Path(os.environ["MOLECULE_FILE"]).read_text())


@pytest.fixture(scope="session")
def converge(settings):
    """`converge(preflight_disk=9)` runs a playbook of the scenario with other variables, as Molecule would."""
    words = ["ansible-playbook", *settings["ansible"]["executor"]["args"]["ansible_playbook"]]

    def run(playbook="converge.yml", environment=None, **values):
        given = [word for name, value in values.items() for word in ("--extra-vars", f"{name}={value}")]
        env = {**os.environ, **(environment or {})}
        return subprocess.run([*words, *given, playbook], env=env, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def refused(converge):
    """As `converge`, but the role must say no, in the way in which everything here does. Returns what it said."""

    def run(*words, **values):
        done = converge(*words, **values)
        assert done.returncode == 2, f"exit code {done.returncode}: {done.stdout}{done.stderr}"
        assert all(f"{part}:" in done.stdout for part in ("found", "needed", "change")), done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="session")
def noticed(pytestconfig, settings):
    """Names of the scenario's tests that fail now: those that notice what undo.yml did."""
    same = [word for word in pytestconfig.invocation_params.args if not word.endswith(".py")]
    words = ["pytest", *same, "-m", "not again", "--tb=no", "-rfE", "tests", *_more(settings)]
    env = {**os.environ, UNDONE: "1"}
    said = subprocess.run(words, env=env, capture_output=True, text=True, check=False).stdout
    print(said)  # pytest shows it where the wrong ones were noticed: also why
    return set(FAILED.findall(said))


def _more(settings):
    tests = Path("tests")
    return [str(path) for glob in settings["verifier"]["additional_files_or_dirs"] for path in sorted(tests.glob(glob))]
