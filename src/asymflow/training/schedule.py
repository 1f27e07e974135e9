"""The learning rate as a function of images seen."""


def learning_rate(images: int, *, peak: float, warmup: int, decay: int, total: int) -> float:
    """The rate of the update that ends at `images`: linear from zero over `warmup`, constant, linear to zero over `decay`.

    A pure function of progress, so resuming needs no scheduler state.
    """
    rising = images / warmup if images < warmup else 1.0
    falling = (total - images) / decay if images > total - decay else 1.0
    return peak * min(rising, falling)
