"""Configuration of the images: where they come from, their size, and how many go into each split."""

import re
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from asymflow.config.section import Section

SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)  # two letters at least, so that C:\ is a path
READABLE_SCHEMES = ("file", "http", "https", "s3")
Small = Literal["reject", "enlarge"]


class Data(Section):
    """Where the images come from and how they are dealt to the three splits.

    Which image goes where depends on `seed` and on the image's key alone (its path, its WebDataset key, its position in
    a torchvision dataset), never on the order of files. The held-out split is filled first, then the evaluator's, then
    the training split, so another number of training images leaves the other two as they are.
    """

    source: Literal["portraits", "folder", "torchvision", "webdataset"] = "portraits"
    """`portraits` are drawn here; `folder` has one subfolder per class; `torchvision` is one of its datasets;
    `webdataset` is any number of tar files."""

    path: str | None = None
    """The image folder, the folder of the torchvision dataset, or the tar files: a path or URL (file, http, https, s3),
    with braces as in shard-{0000..0099}.tar or, for local files, with wildcards."""

    name: str | None = None
    """The class in torchvision.datasets, for example CIFAR10."""

    split: str | None = None
    """The torchvision dataset's own split, for example train or test; null takes the dataset's default. The three
    splits here are dealt from within it."""

    download: bool = False
    """Whether torchvision may download the dataset when it is missing; of remote tar files, whether they are fetched whole before
    they are read. Without it their images are read from the server one by one, and nothing but the shards is on the disk."""

    image_size: int = Field(64, gt=0, le=8192)
    """Height and width in pixels. Larger images are scaled down and cropped at the centre."""

    small: Small = "reject"
    """What becomes of images that are smaller: `reject` lists them as unusable; `enlarge` scales them up, as ADM's preparation of
    ImageNet does, of whose training images a few in a hundred are that small."""

    shapes: tuple[tuple[PositiveInt, PositiveInt], ...] = ()
    """Further shapes, each [height, width] in pixels, that training images may have beside the square: each takes the one
    whose aspect ratio is nearest to its own, and text-to-image arms train on it. The other splits are square, of images
    that are large enough for it, and so is what all other stages see of a training image."""

    seed: NonNegativeInt = 0
    """Decides which image goes into which split; for portraits, which people are drawn."""

    train: PositiveInt | None = 12_000
    """Training images; null takes all that the other two splits leave."""

    evaluator: NonNegativeInt = 4_000
    """Images that only the evaluator learns from."""

    heldout: NonNegativeInt = 2_000
    """Images that nothing learns from."""

    rejects_tolerated: float = Field(default=0.001, ge=0, lt=1)
    """Share of the images that may be unusable: each is listed in the index with its reason; beyond it, failure."""

    shard_size: PositiveInt = 1_000
    """Images in one tar file."""

    compression: int = Field(default=0, ge=0, le=9)
    """zlib level of the PNG files: 0 stores the pixels as they are, which is fastest to write and read and the same
    bytes with every zlib; 6 makes files of photographs a third to a half smaller."""

    @model_validator(mode="after")
    def _source_has_what_it_needs(self) -> "Data":
        needs_path, needs_name = self.source != "portraits", self.source == "torchvision"
        if needs_path and not self.path:
            raise ValueError(f"source {self.source!r} reads files, so path must say where they are")
        if not needs_path and self.path is not None:
            raise ValueError(
                f"source {self.source!r} draws its images, so path {self.path!r} would be ignored: leave it out"
            )
        if needs_name and not self.name:
            raise ValueError("source 'torchvision' needs name, a class of torchvision.datasets such as CIFAR10")
        for key, value in (("name", self.name), ("split", self.split)):
            if value is not None and not needs_name:
                raise ValueError(
                    f"{key} {value!r} belongs to source 'torchvision', not to {self.source!r}: leave it out"
                )
        if self.download and not needs_name and not SCHEME.match(self.path or ""):
            raise ValueError("download belongs to source 'torchvision' and to remote tar files: leave it out")
        return self

    @model_validator(mode="after")
    def _portraits_can_be_drawn(self) -> "Data":
        if self.source == "portraits" and self.train is None:
            raise ValueError("there is no end to portraits, so train must be a number of images, not null")
        if self.source == "portraits" and self.image_size % 32:
            raise ValueError(
                f"portraits are drawn at multiples of 32 pixels, but image_size is {self.image_size}; try 64"
            )
        if self.source == "portraits" and self.shapes:
            raise ValueError("portraits are drawn square, so shapes would have no images: leave it out")
        return self

    @model_validator(mode="after")
    def _shapes_are_distinct(self) -> "Data":
        for number, (height, width) in enumerate(self.training_shapes):
            for other_height, other_width in self.training_shapes[:number]:
                if height * other_width == width * other_height:
                    raise ValueError(
                        f"shapes has {height} x {width}, whose aspect ratio is that of {other_height} x {other_width} (the square"
                        " of image_size counts too), so no image would take it: leave it out"
                    )
        return self

    @property
    def training_shapes(self) -> tuple[tuple[int, int], ...]:
        """All shapes that training images may have, the square first."""
        return ((self.image_size, self.image_size), *self.shapes)

    @model_validator(mode="after")
    def _path_can_be_read(self) -> "Data":
        scheme = SCHEME.match(self.path or "")
        if scheme and self.source != "webdataset":
            raise ValueError(f"source {self.source!r} reads a local folder, but path is {self.path!r}")
        if scheme and scheme[1].lower() not in READABLE_SCHEMES:
            raise ValueError(
                f"path {self.path!r} has the scheme {scheme[1]!r}; expected a local path or one of"
                f" {', '.join(READABLE_SCHEMES)}; no command is ever run"
            )
        return self
