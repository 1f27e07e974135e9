"""Which DDT is trained: a JiT whose last blocks are a decoder."""

from typing import Literal

from pydantic import PositiveInt, model_validator

from asymflow.config.jit import JiT


class Decoupled(JiT):
    """JiT decoupled as in DDT: an encoder gives a condition for each token to a decoder, which sees the noisy patch again."""

    kind: Literal["decoupled"] = "decoupled"  # type: ignore[assignment]

    decoder: PositiveInt | None = None
    """Blocks of the decoder, the last ones; null: a quarter, as 3 + 1 of tiny and 9 + 3 of B."""

    @model_validator(mode="after")
    def _has_an_encoder(self) -> "Decoupled":
        size = self.dimensions
        most = size.depth - size.enters - 1
        if self.decoded > most:
            raise ValueError(
                f"decoder is {self.decoded}; at size {self.size} class and captions join at the input of block {size.enters} of"
                f" {size.depth}, counted from 0, which must be one of the encoder's: give at most {most}"
            )
        return self

    @property
    def decoded(self) -> int:
        """Blocks of the decoder."""
        return self.decoder or self.blocks // 4
