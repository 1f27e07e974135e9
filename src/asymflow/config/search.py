"""Configuration of the guidance search."""

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section

LARGEST_GRID = 10**6  # points
BLOCKS = 10  # of the jackknife: parts of the samples that are left out in turn


class Search(Section):
    """The grid of guidance settings that is searched, and how. Interval: [0, end] in noise level, as the paper's are."""

    scale_low: PositiveFloat = 1.0
    """Smallest scale of the grid."""

    scale_high: float = Field(4.0, gt=0, le=100)
    """Largest scale of the grid; JiT searches 1 to 4."""

    scale_step: PositiveFloat = 0.1
    """Spacing of the scales; the paper's."""

    interval_step: PositiveFloat = 0.02
    """Spacing of the interval's end; the paper's. Ends that guide the same solver steps are one candidate."""

    averages: int = Field(8, ge=2, le=50)
    """Lengths of the average of the weights that are searched, where a setting searches them: from 0.03 to 0.2, each the same
    factor after the one before."""

    count: PositiveInt = 500
    """Samples that each surviving candidate is judged by in the end."""

    rounds: int = Field(3, gt=0, le=20)
    """Times that the number of samples doubles and the spacing halves; the last round has `count` and the full grid."""

    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Confidence that a candidate is worse than the best, on the samples so far, at which it is dropped."""

    keep: PositiveInt = 24
    """Candidates that the grid is filled in around, and that go on to the next round: a flat surface drops hardly any."""

    @model_validator(mode="after")
    def _consistent(self):
        if self.scale_low > self.scale_high:
            raise ValueError(f"scale_low ({self.scale_low}) exceeds scale_high ({self.scale_high})")
        points = (self.scale_high - self.scale_low) / self.scale_step / self.interval_step
        if points > LARGEST_GRID:
            raise ValueError(
                f"scale_step ({self.scale_step:g}) and interval_step ({self.interval_step:g}) make a grid of {points:.0e} points;"
                f" expected at most {LARGEST_GRID:.0e}: raise them"
            )
        least = BLOCKS << (self.rounds - 1)
        if self.count < least:
            raise ValueError(
                f"count is {self.count}, so the first of {self.rounds} rounds has {self.count >> (self.rounds - 1)} samples and"
                f" expected are {BLOCKS}, one for each part that its interval leaves out in turn; raise it to {least}, or lower"
                " rounds"
            )
        if self.interval_step > 1:
            raise ValueError(f"interval_step is {self.interval_step}; noise levels end at 1")
        return self
