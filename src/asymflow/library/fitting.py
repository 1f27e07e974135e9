"""A subspace of patches, or the lift of a latent space, fitted to images that are in memory or come from a loader.

Letters in shapes: b images, c channels, h and w pixels, n tokens in raster order, d numbers of a latent token.
"""

from collections.abc import Iterable, Iterator
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.config.representation import Order
from asymflow.config.subspace import Basis
from asymflow.subspace import bases
from asymflow.subspace.file import Subspace
from asymflow.subspace.patches import CHANNEL_FIRST, CHANNEL_LAST, patchify
from asymflow.subspace.procrustes import gather, procrustes

BATCH = 256  # images of a tensor that are turned into float64 at once
ROOM = 1.5  # magnitude beyond which pixels are clearly not in [-1, 1]; other colour spaces than RGB go a little over 1


def fit_subspace(
    images: Tensor | Iterable,
    *,
    patch_size: int,
    rank: int | None = None,
    basis: Basis = "pca",
    order: Order = CHANNEL_LAST,
    limit: int | None = None,
    colour: str = "rgb",
    seed: int = 0,
) -> Subspace:
    """The `rank` directions of patch space in which the predicted noise shall lie; None: all D = c patch_size^2, strongest first.

        X = U S V^T,  A = U_r                                    [AsymFlow, eq. 8; basis pca]

    `images` are (b, 3, h, w) in [-1, 1]: one tensor, or anything that gives such tensors, or tuples that begin with one, as a
    DataLoader does; of these at most `limit` images are seen, and one batch is in memory at a time. Bases: pca (uncentred, as
    published), pca_centred, dct, random (from `seed`), identity. `order` is that of the values within a patch; it matters to
    networks of tokens alone. `colour` only names the colour space, for the file. Raises ValueError for images outside [-1, 1],
    a patch size that does not divide them, a rank that patches do not have, and an unknown order or basis.
    """
    if patch_size < 1 or (limit is not None and limit < 1):
        raise ValueError(f"patch_size is {patch_size} and limit {limit}; expected numbers of 1 or more")
    if order not in get_args(Order):
        raise ValueError(f"order is {order!r}; expected one of {', '.join(get_args(Order))}")
    gram, total, count = bases.gram(_patches(images, patch_size, limit))
    gram, total = gram.cpu(), total.cpu()
    if rank is not None and not 0 <= rank <= len(gram):
        raise ValueError(
            f"rank is {rank}; patches of {patch_size} x {patch_size} pixels have 0 to {len(gram)} directions"
        )
    if basis not in bases.FITTED:
        raise ValueError(f"basis is {basis!r}; expected one of {', '.join(bases.FITTED)}")
    columns = bases.columns(basis, gram, total, count, patch_size, seed)
    spectrum = torch.einsum("dk,de,ek->k", columns, gram, columns) / count
    described = f"{count} patches"
    fitted = Subspace(columns[:, :rank], spectrum[:rank], basis, patch_size, CHANNEL_LAST, colour, described, count)
    return fitted.in_order(order)


def fit_lift(
    pairs: Iterable[tuple[Float[Tensor, "b c h w"], Float[Tensor, "b n d"]]],
    *,
    patch_size: int,
    order: Order = CHANNEL_FIRST,
    colour: str = "rgb",
) -> Subspace:
    """The orthonormal lift A (D, d) from the tokens of a latent model to pixel patches, and its scale s, as a subspace.

        X Z^T = U S V^T,  A = U V^T,  s = |A^T X| / |Z|          [AsymFlow, eq. 9-12]

    `pairs` gives batches of images in [-1, 1] and of their latent tokens, as the model takes them: `((x, encode(x)) for x in
    loader)`. A token and the patch of `patch_size` pixels at its place belong together. `order` is that of the values within a
    pixel patch. Raises ValueError when there are more or fewer tokens than patches, more numbers in a token than in a patch, or
    too few pairs to determine A.
    """
    paired = gather(_paired(pairs, patch_size, order))
    A, s = procrustes(paired)
    A, gram = A.cpu(), paired.gram.cpu()
    spectrum = torch.einsum("Dk,DE,Ek->k", A, gram, A) / paired.count
    described = f"{paired.count} pairs of patches and latent tokens"
    return Subspace(A, spectrum, "procrustes", patch_size, order, colour, described, paired.count, s)


def _paired(pairs: Iterable, patch_size: int, order: Order) -> Iterator[tuple[Tensor, Tensor]]:
    for images, tokens in pairs:
        patches = patchify(_checked(images), patch_size, order)
        if patches.shape[:2] != tokens.shape[:2]:
            raise ValueError(
                f"{len(images)} images of {patches.shape[1]} patches of {patch_size} x {patch_size} pixels came with"
                f" {len(tokens)} times {tokens.shape[1]} latent tokens; expected a token for each patch: a patch has to span as"
                " many pixels as a token"
            )
        yield patches.flatten(0, 1), tokens.flatten(0, 1)


def _patches(images: Tensor | Iterable, patch_size: int, limit: int | None) -> Iterator[Tensor]:
    left = limit
    for batch in images.split(BATCH) if isinstance(images, Tensor) else images:
        pixels = _checked(batch[0] if isinstance(batch, tuple | list) else batch)[:left]
        yield patchify(pixels, patch_size).double()
        if left is not None and (left := left - len(pixels)) <= 0:
            return


def _checked(images: Any) -> Tensor:
    """The same. Raises ValueError unless they are images in [-1, 1]."""
    if not isinstance(images, Tensor):
        raise ValueError(
            f"found a batch of type {type(images).__name__}; expected a tensor, or a tuple or list that begins with one: where"
            " batches are dictionaries, give (batch['image'] for batch in loader)"
        )
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f"found images of shape {tuple(images.shape)} and type {images.dtype}; expected (b, c, h, w) in [-1, 1]: bytes are"
            " brought there by x / 127.5 - 1"
        )
    if not images.numel():
        raise ValueError(f"found a batch without images, of shape {tuple(images.shape)}; leave it out")
    if not (largest := images.abs().max().item()) <= ROOM:  # nan is not
        raise ValueError(
            f"images have values up to {largest:g} in magnitude; expected [-1, 1]: 2 x - 1 for those in [0, 1]"
        )
    return images
