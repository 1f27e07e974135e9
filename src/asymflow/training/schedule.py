"""The learning rate, and the moments of snapshots, as functions of images seen."""


def learning_rate(images: int, *, peak: float, warmup: int, decay: float, total: int) -> float:
    """The rate of the update that ends at `images`: linear from zero over `warmup`, constant, linear to zero over `decay`.

    A pure function of progress, so resuming needs no scheduler state. prx-tg's public code falls by a cosine instead; here one
    schedule serves all arms, because what they are compared by is something else.
    """
    rising = images / warmup if images < warmup else 1.0
    falling = (total - images) / decay if images > total - decay else 1.0
    return peak * min(rising, falling)


def finished_part(images: int, batch: int, total: int, parts: int) -> int | None:
    """Which of the training's equal parts (1 .. parts) the update that ends at `images` finishes; None when it finishes none."""
    before, after = ((i * parts) // total for i in (images - batch, images))
    return after if after > before else None
