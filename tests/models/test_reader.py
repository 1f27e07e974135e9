"""What of a condition is read, at the width of a network, and what stands for it where it is hidden."""

from dataclasses import replace

import pytest
import torch

from asymflow.config.conditions import MODALITIES
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.models.reader import Label, Reader

B, WIDTH = 3, 10
SHAPES = Shapes(classes=4, caption=(4, 5), embedding=6, patches=(7, 8), joints=2)


def reader(shapes: Shapes = SHAPES) -> Reader:
    """A float64 reader whose null tokens have moved from zero."""
    torch.manual_seed(0)
    made = Reader(shapes, WIDTH).double()
    made.initialise(torch.Generator().manual_seed(1))
    for name, parameter in made.named_parameters():
        if name.startswith("no_") or name.endswith("null"):
            torch.nn.init.normal_(parameter)
    return made


def shown(**changes) -> Condition:
    generator = torch.Generator().manual_seed(2)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    given = Condition(
        present=presence(MODALITIES, B), grid=(3, 5), label=torch.tensor([0, 3, 1]), text=draw(B, 4, 5),
        mask=torch.arange(4) < torch.tensor([4, 2, 3])[:, None], embedding=draw(B, 6), patches=draw(B, 7, 8),
        joints=draw(B, 2, 3).abs() + 0.1,
    )  # fmt: skip
    return replace(given, **changes)


def hidden_in_the_second(name: str, condition: Condition) -> Condition:
    present = condition.present.clone()
    present[1, MODALITIES.index(name)] = False
    return replace(condition, present=present)


def test_a_shown_embedding_goes_through_its_matrix_and_a_hidden_one_is_the_null_embedding():
    made, condition = reader(), hidden_in_the_second("embedding", shown())
    out, matrix = made.embedding(condition), made.read_embedding
    torch.testing.assert_close(out[[0, 2]], matrix(condition.embedding[[0, 2]]))
    torch.testing.assert_close(out[1], matrix(made.no_embedding[0]))


def test_shown_patch_tokens_go_through_their_matrix_and_hidden_ones_are_the_null_token():
    made, condition = reader(), hidden_in_the_second("patches", shown())
    out, matrix = made.patches(condition), made.read_patches
    torch.testing.assert_close(out[[0, 2]], matrix(condition.patches[[0, 2]]))
    torch.testing.assert_close(out[1], matrix(made.no_patches[0, 0]).expand(7, WIDTH))


def test_a_caption_is_read_with_its_padding_or_with_null_tokens_in_place_of_it():
    made, condition = reader(), hidden_in_the_second("caption", shown())
    padded, unpadded, null = (
        made.caption(condition),
        made.unpadded_caption(condition),
        made.read_caption(made.no_caption[0, 0]),
    )
    torch.testing.assert_close(padded[[0, 2]], made.read_caption(condition.text[[0, 2]]))
    torch.testing.assert_close(unpadded[condition.mask], padded[condition.mask])
    torch.testing.assert_close(unpadded[2, 3], null)
    for out in (padded, unpadded):
        torch.testing.assert_close(out[1], null.expand(4, WIDTH))


def test_joints_are_places_and_kinds_and_undetected_or_hidden_ones_null_tokens():
    made, condition = reader(), shown()
    condition.joints[0, 1, 2] = 0.049  # not sure enough
    condition.joints[2, 1, 2] = 0.05
    out = made.joints(condition.joints, hidden_in_the_second("joints", condition).shows("joints"))
    seen = made.joints.place(condition.joints) + made.joints.kind
    torch.testing.assert_close(out[[0, 2, 2], [0, 0, 1]], seen[[0, 2, 2], [0, 0, 1]])
    torch.testing.assert_close(out[[0, 1, 1], [1, 0, 1]], made.joints.null[0, [1, 0, 1]])


@pytest.mark.parametrize(
    "shapes", [SHAPES, Shapes(caption=(4, 5)), Shapes(patches=(7, 8), joints=2), Shapes(embedding=6), Shapes()], ids=str
)
def test_tokens_are_as_many_as_it_counts_and_it_has_the_parts_that_it_reads(shapes):
    made, tokens = reader(shapes), reader(shapes).tokens(shown())
    assert sum(part.shape[1] for part in tokens) == made.count == shapes.caption[0] + shapes.patches[0] + shapes.joints
    parts = {"caption": shapes.caption[1], "embedding": shapes.embedding, "patches": shapes.patches[1]}
    own = {name.split(".")[0] for name, _ in made.named_parameters()}
    assert own == {f"{verb}_{part}" for part, size in parts.items() if size for verb in ("read", "no")} | (
        {"joints"} if shapes.joints else set()
    )


def test_tokens_come_in_the_order_caption_patches_joints():
    made, condition = reader(), shown()
    caption, patches, joints = made.tokens(condition)
    torch.testing.assert_close(caption, made.unpadded_caption(condition))
    torch.testing.assert_close(patches, made.patches(condition))
    torch.testing.assert_close(joints, made.joints(condition.joints, condition.shows("joints")))


def test_a_class_is_a_row_of_the_table_and_a_hidden_one_the_last_row():
    label, condition = Label(4, WIDTH), hidden_in_the_second("class", shown())
    assert label.table.weight.shape == (5, WIDTH)
    assert torch.equal(label(condition), label.table.weight[[0, 4, 1]])


def test_a_class_beyond_the_table_is_an_error():
    with pytest.raises(IndexError):
        Label(4, WIDTH)(shown(label=torch.tensor([0, 5, 1])))


def test_the_table_and_the_kinds_of_joints_are_drawn_from_the_generator_alone():
    def drawn(seed):
        torch.rand(3)  # torch's own generator stands elsewhere each time
        label, made = Label(200, WIDTH), Reader(Shapes(joints=200), WIDTH)
        generator = torch.Generator().manual_seed(seed)
        label.initialise(generator)
        made.initialise(generator)
        return label.table.weight, made.joints.kind

    for first, again, other in zip(drawn(0), drawn(0), drawn(1), strict=True):
        assert torch.equal(first, again) and not torch.equal(first, other)
    table, kind = drawn(0)
    assert table.std().item() == pytest.approx(0.02, rel=0.1) and kind.std().item() == pytest.approx(1, rel=0.1)
