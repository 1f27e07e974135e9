"""Whose format a published model has beside the project's own."""

import pytest
from project import DEFAULT

from asymflow.config.loading import load
from asymflow.stages.publish import is_asymflux2

ARMS = load(DEFAULT).arms
RGB = ARMS["asymflow"].representation.model_copy(update={"colour": "rgb"})


@pytest.mark.parametrize(
    ("arm", "can_be"),
    [
        (ARMS["asymflow"], True),
        (ARMS["asymflow"].model_copy(update={"representation": RGB}), False),
        (ARMS["ddt"], False),
        (ARMS["unlifted"], False),
        (ARMS["rank8"], False),
    ],
    ids=["lifted", "of RGB", "with a head", "not lifted", "a JiT"],
)
def test_asymflux2_is_a_lifted_flux2_of_oklab_pixels_with_its_own_last_layer(arm, can_be):
    assert is_asymflux2(arm) == can_be
