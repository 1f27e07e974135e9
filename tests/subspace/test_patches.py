import pytest
import torch

from asymflow.subspace.patches import CHANNEL_FIRST, CHANNEL_LAST, patchify, unpatchify


@pytest.mark.parametrize("order", [CHANNEL_LAST, CHANNEL_FIRST])
def test_unpatchify_inverts_patchify(order):
    images = torch.randn(2, 3, 6, 9)
    assert torch.equal(unpatchify(patchify(images, 3, order), (2, 3), 3, order), images)


def test_tokens_are_in_raster_order_and_values_in_the_named_order():
    images = torch.arange(3 * 4 * 6).reshape(1, 3, 4, 6)
    second = images[0, :, 0:2, 2:4]  # the second patch of the first row
    assert patchify(images, 2)[0, 1].tolist() == second.permute(1, 2, 0).flatten().tolist()
    assert patchify(images, 2, CHANNEL_FIRST)[0, 1].tolist() == second.flatten().tolist()


def test_the_two_orders_differ():
    images = torch.randn(1, 3, 4, 4)
    assert not torch.equal(patchify(images, 2), patchify(images, 2, CHANNEL_FIRST))


def test_a_size_that_does_not_divide_is_an_error():
    with pytest.raises(ValueError, match="6x7 pixels cannot be cut into patches of 3x3"):
        patchify(torch.zeros(1, 3, 6, 7), 3)
    with pytest.raises(ValueError, match="5 tokens do not fill a grid of 2 x 3"):
        unpatchify(torch.zeros(1, 5, 12), (2, 3), 2)
