import matplotlib.pyplot as plt
import pandas as pd
import pytest

from asymflow.report.study import Study


@pytest.fixture(autouse=True)
def no_open_figures():
    """Closes what a test has drawn: pyplot keeps figures until it is told."""
    yield
    plt.close("all")


@pytest.fixture
def compared():
    """Makes a study of arms and settings; the first arm is the reference, the settings are of these snapshots."""

    def make(arms=("a", "b"), samplings=("guided",), seeds=1, snapshots=None, title="Which?"):
        return Study(
            name="test",
            title=title,
            reference=arms[0],
            figure="bars",
            judges=["distribution"],
            seeds=list(range(seeds)),
            arms={arm: {} for arm in arms},
            samplings={name: {"snapshot": (snapshots or {}).get(name), "steps": 4} for name in samplings},
            files={},
            bases={},
            configurations={},
        )

    return make


@pytest.fixture
def measured():
    """Makes a study's table from `{(arm, setting): distances, one for each seed}`, with a standard error of each."""

    def make(distances, error=1.0):
        rows = [
            {"arm": arm, "seed": seed, "sampling": sampling, "fid_local": distance, "fid_local_error": error}
            | {"recall_local": distance / 100, "machine": "m", "code_train": "t", "commit": "c"}
            for (arm, sampling), values in distances.items()
            for seed, distance in enumerate(values)
        ]
        return pd.DataFrame(rows).astype({"seed": "Int64"})

    return make
