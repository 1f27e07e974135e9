"""PixelREPA: an adapter that fills in what is hidden from it, over a network that sees everything."""

import pytest
import torch
from torch import nn

from asymflow.training.features import alignment_loss
from asymflow.training.terms.masked_alignment import Adapter, with_holes

HIDDEN = {"masked_alignment": {"block": 1}}


def adapter_of(minimised):
    return minimised.terms["masked_alignment"].adapter


def test_the_mask_token_stands_where_a_token_is_hidden_and_nowhere_else():
    features, mask = torch.randn(2, 3, 4), torch.arange(4.0)
    hidden = torch.tensor([[True, False, False], [False, False, True]])
    made = with_holes(features, hidden, mask)
    assert torch.equal(made[hidden], mask.expand(2, 4)) and torch.equal(made[~hidden], features[~hidden])


def test_off_it_changes_nothing_and_on_it_adds_a_term_and_its_gradient(bench):
    plain, minimised = bench.objective(), bench.objective(**HIDDEN)
    terms = minimised(bench.example())
    assert torch.equal(plain(bench.example())["flow"], terms["flow"]), "the network sees all of its tokens"
    assert list(terms) == ["flow", "masked_alignment"] and 0 < terms["masked_alignment"] <= 0.2
    terms["masked_alignment"].backward()
    network, adapter = minimised.model.network, adapter_of(minimised)
    assert network.blocks[0].attention.qkv.weight.grad.any() and network.blocks[1].modulation.weight.grad is None
    assert adapter.mask.grad.any() and adapter.blocks[0].modulation.weight.grad.any()
    assert network.label.table.weight.grad.any() and adapter.head[0].weight.grad.any()


def test_the_share_of_hidden_tokens_is_that_of_the_configuration_drawn_anew_each_time(bench):
    def shares(hidden):
        minimised, seen = bench.objective(masked_alignment={"block": 1, "hidden": hidden}), []
        adapter = adapter_of(minimised)
        adapter.register_forward_pre_hook(lambda m, inputs: seen.append((inputs[0] == adapter.mask).all(-1)))
        torch.manual_seed(0)
        for _ in range(40):
            minimised(bench.example())
        return torch.stack(seen).float()

    assert shares(0.0).sum() == 0
    drawn = shares(0.2)
    assert drawn.mean().item() == pytest.approx(0.2, abs=0.03)  # of 2560 tokens: 4 deviations
    assert not torch.equal(drawn[0], drawn[1])


def test_hidden_tokens_are_compared_too(bench):
    """All but hidden ones are right already: the loss is theirs, over all tokens."""
    minimised, example = bench.objective(masked_alignment={"block": 1, "hidden": 0.5, "weight": 1.0}), bench.example()
    term, kept = minimised.terms["masked_alignment"], []
    term.adapter.register_forward_hook(lambda m, inputs, output: kept.append(output))
    value = minimised(example)["masked_alignment"]
    _, tokens = term.compared(example)
    assert kept[0].shape == tokens.shape == (4, 16, 24)
    torch.testing.assert_close(value, alignment_loss(kept[0], tokens))


def test_a_hidden_token_is_filled_in_from_the_others(bench):
    """What the adapter says at a hidden place moves with the features of the others, and not with its own."""
    minimised, example = bench.objective(**HIDDEN), bench.example()
    minimised(example)
    features, _ = minimised.terms["masked_alignment"].compared(example)
    adapter, hidden = adapter_of(minimised), torch.zeros(4, 16, dtype=torch.bool)
    for block in adapter.blocks:  # they begin as the identity
        nn.init.normal_(block.modulation.weight, std=0.5, generator=torch.Generator().manual_seed(0))
    hidden[:, 5] = True

    def said(features):
        return adapter(with_holes(features, hidden, adapter.mask), example.t, example.condition)[:, 5]

    own, other = features.clone(), features.clone()
    own[:, 5] += 1
    other[:, 6] += torch.randn(64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(said(own), said(features))
    assert (said(other) - said(features)).abs().max() > 1e-4


def test_it_knows_time_and_class_by_embedders_of_its_own(bench):
    minimised, example = bench.objective(**HIDDEN), bench.example()
    minimised(example)
    features, _ = minimised.terms["masked_alignment"].compared(example)
    adapter, network = adapter_of(minimised), minimised.model.network
    for block in adapter.blocks:
        nn.init.normal_(block.modulation.weight, std=0.5, generator=torch.Generator().manual_seed(0))
    before = adapter(features, example.t, example.condition)
    assert not torch.allclose(adapter(features, example.t / 2, example.condition), before)
    assert not torch.allclose(adapter(features, example.t, example.condition.only()), before)
    assert {id(p) for p in adapter.parameters()}.isdisjoint(id(p) for p in network.parameters())


def test_where_channels_agree_the_adapter_begins_as_the_identity_without_a_head(bench):
    network = bench.objective().model.network
    adapter = Adapter(network, 2, network.width)
    adapter.initialise(torch.Generator().manual_seed(0))
    example, features = bench.example(), torch.randn(4, 16, network.width)
    assert torch.equal(adapter(features, example.t, example.condition), features)
    assert isinstance(adapter.head, nn.Identity) and len(Adapter(network, 3, 24).head) == 4


def test_its_weights_are_drawn_from_the_seed_and_trained_with_the_run(bench):
    first, again = (adapter_of(bench.objective(**HIDDEN)).state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    term = bench.objective(**HIDDEN).terms["masked_alignment"]
    assert term.state_dict().keys() == dict(term.named_parameters()).keys()
