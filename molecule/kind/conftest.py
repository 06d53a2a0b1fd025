"""Lets the checks of tests/cluster stand in this scenario's cluster."""

import os

import pytest

from kubelab import kubectl, pytest_plugin
from kubelab.catalogue import CLUSTER_GROUND

CLUSTER = "molecule-kind"


def pytest_configure(config):
    os.environ.update(kubectl.environment(CLUSTER))
    config.pluginmanager.register(pytest_plugin.Run(CLUSTER, CLUSTER_GROUND), pytest_plugin.NAME)


@pytest.fixture(scope="session")
def cluster():
    return CLUSTER
