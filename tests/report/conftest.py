import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def no_open_figures():
    """Closes what a test has drawn: pyplot keeps figures until it is told."""
    yield
    plt.close("all")
