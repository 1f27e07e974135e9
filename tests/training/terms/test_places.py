"""Weights of the loss by place."""

import pytest
import torch

from asymflow.config.losses import Places
from asymflow.training.terms.places import place_weights

FACE = torch.tensor([[0.0, 0.5, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])


def test_weights_by_place_have_mean_one_and_favour_faces():
    weights = place_weights(FACE, Places(face=2.0, elsewhere=0.5))
    torch.testing.assert_close(weights.mean(1), torch.ones(3))
    torch.testing.assert_close(weights[0] / weights[0, 0], torch.tensor([1.0, 2.5, 4.0, 1.0]))


def test_an_image_that_is_all_face_or_none_is_weighed_evenly():
    assert torch.equal(place_weights(FACE, Places())[1:], torch.ones(2, 4))


def test_a_face_that_counts_like_all_else_changes_nothing():
    assert torch.equal(place_weights(FACE, Places(face=0.7, elsewhere=0.7)), torch.ones(3, 4))


def test_weights_by_place_need_masks_of_all_images():
    masked = FACE.clone()
    masked[1] = torch.nan
    with pytest.raises(ValueError, match=r"losses\.places weighs faces, but these images have no face masks"):
        place_weights(masked, Places(face=2.0))
