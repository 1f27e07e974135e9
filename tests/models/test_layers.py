import math

import pytest
import torch
from torch.nn.functional import rms_norm, scaled_dot_product_attention

from asymflow.models.layers import (
    Attention,
    RMSNorm,
    SwiGLU,
    TimeEmbedding,
    attend,
    begin_as,
    rotary_table,
    rotate,
    sine_positions,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_rms_norm_is_the_one_of_torch():
    norm = RMSNorm(7).double()
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(2, 3, 7, dtype=torch.float64)
    torch.testing.assert_close(norm(x), rms_norm(x, (7,), norm.weight, eps=1e-6))


def test_rms_norm_takes_its_statistics_in_float32():
    # The squares sum to 513: in bfloat16, whose integers end at 256, a running sum would stop there.
    x = torch.ones(1, 513, dtype=torch.bfloat16)
    torch.testing.assert_close(RMSNorm(513)(x), torch.ones(1, 513))


def test_sine_positions_hold_the_column_before_the_row():
    positions = sine_positions(rows=2, cols=3, width=8)
    for row in range(2):
        for col in range(3):
            expected = [
                f(place * frequency) for place in (col, row) for f in (math.sin, math.cos) for frequency in (1, 0.01)
            ]
            assert positions[3 * row + col].tolist() == pytest.approx(expected, abs=1e-7)


def test_rotating_is_a_product_of_complex_numbers():
    rows, cols, channels, prefix = 3, 5, 12, 2
    x = torch.randn(2, prefix + rows * cols, channels, dtype=torch.float64)
    angles = torch.zeros(prefix + rows * cols, channels // 2, dtype=torch.float64)
    for row in range(rows):
        for col in range(cols):
            for j in range(channels // 4):
                frequency = 1 / 10_000 ** (2 * j / (channels // 2))
                angles[prefix + row * cols + col, j] = row * frequency
                angles[prefix + row * cols + col, channels // 4 + j] = col * frequency
    pairs = torch.complex(x[..., 0::2], x[..., 1::2]) * torch.exp(1j * angles)
    table = rotary_table(rows=rows, cols=cols, channels=channels, prefix=prefix)
    expected = torch.stack([pairs.real, pairs.imag], dim=-1).flatten(-2)
    torch.testing.assert_close(rotate(x, table.double()), expected, atol=1e-6, rtol=0)  # the table is float32


def test_products_of_rotated_tokens_depend_on_their_offset_alone():
    rows, cols = 3, 4
    table = rotary_table(rows=rows, cols=cols, channels=8, prefix=0).double()
    q, k = (torch.randn(8, dtype=torch.float64).expand(rows * cols, 8) for _ in range(2))
    products = rotate(q, table) @ rotate(k, table).T
    by_offset = {}
    for i in range(rows * cols):
        for j in range(rows * cols):
            offset = (i // cols - j // cols, i % cols - j % cols)
            by_offset.setdefault(offset, []).append(products[i, j].item())
    assert len(by_offset) == (2 * rows - 1) * (2 * cols - 1)
    assert all(max(values) - min(values) < 1e-5 for values in by_offset.values())
    assert len({round(values[0], 4) for values in by_offset.values()}) == len(by_offset)


def test_prefix_tokens_are_not_rotated():
    table = rotary_table(rows=2, cols=3, channels=8, prefix=4)
    x = torch.randn(10, 8)
    assert torch.equal(rotate(x, table)[:4], x[:4])
    assert torch.equal(table[:, 4:], rotary_table(rows=2, cols=3, channels=8, prefix=0))


def test_attention_on_processors_is_the_fused_one_of_torch():
    q, k, v = torch.randn(3, 2, 3, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(attend(q, k, v), scaled_dot_product_attention(q, k, v))


def test_queries_and_keys_are_normalised():
    attention = Attention(12, 3).double()
    table = rotary_table(rows=2, cols=3, channels=4, prefix=0).double()
    x = torch.randn(2, 6, 12, dtype=torch.float64)
    before = attention(x, table)
    with torch.no_grad():
        attention.qkv.weight[:24] *= 100  # rows of the queries, then of the keys
        attention.qkv.bias[:24] *= 100
    torch.testing.assert_close(attention(x, table), before, atol=1e-4, rtol=1e-4)  # the norm's eps, 1e-6 of a square
    with torch.no_grad():
        attention.q_norm.weight *= 3
    assert (attention(x, table) - before).abs().max() > 1e-3


def test_rows_of_qkv_are_queries_keys_values_and_within_them_heads():
    attention = Attention(12, 3).double()
    table = rotary_table(rows=1, cols=1, channels=4, prefix=0).double()
    x = torch.randn(1, 1, 12, dtype=torch.float64)  # a token alone attends to itself: the output is its value
    value = attention.qkv.weight[24:] @ x[0, 0] + attention.qkv.bias[24:]
    torch.testing.assert_close(attention(x, table)[0, 0], attention.out(value))


@pytest.mark.parametrize(("width", "hidden"), [(192, 512), (768, 2048), (1024, 2730), (1280, 3413), (1664, 4437)])
def test_swiglu_is_two_thirds_of_four_widths_wide(width, hidden):
    with torch.device("meta"):
        assert SwiGLU(width, 0.0).w3.in_features == hidden


def test_swiglu_gates_with_the_first_half():
    mlp = SwiGLU(6, 0.0).double()
    x = torch.randn(1, 2, 6, dtype=torch.float64)
    first, second = (x @ mlp.w12.weight.T + mlp.w12.bias).split(16, dim=-1)
    torch.testing.assert_close(mlp(x), mlp.w3(first * torch.sigmoid(first) * second))


def test_the_noise_level_is_embedded_unscaled_cosines_first():
    embedding, seen = TimeEmbedding(8), []
    embedding.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    embedding(torch.tensor([0.0, 0.7]))
    assert seen[0].shape == (2, 256)
    torch.testing.assert_close(seen[0][0], torch.cat([torch.ones(128), torch.zeros(128)]))
    for i in (0, 1, 127):
        angle = 0.7 * math.exp(-math.log(10_000) * i / 128)
        assert seen[0][1, [i, 128 + i]].tolist() == pytest.approx([math.cos(angle), math.sin(angle)], abs=1e-6)


@pytest.mark.parametrize(("numbers", "outputs"), [(27, 5), (12, 20)])
def test_directions_become_the_first_channels_with_the_gain_of_xavier(numbers, outputs):
    layer = torch.nn.Linear(numbers, outputs).double()
    before = layer.weight.detach().clone()
    directions = torch.linalg.qr(torch.randn(numbers, 3, dtype=torch.float64)).Q
    begin_as(layer, directions)
    torch.testing.assert_close(layer.weight[:3], directions.T * math.sqrt(2 * numbers / (numbers + outputs)))
    assert torch.equal(layer.weight[3:], before[3:])
    assert layer.weight.requires_grad
    # Xavier-uniform entries have the variance 2 / (in + out); so have these rows, of norm 1 before the gain.
    expected = torch.full((3,), 2 / (numbers + outputs), dtype=torch.float64)
    torch.testing.assert_close(layer.weight[:3].square().mean(dim=1), expected)


def test_no_directions_change_nothing_and_too_many_are_an_error():
    layer = torch.nn.Linear(12, 5)
    before = layer.weight.detach().clone()
    begin_as(layer, torch.empty(12, 0))
    assert torch.equal(layer.weight, before)
    with pytest.raises(ValueError, match="6 directions do not fit into the 5 channels of the patch embedding"):
        begin_as(layer, torch.eye(12, 6))
