import torch

from asymflow.config.evaluator import Evaluator
from asymflow.metrics.tower import ImageTower, View, features, to_pixels


def tower():
    torch.manual_seed(0)
    sizes = {"image_size": 32, "patch_size": 8, "stem_width": 4, "width": 12, "depth": 1, "heads": 2, "embedding": 5}
    return ImageTower(Evaluator(**sizes)).eval()


def test_each_stage_halves_the_resolution_and_a_token_stands_for_a_patch():
    view = tower().view(torch.rand(2, 3, 32, 32))
    assert [stage.shape for stage in view.stages] == [(2, 4, 16, 16), (2, 8, 8, 8), (2, 12, 4, 4)]
    assert view.tokens.shape == (2, 16, 12)
    assert view.embedding.shape == (2, 5)


def test_tokens_come_in_raster_order():
    # a change within the second patch of the first row moves that token most
    model = tower()
    image = torch.zeros(1, 3, 32, 32)
    changed = image.clone()
    changed[:, :, 2:6, 10:14] = 1
    difference = (model.view(changed).tokens - model.view(image).tokens).square().sum(2)
    assert difference.argmax() == 1


def test_features_are_the_middle_stages_and_the_tokens():
    """Means over places: of a stage's two maps 3 and 6, of the next one's single map 5, of two tokens (2, 4, -1)."""
    first, last = torch.full((1, 2, 4, 4), 70.0), torch.full((1, 3, 1, 1), 90.0)
    stage = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[6.0, 6.0], [6.0, 6.0]]]])
    view = View(
        stages=[first, stage, torch.full((1, 1, 1, 1), 5.0), last],
        tokens=torch.tensor([[[1.0, 2.0, -4.0], [3.0, 6.0, 2.0]]]),
        embedding=torch.full((1, 4), 80.0),
    )
    assert features(view).tolist() == [[3.0, 6.0, 5.0, 2.0, 4.0, -1.0]]


def test_features_do_not_depend_on_the_batch():
    model, pixels = tower(), torch.rand(5, 3, 32, 32)
    together = features(model.view(pixels))
    alone = torch.cat([features(model.view(image[None])) for image in pixels])
    torch.testing.assert_close(together, alone)


def test_pixels_span_minus_one_to_one():
    images = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 3, 4, 4)
    torch.testing.assert_close(to_pixels(images, 4), images.float() / 127.5 - 1)
    row = torch.tensor([0, 51, 102, 255], dtype=torch.uint8).expand(1, 3, 4, 4)
    torch.testing.assert_close(to_pixels(row, 4)[0, 0, 0], torch.tensor([-1.0, -0.6, -0.2, 1.0]))


def test_images_of_another_size_are_resized_without_aliasing():
    stripes = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    stripes[..., ::2] = 255  # columns that alternate average to grey; picking every other one would give 0 or 255
    inner = to_pixels(stripes, 8)[..., 1:-1]
    torch.testing.assert_close(inner, torch.zeros_like(inner), atol=0.01, rtol=0)
    assert to_pixels(stripes, 32).shape == (1, 3, 32, 32)
