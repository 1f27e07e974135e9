import torch
from open_clip import ClipLoss

from asymflow.metrics.clip import build, tokenize
from asymflow.metrics.tower import ImageTower


def test_captions_take_the_room_of_the_longest_and_keep_their_end():
    tokens = tokenize(["a dog", "a dog that sits on a mat"], longest=77)
    assert tokens.shape == (2, 9)  # seven words, a start and an end
    cut = tokenize(["a dog", "a dog that sits on a mat"], longest=5)
    assert cut.shape == (2, 5)
    assert (cut.max(1).values == tokens.max()).all()  # the end is the largest token, and text is read off there


def test_the_clip_embeds_images_with_our_tower_and_captions_with_its_own(config):
    torch.manual_seed(0)
    clip, tokens = build(config, 5), tokenize(["a dog", "two dogs"], longest=5)
    assert isinstance(clip.visual, ImageTower)
    images = clip.encode_image(torch.rand(2, 3, 16, 16), normalize=True)
    texts = clip.encode_text(torch.nn.functional.pad(tokens, (0, 5 - tokens.shape[1])), normalize=True)
    assert images.shape == texts.shape == (2, config.embedding)
    assert ClipLoss()(images, texts, clip.logit_scale.exp()).isfinite()
