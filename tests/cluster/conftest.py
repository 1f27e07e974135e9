"""A cluster for the tests of this folder."""

import shutil

import pytest
from virtual_slurm import Cluster

NEEDED = ("slurmctld", "slurmd", "sbatch", "munged")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A SLURM of two nodes. Fails, and says what to install, where there is none."""
    missing = [command for command in NEEDED if not shutil.which(command)]
    if missing:
        pytest.fail(f"{', '.join(missing)} not found; as root: apt-get install -y slurm-wlm munge")
    with Cluster(tmp_path_factory.mktemp("slurm")) as started:
        yield started
