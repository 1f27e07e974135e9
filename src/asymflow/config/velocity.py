"""Configuration of the velocity's error on held-out images."""

from pydantic import Field, PositiveInt, model_validator

from asymflow.config.section import Section


class Velocity(Section):
    """At which noise levels, in which directions, and on how many images the recovered velocity is compared with the true one."""

    levels: tuple[float, ...] = Field((0.95, 0.8, 0.6, 0.4, 0.2, 0.1, 0.05), min_length=1)
    """Noise levels, each in (0, 1)."""

    groups: tuple[PositiveInt, ...] = Field((8, 32, 128), min_length=1)
    """Where groups of principal directions end: up to 8, from there to 32, and so on; the last group is the rest. Ends beyond a
    patch's numbers are left out."""

    principal: PositiveInt = 32
    """Directions that the column `velocity_error_principal` sums over; `velocity_error_detail` is about the others. One of the
    groups' ends."""

    images: PositiveInt = 500
    """Held-out images, the first; each with the same noise for every arm."""

    batch: PositiveInt = 50
    """Images at a time."""

    @model_validator(mode="after")
    def _ordered(self) -> "Velocity":
        wrong = [level for level in self.levels if not 0 < level < 1]
        if wrong:
            raise ValueError(f"levels has {wrong[0]}; expected noise levels between 0 and 1, neither included")
        if list(self.groups) != sorted(set(self.groups)):
            raise ValueError(f"groups is {list(self.groups)}; expected rising numbers")
        if self.principal not in self.groups:
            raise ValueError(f"principal is {self.principal}; expected one of the groups' ends: {list(self.groups)}")
        return self

    def ends(self, numbers: int) -> list[int]:
        """The ends of the groups in patches of so many numbers."""
        return [*(end for end in self.groups if end < numbers), numbers]
