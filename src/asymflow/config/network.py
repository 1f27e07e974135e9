"""What every network says of itself, beside its own dimensions."""

from asymflow.config.representation import Order
from asymflow.config.section import Section


class Network(Section):
    """What maps noisy tokens, a noise level and a condition to tokens. `kind` tells networks apart."""

    @property
    def blocks(self) -> int:
        """Transformer blocks."""
        raise NotImplementedError

    @property
    def first_channels(self) -> int:
        """Channels that the patch embedding maps a token to first."""
        raise NotImplementedError

    @property
    def order(self) -> Order:
        """How the values of a patch are ordered in its token."""
        return "row column channel"

    @property
    def bypass(self) -> float:
        """Share of the tokens that bypass the middle blocks in training."""
        return 0.0

    @property
    def any_grid(self) -> bool:
        """Whether it takes images of any shape, or only those that it was made for."""
        return False
