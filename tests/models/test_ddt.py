import torch

from asymflow.models.ddt import DecoderHead
from asymflow.models.flux import grid_positions

B, GRID, PATCH, NETWORK = 2, grid_positions(2, 3), 12, 10


def head(trained=True):
    torch.manual_seed(0)
    made = DecoderHead(patch=PATCH, network=NETWORK, width=16, heads=2, blocks=2)
    if trained:
        for parameter in made.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return made


def inputs():
    torch.manual_seed(1)
    return torch.randn(B, 6, PATCH), torch.randn(B, 6, NETWORK)


def test_it_starts_as_zero_and_learns():
    made = head(trained=False)
    output = made(*inputs(), GRID)
    assert torch.equal(output, torch.zeros(B, 6, PATCH))
    (output - 1).square().sum().backward()
    assert made.linear.weight.grad.abs().max() > 0


def test_every_weight_learns_once_it_has_begun():
    made = head()
    made(*inputs(), GRID).square().sum().backward()
    assert not [name for name, p in made.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]


def test_each_token_s_condition_is_its_own():
    made, (x, tokens) = head(), inputs()
    plain = made(x, tokens, GRID)
    changed = tokens.clone()
    changed[:, 4] += 1
    difference = (made(x, changed, GRID) - plain).abs().amax((0, 2))
    assert difference[4] == difference.max() and difference[4] > 1e-3


def test_places_matter():
    made, (x, tokens) = head(), inputs()
    assert (made(x, tokens, grid_positions(3, 2)) - made(x, tokens, GRID)).abs().max() > 1e-5


def test_noise_passes_the_network_by():
    """The patches reach the output although the network's tokens say nothing of them."""
    made, (x, tokens) = head(), inputs()
    assert (made(x + 1, tokens, GRID) - made(x, tokens, GRID)).abs().max() > 1e-3
