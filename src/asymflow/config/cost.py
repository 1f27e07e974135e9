"""Configuration of the estimate of what a scale costs."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from asymflow.config.section import Section


class Cost(Section):
    """What hours, memory and money are reckoned from (`cost.csv`), before anything runs."""

    peak_tflops: PositiveFloat | None = None
    """Matrix products that one device (a GPU, or a processor core) can do, in 10^12 operations a second. Null: measured where the
    estimate is made, for two seconds, on one thread or on the GPU."""

    training_share: float = Field(0.6, gt=0, le=1)
    """Share of it that an update reaches; `python benchmarks/run.py train` measures it."""

    sampling_share: float = Field(0.55, gt=0, le=1)
    """Share of it that drawing reaches; `python benchmarks/run.py sampling` measures it."""

    devices: PositiveInt = 2
    """Devices that work at a time."""

    processes: PositiveInt = 1
    """Of these, how many train one arm together, sharing its batches, and its weights where the arm is sharded."""

    seconds: NonNegativeFloat = 9.0
    """What a job takes beside its work: imports, compiling, reading."""

    price: NonNegativeFloat = 0.0
    """Of one device for one hour, in any currency."""
