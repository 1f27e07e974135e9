"""Where everything lies below the folder of results; the one place that knows."""

import re
from dataclasses import dataclass
from typing import Literal

SPLITS = ("train", "evaluator", "heldout")

# indexes, which list other files
INDEX = re.compile(
    rf"((?P<images>data/({'|'.join(SPLITS)}|\{{split\}}))|conditions/(captions|images)_[^/]+/[^/]+|latent/p[^/]+/[^/]+)\.json"
)

# files of a run, below its folder; those with a sampling setting are below that of the setting
RUN_FILES = {
    "model": "model.safetensors",
    "snapshots": "snapshots",
    "curve": "curve.jsonl",
    "summary": "train.json",
    "guidance": "{sampling}/guidance.json",
    "samples": "{sampling}/samples.npy",
    "sampled": "{sampling}/samples.json",
    "distribution": "{sampling}/distribution.json",
    "captions": "{sampling}/captions.json",
    "suite": "{sampling}/suite.json",
    "memorisation": "{sampling}/memorisation.json",
    "second": "{sampling}/second.json",
    "velocity": "{sampling}/velocity.json",
    "coupling": "{sampling}/coupling.json",
    "adm": "{sampling}/adm.json",
    "torch_fidelity": "{sampling}/torch_fidelity.json",
    "clean": "{sampling}/clean.json",
    "t2i": "{sampling}/t2i.json",
}


@dataclass(frozen=True)
class Paths:
    """Paths as text, relative to where the workflow runs."""

    results: str

    @property
    def claims(self) -> str:
        """The table of all claims."""
        return f"{self.results}/claims.csv"

    def split(self, name: str) -> str:
        """The index of a split of the images, or of the prompts."""
        return f"{self.results}/data/{name}.json"

    def listed(self, index: str) -> list[str]:
        """What an index lists, a folder beside it and the table of a split's samples; nothing for files that are no index.

        An index of images, captions or latents is named after its split, and its folder after it.
        """
        match = INDEX.fullmatch(index.removeprefix(f"{self.results}/").removeprefix("<results>/"))
        if not match:
            return []
        folder = index.removesuffix(".json")
        return [f"{folder}.samples.npy", folder] if match["images"] else [folder]

    def made_captions(self, split: str) -> str:
        """The captions that stage caption writes, one a line."""
        return f"{self.results}/data/{split}.captions.txt"

    def captions(self, reader: str, split: str) -> str:
        """The captions of a split, or the prompts, as tokens of a reader."""
        return f"{self.results}/conditions/captions_{reader}/{split}.json"

    def images(self, patch_size: int, split: str) -> str:
        """The images of a split as embeddings and patch tokens."""
        return f"{self.results}/conditions/images_p{patch_size}/{split}.json"

    def suite(self, patch_size: int) -> str:
        """The validation suite of arms with such patches."""
        return f"{self.results}/conditions/images_p{patch_size}/suite.safetensors"

    def floors(self, patch_size: int) -> str:
        """What is scored in place of drawings in that suite."""
        return f"{self.results}/conditions/images_p{patch_size}/floors.csv"

    def subspace(self, basis: str, colour: str, patch_size: int) -> str:
        """A basis of patch space."""
        return f"{self.results}/subspace/{basis}_{colour}_p{patch_size}.safetensors"

    @property
    def autoencoder(self) -> str:
        """The autoencoder that is trained here."""
        return f"{self.results}/latent/autoencoder.safetensors"

    def lift(self, colour: str, patch_size: int) -> str:
        """How latent tokens lie in patches."""
        return f"{self.results}/latent/lift_{colour}_p{patch_size}.safetensors"

    def latents(self, patch_size: int, split: str) -> str:
        """The images of a split as latent tokens."""
        return f"{self.results}/latent/p{patch_size}/{split}.json"

    @property
    def evaluator(self) -> str:
        """The evaluator that is trained here."""
        return f"{self.results}/evaluator/local.safetensors"

    def protocol(self, name: str) -> str:
        """What a published protocol compares with, where it is gathered here."""
        return f"{self.results}/protocols/{name}.npz"

    @property
    def second_evaluator(self) -> str:
        """Another one, with other weights."""
        return f"{self.results}/evaluator/second/local.safetensors"

    @property
    def perceptual(self) -> str:
        """The perceptual network that is trained here."""
        return f"{self.results}/evaluator/perceptual.safetensors"

    @property
    def reference(self) -> str:
        """What samples are compared with."""
        return f"{self.results}/evaluator/reference.safetensors"

    @property
    def second_reference(self) -> str:
        """The same as the second evaluator sees it."""
        return f"{self.results}/evaluator/second/reference.safetensors"

    def run(
        self, file: str, arm: str = "{arm}", seed: int | Literal["{seed}"] = "{seed}", sampling: str = "{sampling}"
    ) -> str:
        """A file of a run (RUN_FILES); what is not given stays a wildcard."""
        return f"{self.results}/runs/{arm}/seed{seed}/{RUN_FILES[file].replace('{sampling}', sampling)}"

    def table(self, study: str) -> str:
        """The table of a study."""
        return f"{self.results}/{study}.csv"
