"""A workshop: small portraits and everything that arms of any kind need, and the stages that make and judge them."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from asymflow.config.autoencoder import Autoencoder
from asymflow.config.data import Data
from asymflow.config.embeddings import Embeddings
from asymflow.config.experiment import Experiment
from asymflow.config.perceptual import Perceptual
from asymflow.config.prompts import Prompts
from asymflow.config.scoring import Scoring
from asymflow.config.search import Search
from asymflow.config.subspace import Subspace
from asymflow.config.suite import Suite
from asymflow.config.velocity import Velocity
from asymflow.plan import Plan
from asymflow.stages import (
    coupling,
    embed_captions,
    embed_images,
    encode_latents,
    fit_autoencoder,
    fit_lift,
    fit_perceptual,
    fit_subspace,
    prompts,
    reference,
    sample,
    score,
    search_guidance,
    suite,
    train,
    velocity,
)

SIZE, PATCH = 32, 16
TRAINING = {
    "images": 64, "batch": 16, "warmup_images": 16, "checkpoint_images": 32, "log_images": 16, "precision": "float32",
    "compile": "off",
}  # fmt: skip
SAMPLING = {"count": 20, "steps": 2, "batch": 7, "precision": "float32", "compile": "off"}
CAPTIONS = {"shown": [{"share": 0.1}, {"share": 0.9, "what": ["caption"]}]}
PRX = {
    "shown": [
        {"share": 0.1}, {"share": 0.25, "what": ["caption"]}, {"share": 0.25, "what": ["embedding", "patches"]},
        {"share": 0.4, "what": ["caption", "embedding", "patches"]},
    ]
}  # fmt: skip
SMALL_FLUX = {"kind": "flux", "heads": 2, "head_width": 16, "double_blocks": 1, "single_blocks": 1}


def run_stage(stage, **options):
    words = []
    for name, value in options.items():
        given = value if isinstance(value, list | tuple) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, given)] if given != [""] else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [stage.__name__, *words])
        stage.main()


class Workshop:
    """A folder of results with all that is made before training, laid out as the workflow does; arms are added by name."""

    def __init__(self, folder: Path, portraits: Path, model: Path | None = None):
        self.folder, self.model = folder, model
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").symlink_to(portraits)
        (folder / "evaluator").mkdir()
        (folder / "evaluator/local.safetensors").symlink_to(portraits / "local.safetensors")
        self.suite = Suite(texts=20, reconstructions=4, swaps=4, edits=5, memories=4, resamples=50)
        self.settings = {
            "results": str(folder), "seeds": 1, "evaluators": "local",
            "data": Data(image_size=SIZE, train=60, evaluator=60, heldout=30), "prompts": Prompts(count=25),
            "scoring": Scoring(kernel_blocks=4, splits=2, batch=16), "suite": self.suite,
            "search": Search(count=20, rounds=2, scale_step=1.0), "latent": {"model": str(model)} if model else {},
            "arms": {}, "samplings": {}, "studies": {},
        }  # fmt: skip
        self.make()

    def make(self) -> None:
        """What the arms of these tests need, each by its stage."""
        data, evaluator = self.folder / "data", self.folder / "evaluator/local.safetensors"
        paths, reader = self.plan.paths, "flux2" if self.model else "local"
        run_stage(
            prompts,
            config=Prompts(count=25).model_dump_json(),
            heldout=data / "heldout.json",
            out=paths.split("prompts"),
        )
        for split in ("train", "heldout", "prompts"):
            run_stage(
                embed_captions, config=Embeddings().model_dump_json(), reader=reader, data=paths.split(split),
                evaluator=evaluator, folder=self.model or "", out=paths.captions(reader, split),
            )  # fmt: skip
        latents = self.model or paths.autoencoder
        if not self.model:
            config = Autoencoder(channels=4, width=8, images=200, batch=20, precision="float32").model_dump_json()
            run_stage(
                fit_autoencoder, config=config, data=paths.split("train"), heldout=paths.split("heldout"), out=latents
            )
        config = Subspace(images=60).model_dump_json()
        run_stage(
            fit_lift, config=config, patch_size=PATCH, colour="oklab", data=paths.split("train"), latents=latents,
            out=paths.lift("oklab", PATCH),
        )  # fmt: skip
        run_stage(
            encode_latents,
            patch_size=PATCH,
            data=paths.split("train"),
            latents=latents,
            out=paths.latents(PATCH, "train"),
        )
        config = Perceptual(images=40, batch=20).model_dump_json()
        run_stage(fit_perceptual, config=config, data=paths.split("evaluator"), out=paths.perceptual)
        run_stage(
            reference, config=self.plan.section("scoring"), evaluator=evaluator, data=paths.split("train"),
            heldout=paths.split("heldout"), out=paths.reference, floor=self.folder / "evaluator/floor.json",
        )  # fmt: skip
        if self.model:
            return
        for split in ("train", "heldout"):
            run_stage(
                embed_images, config=Embeddings().model_dump_json(), patch_size=PATCH, data=paths.split(split),
                evaluator=evaluator, out=paths.images(PATCH, split),
            )  # fmt: skip
        run_stage(
            suite, config=self.plan.section("suite"), embeddings=self.plan.section("embeddings"), out=paths.suite(PATCH),
            **self.plan_inputs("suite", patch_size=PATCH), reader="local",
        )  # fmt: skip
        for basis, colour in (("pca", "rgb"), ("identity", "rgb"), ("pca", "oklab")):
            run_stage(
                fit_subspace, config=Subspace(images=60).model_dump_json(), basis=basis, patch_size=PATCH,
                colour=colour, data=paths.split("train"), out=paths.subspace(basis, colour, PATCH),
            )  # fmt: skip

    @property
    def plan(self) -> Plan:
        """The plan of all arms and settings so far."""
        return Plan(Experiment(**self.settings))

    def plan_inputs(self, rule, **wildcards):
        return {name: path for name, path in getattr(self.plan, rule)(SimpleNamespace(**wildcards)).items() if path}

    def arm(self, name, **parts):
        """Adds an arm; parts are those of the configuration."""
        training = TRAINING | {"averages": ["ema_32", "last"]} | parts.pop("training", {})
        self.settings["arms"][name] = parts | {"training": training}
        return name

    def run_folder(self, name, seed=1):
        return self.folder / "runs" / name / f"seed{seed}"

    def train(self, name, seed=1, out=None, **changes):
        """Trains an arm; once, unless it goes into another folder."""
        out = out or self.run_folder(name, seed)
        if not (out / "train.json").exists():
            where = SimpleNamespace(arm=name, seed=seed)
            run_stage(
                train, arm=self.plan.arm(where), seed=seed, folder=self.plan.folder_of(where), state=out / "state",
                model=out / "model.safetensors", snapshots=out / "snapshots", curve=out / "curve.jsonl",
                summary=out / "train.json", **(self.plan_inputs("train", arm=name, seed=seed) | {"previews": 2} | changes),
            )  # fmt: skip
        return out

    def sample(self, name, setting, seed=1, **settings):
        """Trains an arm and draws what a setting asks of it."""
        self.train(name, seed)
        self.settings["samplings"][setting] = SAMPLING | settings
        where = SimpleNamespace(arm=name, seed=seed, sampling=setting)
        out = self.run_folder(name, seed) / setting
        run_stage(
            sample, sampling=self.plan.sampling(where), asks=self.plan.asks(where), folder=self.plan.folder_of(where),
            samples=out / "samples.npy", summary=out / "samples.json", **self.plan_inputs("sample", **vars(where)),
        )  # fmt: skip
        return np.load(out / "samples.npy")

    def search(self, name, setting, seed=1, average=False, **settings):
        """Searches the guidance of an arm under a setting, and perhaps the average of its weights."""
        self.train(name, seed)
        guidance = {"kind": "searched", "average": average}
        self.settings["samplings"][setting] = SAMPLING | settings | {"guidance": guidance}
        where = SimpleNamespace(arm=name, seed=seed, sampling=setting)
        out = self.run_folder(name, seed) / setting / "guidance.json"
        run_stage(
            search_guidance, config=self.plan.section("search"), sampling=self.plan.sampling(where),
            asks=self.plan.asks(where), folder=self.plan.folder_of(where), out=out,
            **self.plan_inputs("search", **vars(where)),
        )  # fmt: skip
        return json.loads(out.read_text())

    def score(self, name, setting, judge, seed=1):
        """What a judge says of what was drawn."""
        out = self.run_folder(name, seed) / setting / f"{judge}.json"
        run_stage(
            score, judge=judge, config=self.plan.section("suite"), out=out,
            **self.plan_inputs("score", arm=name, seed=seed, sampling=setting, judge=judge),
        )  # fmt: skip
        return json.loads(out.read_text())

    def coupling(self, name, setting, seed=1):
        """How far a lifted arm's samples are from the lift of the latent ones."""
        where = SimpleNamespace(arm=name, seed=seed, sampling=setting)
        out = self.run_folder(name, seed) / setting / "coupling.json"
        run_stage(
            coupling, sampling=self.plan.sampling(where), asks=self.plan.asks(where), folder=self.plan.folder_of(where),
            out=out, **self.plan_inputs("coupling", **vars(where)),
        )  # fmt: skip
        return json.loads(out.read_text())["metrics"]["coupling_error"]

    def velocity(self, name, setting, seed=1):
        """How far a run's velocity is from the true one."""
        where = SimpleNamespace(arm=name, seed=seed, sampling=setting)
        out = self.run_folder(name, seed) / setting / "velocity.json"
        config = Velocity(images=20, batch=10).model_dump_json()
        run_stage(
            velocity, config=config, sampling=self.plan.sampling(where), folder=self.plan.folder_of(where), out=out,
            **self.plan_inputs("velocity", **vars(where)),
        )  # fmt: skip
        return json.loads(out.read_text())
