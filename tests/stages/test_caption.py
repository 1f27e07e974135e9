"""Captions by a Qwen2.5-VL: a tiny random one of the same class, in a folder of its own."""

import pytest

from asymflow.config.captions import Captions
from asymflow.config.embeddings import Embeddings
from asymflow.stages import caption, embed_captions


def test_every_image_gets_a_line_of_its_own_and_the_same_again(run, qwen, portraits, tmp_path):
    config = Captions(model=str(qwen), tokens=5, batch=7).model_dump_json()
    for name in ("first.txt", "again.txt"):
        run(caption, config=config, data=portraits / "heldout.json", out=tmp_path / name)
    lines = (tmp_path / "first.txt").read_text().splitlines()
    assert len(lines) == 30
    assert (tmp_path / "again.txt").read_text().splitlines() == lines


def test_a_captioner_that_is_not_there_is_named(run, portraits, tmp_path):
    config = Captions(model="nobody/none").model_dump_json()
    with pytest.raises(
        ValueError, match=r"nobody/none \(captions.model\) is neither a folder nor in the Hugging Face cache"
    ):
        run(caption, config=config, data=portraits / "heldout.json", out=tmp_path / "captions.txt")


def test_made_captions_must_be_one_for_each_image(run, portraits, tmp_path):
    (tmp_path / "captions.txt").write_text("one\ntwo\n")
    with pytest.raises(ValueError, match=r"captions.txt has 2 lines for the 60 images of"):
        run(embed_captions, config=Embeddings().model_dump_json(), reader="local", data=portraits / "train.json",
            captions=tmp_path / "captions.txt", out=tmp_path / "out.json")  # fmt: skip
