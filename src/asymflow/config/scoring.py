"""Configuration of the metrics."""

from pydantic import Field, NonNegativeInt, PositiveInt

from asymflow.config.section import Section


class Scoring(Section):
    """How samples are compared with the training images. Stored with the reference, so all runs are scored alike."""

    neighbours: PositiveInt = 3
    """Precision and recall: a ball reaches to this nearest neighbour."""

    kernel_blocks: int = Field(10, ge=2)
    """Kernel distance: parts that its standard error is estimated from."""

    frechet_blocks: int = Field(10, ge=2)
    """Frechet distance: blocks of samples that are left out in turn for its standard error."""

    splits: PositiveInt = 10
    """Inception score: parts that are scored separately and averaged."""

    kept: PositiveInt = 10_000
    """Reference images, at most, whose features are kept for kernel distance, precision and recall; moments are of all."""

    batch: PositiveInt = 250
    """Images that the evaluator sees at a time; changes no score beyond rounding."""

    seed: NonNegativeInt = 0
    """Decides crops, kept images and every shuffle."""

    @property
    def smallest(self) -> int:
        """Smallest number of images from which all metrics can be computed."""
        return max(2 * self.kernel_blocks, self.neighbours + 1, self.splits, 2)
