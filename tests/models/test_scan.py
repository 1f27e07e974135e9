"""The state-space mixer: the fast form against the recurrence that it stands for."""

import pytest
import torch

from asymflow.models.scan import BidirectionalScan, fastest, selective_scan


def inputs(n, generator=None):
    generator = torch.Generator().manual_seed(n)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    return draw(2, n, 3, 5), draw(2, n, 3).exp(), -draw(3).exp(), draw(2, n, 4), draw(2, n, 4)


def recurrence(x, dt, a, B, C):
    """H_i = exp(dt_i a) H_{i-1} + dt_i B_i x_i^T, y_i = H_i^T C_i, token by token."""
    H, outputs = x.new_zeros(2, 3, 4, 5), []
    for i in range(x.shape[1]):
        H = (dt[:, i] * a).exp()[..., None, None] * H + torch.einsum("bh,bs,bhc->bhsc", dt[:, i], B[:, i], x[:, i])
        outputs.append(torch.einsum("bhsc,bs->bhc", H, C[:, i]))
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("chunk", [1, 3, 7, 64])
def test_the_scan_is_the_recurrence_however_it_is_cut(chunk):
    given = inputs(11)
    torch.testing.assert_close(selective_scan(*given, chunk), recurrence(*given), rtol=1e-12, atol=1e-12)


def test_its_gradient_is_that_of_the_recurrence():
    given = [v.requires_grad_() for v in inputs(6)]
    for fast, slow in zip(
        torch.autograd.grad(selective_scan(*given, 4).square().sum(), given),
        torch.autograd.grad(recurrence(*given).square().sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)


def test_a_far_token_underflows_to_nothing_instead_of_to_no_number():
    x, dt, a, B, C = inputs(9)
    assert selective_scan(x, 1e4 * dt, a, B, C).isfinite().all()


def test_no_token_sees_a_later_one():
    x, dt, a, B, C = inputs(8)
    changed = x.clone()
    changed[:, 5] += 1
    before, after = (selective_scan(v, dt, a, B, C, 3) for v in (x, changed))
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_both_directions_together_see_everything():
    torch.manual_seed(0)
    mixer = BidirectionalScan(8, 2).double()
    x = torch.randn(1, 6, 8, dtype=torch.float64, requires_grad=True)
    for i in (0, 5):
        (gradient,) = torch.autograd.grad(mixer(x)[:, i].sum(), x)
        assert (gradient.abs().sum(-1) > 0).all()


def test_tokens_in_reverse_give_outputs_in_reverse_when_the_directions_are_swapped():
    torch.manual_seed(0)
    mixer = BidirectionalScan(8, 2).double()
    x = torch.randn(2, 7, 8, dtype=torch.float64)
    given = mixer(x)
    mixer.forwards, mixer.backwards = mixer.backwards, mixer.forwards
    torch.testing.assert_close(mixer(x.flip(1)).flip(1), given)


def test_without_a_gpu_nothing_but_torch_is_needed():
    assert fastest(torch.device("cpu")) is selective_scan
