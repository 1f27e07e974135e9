"""Networks as their authors lay them out, in small and with random weights, written from their descriptions and not from ours.

They take images, carry the published names in their state dictionaries, and are what released weights are compared with.
"""

import math

import torch
from torch import nn
from torch.nn.functional import layer_norm, scaled_dot_product_attention, silu


def randomise(module: nn.Module, seed: int) -> nn.Module:
    """The same module with every parameter random, also those that begin as zero or one."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        spread = 0.5 / math.sqrt(parameter[0].numel()) if parameter.ndim > 1 else 0.1
        parameter.data = spread * torch.randn(parameter.shape, generator=generator)
    return module.eval().requires_grad_(False)


def sine_table(side: int, width: int, first: str) -> torch.Tensor:
    """Positions of a square grid: half of the channels for the coordinate named first, sines before cosines in each half."""
    frequencies = torch.tensor([1 / 10_000 ** (i / (width // 4)) for i in range(width // 4)], dtype=torch.float64)
    rows = []
    for y in range(side):
        for x in range(side):
            order = (x, y) if first == "column" else (y, x)
            rows.append(torch.cat([f(c * frequencies) for c in order for f in (torch.sin, torch.cos)]))
    return torch.stack(rows).float()


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * self.weight


class Time(nn.Module):
    """Cosines before sines; NanoDiT's is told thousandths."""

    def __init__(self, width, factor=1.0):
        super().__init__()
        self.factor = factor
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t):
        angles = self.factor * t[:, None] * torch.exp(-math.log(10_000) * torch.arange(128) / 128)
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=1))


class JitAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.c = heads, width // heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.q_norm, self.k_norm = Norm(self.c), Norm(self.c)

    def forward(self, x, side, prefix):
        b, n, w = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, self.c).permute(2, 0, 3, 1, 4)
        q, k = self.turned(self.q_norm(q), side, prefix), self.turned(self.k_norm(k), side, prefix)
        return self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, w))

    def turned(self, x, side, prefix):
        """Rotary positions: neighbouring channels as complex numbers, the row in the first half, the column in the second."""
        pairs = self.c // 4
        f = 10_000.0 ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
        y, column = torch.arange(side * side) // side, torch.arange(side * side) % side
        angles = torch.cat([y[:, None] * f, column[:, None] * f], dim=1)
        turn = torch.polar(torch.ones_like(angles), angles)
        turn = torch.cat([torch.ones(prefix, 2 * pairs, dtype=turn.dtype), turn]).to(torch.complex64)
        as_complex = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
        return torch.view_as_real(as_complex * turn).reshape(x.shape)


class Gated(nn.Module):
    def __init__(self, width):
        super().__init__()
        hidden = int(2 / 3 * int(4 * width))
        self.w12, self.w3 = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x):
        one, two = self.w12(x).chunk(2, dim=-1)
        return self.w3(silu(one) * two)


class JitBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.attn, self.mlp = JitAttention(width, heads), Gated(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x, c, side, prefix):
        a, b, g, d, e, h = (part[:, None] for part in self.adaLN_modulation(c).chunk(6, dim=1))
        x = x + g * self.attn(self.norm1(x) * (1 + b) + a, side, prefix)
        return x + h * self.mlp(self.norm2(x) * (1 + e) + d)


class JitEmbedder(nn.Module):
    def __init__(self, patch, bottleneck, width):
        super().__init__()
        self.proj1 = nn.Conv2d(3, bottleneck, patch, patch, bias=False)
        self.proj2 = nn.Conv2d(bottleneck, width, 1)

    def forward(self, images):
        return self.proj2(self.proj1(images)).flatten(2).transpose(1, 2)


class Labels(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)

    def forward(self, label):
        return self.embedding_table(label)


class JitFinal(nn.Module):
    def __init__(self, width, numbers):
        super().__init__()
        self.norm_final, self.linear = Norm(width), nn.Linear(width, numbers)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x, c):
        shift, scale = (part[:, None] for part in self.adaLN_modulation(c).chunk(2, dim=1))
        return self.linear(self.norm_final(x) * (1 + scale) + shift)


class OfficialJit(nn.Module):
    """JiT and AsymJiT: images, what it is told of the time, labels (the last for none) -> images."""

    def __init__(self, *, side=4, patch=8, width=64, depth=4, heads=1, bottleneck=128, context=4, enters=1, classes=5):
        super().__init__()
        self.side, self.patch, self.enters, self.width = side, patch, enters, width
        self.x_embedder = JitEmbedder(patch, bottleneck, width)
        self.t_embedder, self.y_embedder = Time(width), Labels(classes, width)
        self.in_context_posemb = nn.Parameter(torch.zeros(1, context, width))
        self.blocks = nn.ModuleList(JitBlock(width, heads) for _ in range(depth))
        self.final_layer = JitFinal(width, 3 * patch * patch)

    def forward(self, images, time, label):
        y = self.y_embedder(label)
        c = self.t_embedder(time) + y
        x = self.x_embedder(images) + sine_table(self.side, self.width, "column")
        prefix = 0
        for index, block in enumerate(self.blocks):
            if index == self.enters:
                prefix = self.in_context_posemb.shape[1]
                x = torch.cat([y[:, None] + self.in_context_posemb, x], dim=1)
            x = block(x, c, self.side, prefix)
        numbers = self.final_layer(x[:, prefix:], c)
        p, s = self.patch, self.side
        return numbers.reshape(-1, s, s, p, p, 3).permute(0, 5, 1, 3, 2, 4).reshape(-1, 3, s * p, s * p)


class NanoAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)

    def forward(self, x):
        b, n, w = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, w))


class NanoCross(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.kv = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.proj = nn.Linear(width, width, bias=False)

    def forward(self, x, context, mask):
        b, n, w = x.shape
        q = self.q(x).reshape(b, n, self.heads, -1).transpose(1, 2)
        k, v = self.kv(context).reshape(b, -1, 2, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        return self.proj(seen.transpose(1, 2).reshape(b, n, w))


class NanoMlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        return self.fc2(nn.functional.gelu(self.fc1(x), approximate="tanh"))


class NanoBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn, self.cross_attn, self.mlp = NanoAttention(width, heads), NanoCross(width, heads), NanoMlp(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x, c, context, mask):
        m = [part[:, None] for part in self.adaLN_modulation(c).chunk(6, dim=1)]

        def norm(value, shift, scale):
            return layer_norm(value, value.shape[-1:], eps=1e-6) * (1 + scale) + shift

        x = x + self.attn(norm(x, m[0], m[1]))
        x = x + self.cross_attn(norm(x, m[2], m[3]), context, mask)
        return x + self.mlp(norm(x, m[4], m[5]))


class NanoEmbedder(nn.Module):
    def __init__(self, patch, width):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)


class OfficialNanoDit(nn.Module):
    """prx-tg's network: images in [0, 1], noise level, text, its mask, embedding, patch tokens, joints -> the clean image."""

    def __init__(self, *, side=2, patch=16, width=32, depth=4, heads=4, channels=24, joints=7):
        super().__init__()
        self.side, self.patch, self.width = side, patch, width
        self.x_embedder, self.t_embedder = NanoEmbedder(patch, width), Time(width, 1000)
        self.text_proj, self.dino_proj, self.dino_patch_proj = (nn.Linear(channels, width) for _ in range(3))
        self.pose_proj = nn.Sequential(nn.Linear(3, width), nn.GELU(), nn.Linear(width, width))
        self.pose_joint_embed = nn.Embedding(joints, width)
        self.null_text = nn.Parameter(torch.zeros(1, 1, channels))
        self.null_dino = nn.Parameter(torch.zeros(1, channels))
        self.null_dino_patch_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.null_pose = nn.Parameter(torch.zeros(1, joints, width))
        self.blocks = nn.ModuleList(NanoBlock(width, heads) for _ in range(depth))
        self.final_proj, self.output_conv = nn.Linear(width, 3 * patch * patch), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images, t, text, mask, embedding, patches, joints):
        c = self.t_embedder(t) + self.dino_proj(embedding)
        seen = joints[..., 2:] >= 0.05
        pose = torch.where(seen, self.pose_proj(joints) + self.pose_joint_embed.weight, self.null_pose)
        context = torch.cat([self.text_proj(text), c[:, None], self.dino_patch_proj(patches), pose], dim=1)
        seen = torch.cat([mask, torch.ones(len(t), context.shape[1] - mask.shape[1], dtype=torch.bool)], dim=1)
        x = self.x_embedder.proj(images).flatten(2).transpose(1, 2) + sine_table(self.side, self.width, "row")
        for block in self.blocks:
            x = block(x, c, context, seen)
        p, s = self.patch, self.side
        numbers = self.final_proj(layer_norm(x, x.shape[-1:], eps=1e-6))
        image = numbers.reshape(-1, s, s, p, p, 3).permute(0, 5, 1, 3, 2, 4).reshape(-1, 3, s * p, s * p)
        return image + self.output_conv(image)
