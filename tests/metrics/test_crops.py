import torch

from asymflow.metrics.crops import centre_crops, half_side, random_crops


def coordinates(count, height, width):
    """Images whose first channel is the row and second the column of each pixel."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, 0 * rows]).expand(count, 3, height, width).to(torch.uint8)


def corners(crops):
    return [tuple(crop[:2, 0, 0].tolist()) for crop in crops]


def test_crops_depend_on_seed_and_number_alone():
    images = coordinates(10, 9, 14)
    whole = random_crops(images, 0, side=4, seed=1)
    parts = torch.cat([random_crops(images[s : s + 3], s, side=4, seed=1) for s in range(0, 10, 3)])
    assert torch.equal(whole, parts)
    assert corners(whole) != corners(random_crops(images, 0, side=4, seed=2))


def test_crops_are_contiguous_squares_that_reach_every_place():
    crops = random_crops(coordinates(400, 6, 7), 0, side=4, seed=0)
    assert crops.shape == (400, 3, 4, 4)
    assert torch.equal(crops - crops[:, :, :1, :1], coordinates(400, 4, 4))
    assert set(corners(crops)) == {(y, x) for y in range(3) for x in range(4)}


def test_a_crop_as_large_as_the_image_is_the_image():
    images = coordinates(2, 5, 5)
    assert torch.equal(random_crops(images, 7, side=5, seed=0), images)
    assert torch.equal(centre_crops(images, side=5), images)


def test_centre_crops_leave_equal_borders():
    assert corners(centre_crops(coordinates(1, 9, 11), side=5)) == [(2, 3)]


def test_half_side_is_of_the_shorter_side():
    assert half_side(64, 80) == 32
    assert half_side(7, 6) == 3
